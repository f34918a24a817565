//! What happened, newest at the bottom.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Canvas, Seen, page, text};
use crate::state::{Kind, Prompt};

/// Rows of the selected line in full.
const WHOLE: u16 = 4;

pub(super) fn render(canvas: &Canvas<'_>, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
    let [head, list, whole] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(WHOLE),
    ])
    .areas(area);
    let screen = canvas.screen;
    let found = canvas.state.log.found(screen.kind, &screen.search);
    let mut spans = vec![Span::styled(
        format!(
            " {} lines  kind: {} (f)",
            found.len(),
            screen.kind.map_or("all", Kind::name)
        ),
        canvas.palette.dim,
    )];
    if screen.prompt == Some(Prompt::Search) || !screen.search.is_empty() {
        spans.push(Span::styled(
            format!("  search: {}", screen.search),
            canvas.palette.active,
        ));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), head);
    if found.is_empty() {
        return frame.render_widget(
            Paragraph::new(" Nothing of the kind has happened yet."),
            list,
        );
    }
    let room = usize::from(list.height);
    let selected = found.len().saturating_sub(screen.row() + 1);
    let first = match screen.row() {
        // The newest lines stay in sight as they come.
        0 => found.len().saturating_sub(room),
        _ => text::first_row(selected, room, found.len()),
    };
    let lines: Vec<_> = found
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(at, line)| {
            let drawn = canvas.line_of(line, list.width);
            match at == selected {
                true => drawn.style(canvas.palette.selected),
                false => drawn,
            }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), list);
    let width = usize::from(area.width).saturating_sub(2);
    let mut lines = vec![page::title(
        "The selected line (Enter: whom it is about)",
        width,
        canvas.palette,
    )];
    let text = canvas.state.named(&found[selected].text);
    lines.extend(page::wrapped(&text, width, 0, Style::new()));
    lines.truncate(WHOLE.into());
    frame.render_widget(Paragraph::new(lines), whole);
    seen.room.rows = list.height;
}

impl Canvas<'_> {
    /// A line of the log, cut to `width`.
    pub(super) fn line_of(&self, line: &crate::state::Line, width: u16) -> Line<'static> {
        let palette = self.palette;
        let (tag, style) = match line.kind {
            Kind::Chain => ("chain", Style::new()),
            Kind::Grade => ("grade", Style::new()),
            Kind::Fault => ("FAULT", palette.bad),
            Kind::Weights => ("votes", palette.validator),
            Kind::Training => ("train", palette.good),
            Kind::Warning => ("WARN ", palette.warn),
        };
        let block = line.block.map_or("-".to_owned(), |block| block.to_string());
        let lead = format!(" #{block:<6} ");
        let times = if line.times > 1 {
            format!(" (×{})", line.times)
        } else {
            String::new()
        };
        let room = usize::from(width)
            .saturating_sub(lead.chars().count() + tag.len() + 1 + times.chars().count());
        Line::from(vec![
            Span::styled(lead, palette.dim),
            Span::styled(format!("{tag} "), style),
            Span::raw(text::cut(&self.state.named(&line.text), room)),
            Span::raw(times),
        ])
    }
}
