//! One line at the bottom: the keys.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::Palette;
use crate::state::Screen;

pub(super) fn render(frame: &mut Frame<'_>, area: Rect, screen: &Screen, palette: &Palette) {
    let order = format!("order: {}", screen.sort.name());
    let keys = [
        ("q", "quit"),
        ("↑↓ jk", "select"),
        ("Tab", "pane"),
        ("PgUp PgDn", "scroll"),
        ("s", &order),
        ("?", "help"),
    ];
    let spans = keys.iter().flat_map(|(key, meaning)| {
        [
            Span::styled(format!(" {key}"), palette.heading),
            Span::styled(format!(" {meaning} "), palette.dim),
        ]
    });
    frame.render_widget(Paragraph::new(Line::from_iter(spans)), area);
}
