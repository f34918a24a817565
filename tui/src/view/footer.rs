//! One line at the bottom: what is being typed, what came of the last key, else the keys.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Palette, text};
use crate::state::{Prompt, Screen, State, View};

pub(super) fn render(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    screen: &Screen,
    replayed: bool,
    palette: &Palette,
) {
    let width = usize::from(area.width);
    let line = match (&screen.prompt, &screen.notice) {
        (Some(Prompt::Search), _) => Line::styled(
            format!(
                " look for: {}_   Enter keeps it, Esc clears it",
                screen.search
            ),
            palette.active,
        ),
        (Some(Prompt::Export(path)), _) => Line::styled(
            format!(" write to: {path}_   .txt, .csv or .json; Enter writes, Esc does not"),
            palette.active,
        ),
        (None, Some(notice)) => {
            Line::styled(text::cut(&format!(" {notice}"), width), palette.heading)
        }
        (None, None) => keys(state, screen.view, replayed, palette, width),
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn keys(
    state: &State,
    view: View,
    replayed: bool,
    palette: &Palette,
    width: usize,
) -> Line<'static> {
    let mut keys: Vec<(&str, &str)> = vec![("?", "help"), ("q", "quit"), ("Tab", "screen")];
    keys.extend_from_slice(match view {
        View::Overview if !state.labels.is_empty() => {
            &[("jk", "select"), ("Enter", "why"), ("u", "who is what")]
        }
        View::Overview => &[("jk", "select"), ("Enter", "why"), ("Esc", "back")],
        View::Metagraph => &[
            ("jk", "select"),
            ("Enter", "why"),
            ("s", "sort"),
            ("f", "filter"),
            ("/", "search"),
            ("c", "columns"),
        ],
        View::Miner => &[
            ("jk", "scroll"),
            ("JK", "next, last"),
            ("Enter", "its judge"),
            ("Esc", "back"),
        ],
        View::Validator => &[("jk", "scroll"), ("JK", "next, last"), ("Esc", "back")],
        View::Rounds => &[
            ("jk", "select"),
            ("Enter", "why"),
            ("/", "search"),
            ("Esc", "back"),
        ],
        View::Collusion => &[("jk", "select"), ("Enter", "whom"), ("Esc", "back")],
        View::Chain => &[
            ("jk", "select"),
            ("← →", "what if"),
            ("r", "reset"),
            ("Esc", "back"),
        ],
        View::Log => &[
            ("jk", "select"),
            ("Enter", "whom"),
            ("f", "kind"),
            ("/", "search"),
        ],
    });
    if replayed {
        keys.extend([("p", "pause"), ("< >", "speed"), ("[ ]", "10 s")]);
    }
    keys.extend([("y", "copy"), ("e", "export")]);
    let mut used = 0;
    let spans = keys.into_iter().take_while(|(key, meaning)| {
        used += key.chars().count() + meaning.chars().count() + 3;
        used <= width
    });
    let spans = spans.flat_map(|(key, meaning)| {
        [
            Span::styled(format!(" {key}"), palette.heading),
            Span::styled(format!(" {meaning} "), palette.dim),
        ]
    });
    Line::from_iter(spans)
}
