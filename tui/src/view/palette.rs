//! Styles. Colours are from Okabe and Ito's palette, which people with any common colour blindness can tell apart, and
//! none of them says anything that a word or a sign does not say too.

use std::env;

use clap::ValueEnum;
use ratatui::style::{Color, Modifier, Style};

/// What the terminal's background is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    /// By the variable COLORFGBG, dark without it
    #[default]
    Auto,
    /// Dark
    Dark,
    /// Light
    Light,
}

/// Colours and characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub(crate) palette: Palette,
    /// Whether everything is drawn with ASCII only.
    pub(crate) ascii: bool,
}

impl Default for Look {
    /// Without colours, and with all of Unicode: what does not depend on where it runs.
    fn default() -> Self {
        Self {
            palette: Palette::plain(),
            ascii: false,
        }
    }
}

impl Look {
    /// With colours unless `NO_COLOR` is set or the terminal is known to have none; with ASCII only if asked for, or if
    /// the locale's character set is not UTF-8.
    pub fn from_environment(theme: Theme, ascii: bool) -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let without = set("TERM").is_some_and(|term| term == "dumb" || term.starts_with("vt"));
        let palette = if set("NO_COLOR").is_some() || without {
            Palette::plain()
        } else {
            Palette::colours(match theme {
                Theme::Auto => set("COLORFGBG").is_some_and(|it| is_light(&it)),
                Theme::Dark => false,
                Theme::Light => true,
            })
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        Self {
            palette,
            ascii: ascii || locale.is_some_and(|locale| !is_unicode(&locale)),
        }
    }
}

/// COLORFGBG ends in the number of the background's colour: 7 and 9 to 15 are light.
fn is_light(colours: &str) -> bool {
    let background = colours
        .rsplit(';')
        .next()
        .and_then(|it| it.parse::<u8>().ok());
    background.is_some_and(|it| it == 7 || (9..=15).contains(&it))
}

/// The C locale is taken for one that was never set, and most terminals for better than it says.
fn is_unicode(locale: &str) -> bool {
    let lower = locale.to_lowercase();
    ["utf-8", "utf8"].iter().any(|set| lower.contains(set)) || !lower.contains('.')
}

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

impl Palette {
    /// With colours: the nearest of the 256 indexed ones, which far more terminals (and tmux) know than true colour; on
    /// a light background darker shades of the same hues.
    pub(crate) fn colours(light: bool) -> Self {
        let [green, orange, vermillion, blue] = match light {
            false => [36, 214, 202, 74],
            true => [29, 130, 166, 25],
        };
        let colour = |index| Style::new().fg(Color::Indexed(index));
        Self {
            good: colour(green),
            warn: colour(orange),
            bad: colour(vermillion).add_modifier(Modifier::BOLD),
            validator: colour(blue),
            series: colour(blue),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_background_and_the_character_set_are_read_from_what_terminals_set() {
        assert!(is_light("0;15") && is_light("0;default;7"));
        assert!(!is_light("15;0") && !is_light("") && !is_light("7;8"));
        assert!(is_unicode("en_US.UTF-8") && is_unicode("C.utf8") && is_unicode("C"));
        assert!(!is_unicode("de_DE.ISO-8859-1"));
    }
}
