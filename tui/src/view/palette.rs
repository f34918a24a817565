//! Styles. Colours are from Okabe and Ito's palette, which people with any common colour blindness can tell apart, and
//! none of them says anything that a word or a sign does not say too.

use std::env;

use ratatui::style::{Color, Modifier, Style};

/// What each kind of text looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Palette {
    pub(crate) heading: Style,
    pub(crate) active: Style,
    pub(crate) selected: Style,
    pub(crate) dim: Style,
    pub(crate) good: Style,
    pub(crate) warn: Style,
    pub(crate) bad: Style,
    pub(crate) validator: Style,
    pub(crate) series: Style,
}

// The nearest of the 256 indexed colours, which far more terminals (and tmux) know than true colour.
const BLUISH_GREEN: Color = Color::Indexed(36);
const ORANGE: Color = Color::Indexed(214);
const VERMILLION: Color = Color::Indexed(202);
const SKY_BLUE: Color = Color::Indexed(74);

impl Palette {
    /// With colours, unless `NO_COLOR` is set or the terminal is known to have none.
    pub(crate) fn from_environment() -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let without = env::var("TERM").is_ok_and(|term| term == "dumb" || term.starts_with("vt"));
        if refused || without {
            Self::plain()
        } else {
            Self::colours()
        }
    }

    /// With colours.
    pub(crate) fn colours() -> Self {
        Self {
            good: Style::new().fg(BLUISH_GREEN),
            warn: Style::new().fg(ORANGE),
            bad: Style::new().fg(VERMILLION).add_modifier(Modifier::BOLD),
            validator: Style::new().fg(SKY_BLUE),
            series: Style::new().fg(SKY_BLUE),
            ..Self::plain()
        }
    }

    /// Without any colour: weight and reversal only.
    pub(crate) fn plain() -> Self {
        let plain = Style::new();
        Self {
            heading: plain.add_modifier(Modifier::BOLD),
            active: plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            selected: plain.add_modifier(Modifier::REVERSED),
            dim: plain.add_modifier(Modifier::DIM),
            good: plain,
            warn: plain.add_modifier(Modifier::BOLD),
            bad: plain.add_modifier(Modifier::BOLD),
            validator: plain,
            series: plain,
        }
    }
}
