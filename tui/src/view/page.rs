//! A page of text: lines in one column or two, scrolled together, and titles over them.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Palette, Seen};

/// From this width on a page has two columns.
const TWO_COLUMNS: u16 = 132;

/// Columns that each of the page's columns has.
pub(super) fn width(area: Rect) -> usize {
    usize::from(match area.width >= TWO_COLUMNS {
        true => area.width / 2 - 2,
        false => area.width - 1,
    })
}

/// Draws two texts beside each other where there is room, else one beneath the other.
pub(super) fn render(
    frame: &mut Frame<'_>,
    area: Rect,
    mut left: Vec<Line<'static>>,
    right: Vec<Line<'static>>,
    scroll: u16,
    seen: &mut Seen,
) {
    let height = area.height;
    let rest = |lines: usize| {
        u16::try_from(lines)
            .unwrap_or(u16::MAX)
            .saturating_sub(height)
    };
    if area.width >= TWO_COLUMNS {
        let most = rest(left.len().max(right.len()));
        let [first, second] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
        let scroll = scroll.min(most);
        frame.render_widget(Paragraph::new(left).scroll((scroll, 0)), inset(first));
        frame.render_widget(Paragraph::new(right).scroll((scroll, 0)), inset(second));
        seen.room.scroll = most;
    } else {
        left.extend(right);
        let most = rest(left.len());
        frame.render_widget(
            Paragraph::new(left).scroll((scroll.min(most), 0)),
            inset(area),
        );
        seen.room.scroll = most;
    }
    seen.room.rows = height;
}

fn inset(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    }
}

/// A title with a rule behind it.
pub(super) fn title(text: &str, width: usize, palette: &Palette) -> Line<'static> {
    let rule = width.saturating_sub(text.chars().count() + 1);
    Line::from(vec![
        Span::styled(text.to_owned(), palette.heading),
        Span::styled(format!(" {}", "─".repeat(rule)), palette.dim),
    ])
}

/// Text broken between words into lines of at most `width` columns; the later ones are indented.
pub(super) fn wrapped(text: &str, width: usize, indent: usize, style: Style) -> Vec<Line<'static>> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(std::mem::take(&mut line));
            line.push_str(&" ".repeat(indent));
            used = indent;
            line.push_str(word);
            used += length;
            continue;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines.push(line);
    lines
        .into_iter()
        .map(|line| Line::styled(line, style))
        .collect()
}
