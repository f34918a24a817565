//! What happened, newest at the bottom.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Palette, text};
use crate::state::{Kind, State};

pub(super) fn render(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    scroll: u16,
    palette: &Palette,
) {
    let height = usize::from(area.height);
    let lines = state.log.lines();
    if lines.len() == 0 {
        return frame.render_widget(Paragraph::new("Nothing has happened yet."), area);
    }
    // Scrolled back to the very first line there is still a full page to see.
    let back = usize::from(scroll).min(lines.len().saturating_sub(height));
    let mut shown: Vec<_> = lines
        .rev()
        .skip(back)
        .take(height)
        .map(|line| draw(line, area.width, palette))
        .collect();
    shown.reverse();
    frame.render_widget(Paragraph::new(shown), area);
}

fn draw(line: &crate::state::Line, width: u16, palette: &Palette) -> Line<'static> {
    let (tag, style) = match line.kind {
        Kind::Chain => ("chain", Style::new()),
        Kind::Grade => ("grade", Style::new()),
        Kind::Fault => ("FAULT", palette.bad),
        Kind::Weights => ("votes", palette.validator),
        Kind::Training => ("train", palette.good),
        Kind::Warning => ("WARN ", palette.warn),
    };
    let block = line.block.map_or("-".to_owned(), |block| block.to_string());
    let lead = format!("#{block:<6} ");
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
        Span::raw(text::cut(&line.text, room)),
        Span::raw(times),
    ])
}
