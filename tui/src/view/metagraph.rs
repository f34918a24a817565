//! All neurons as a table that is sorted, filtered and searched, with the reasons of the selected one beneath.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph},
};

use super::{Canvas, Seen, columns, page, text};
use crate::state::{Column, NeuronRow, Prompt, explain};

/// From this width on columns have room for whole words.
const WIDE: usize = 130;
/// Rows of the reasons.
const REASONS: u16 = 4;

pub(super) fn render(canvas: &Canvas<'_>, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
    let [head, table, reasons] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(REASONS),
    ])
    .areas(area);
    let screen = canvas.screen;
    let rows = canvas
        .state
        .rows(screen.order, screen.filter, &screen.search);
    let hotkeys: Vec<_> = rows.iter().map(|row| row.neuron.hotkey).collect();
    let selected = screen.selected_row(&hotkeys);
    frame.render_widget(Paragraph::new(canvas.asked(rows.len())), head);
    canvas.table(frame, table, &rows, selected, seen);
    let row = selected.and_then(|at| rows.get(at));
    frame.render_widget(Paragraph::new(canvas.reasons(row, reasons)), reasons);
    if let Some(choosing) = screen.choosing {
        canvas.chooser(frame, area, choosing);
    }
}

impl Canvas<'_> {
    /// What the table was asked to show.
    fn asked(&self, shown: usize) -> Line<'static> {
        let screen = self.screen;
        let all = self
            .state
            .chain
            .as_ref()
            .map_or(0, |chain| chain.metagraph.neurons.len());
        let mut spans = vec![Span::styled(
            format!(
                " {shown} of {all} neurons  order: {}{}  filter: {}",
                screen.order.by.name(),
                if screen.order.reversed {
                    " reversed"
                } else {
                    ""
                },
                screen.filter.name()
            ),
            self.palette.dim,
        )];
        if screen.prompt == Some(Prompt::Search) || !screen.search.is_empty() {
            spans.push(Span::styled(
                format!("  search: {}", screen.search),
                self.palette.active,
            ));
        }
        Line::from(spans)
    }

    fn table(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        rows: &[NeuronRow<'_>],
        selected: Option<usize>,
        seen: &mut Seen,
    ) {
        let width = usize::from(area.width).saturating_sub(1);
        let wide = width >= WIDE;
        let labels = self.state.unmasked && !self.state.labels.is_empty();
        let fitting = self.fitting(width, labels);
        let mut x = area.x + 1;
        let mut heads = vec![Span::raw(" ")];
        for column in &fitting {
            let (name, columns) = columns::shape(*column, wide);
            heads.push(Span::styled(
                padded(*column, name, columns),
                self.palette.heading,
            ));
            let place = u16::try_from(columns + 1).unwrap_or(u16::MAX);
            if let Some(sort) = columns::order(*column) {
                seen.heads.push((Rect::new(x, area.y, place, 1), sort));
            }
            x = x.saturating_add(place);
        }
        let mut lines = vec![Line::from(heads)];
        let room = usize::from(area.height).saturating_sub(1);
        let first = text::first_row(selected.unwrap_or(0), room, rows.len());
        for (at, row) in rows.iter().enumerate().skip(first).take(room) {
            lines.push(self.line(row, &fitting, wide, selected == Some(at)));
        }
        if rows.is_empty() {
            let text =
                " Nobody is found: Esc clears the search, f changes the filter, r puts all back.";
            lines.push(Line::styled(text, self.palette.dim));
        }
        seen.list = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        };
        seen.selected = selected.map(|at| at - first);
        seen.room.rows = u16::try_from(room).unwrap_or(u16::MAX);
        seen.room.first = first;
        frame.render_widget(Paragraph::new(lines), area);
    }

    fn line(
        &self,
        row: &NeuronRow<'_>,
        fitting: &[Column],
        wide: bool,
        selected: bool,
    ) -> Line<'static> {
        let mut spans = vec![Span::raw(if selected { "›" } else { " " })];
        for column in fitting {
            let (text, style) = self.cell(*column, row, wide);
            let text = padded(*column, &text, columns::shape(*column, wide).1);
            spans.push(Span::styled(text, style.unwrap_or_else(Style::new)));
        }
        let line = Line::from(spans);
        match selected {
            true => line.style(self.palette.selected),
            false => line,
        }
    }

    fn reasons(&self, row: Option<&NeuronRow<'_>>, area: Rect) -> Vec<Line<'static>> {
        let width = usize::from(area.width).saturating_sub(2);
        let Some(row) = row else {
            return Vec::new();
        };
        let name = self.state.name(&row.neuron.hotkey);
        let mut lines = vec![page::title(
            &format!("Why: {name} (Enter for more)"),
            width,
            self.palette,
        )];
        for cause in explain(self.state, row.neuron) {
            let style = self.cause(&cause);
            let text = self.state.named(&cause.to_string());
            lines.extend(page::wrapped(&text, width, 2, style));
        }
        lines.truncate(area.height.into());
        lines
    }

    fn chooser(&self, frame: &mut Frame<'_>, area: Rect, choosing: usize) {
        let rows = u16::try_from(Column::ALL.len() + 2).unwrap_or(u16::MAX);
        let popup = area.centered(Constraint::Length(66), Constraint::Length(rows));
        let block = Block::bordered().title(" Columns: Enter shows or hides, Esc is done ");
        let inner = block.inner(popup);
        let room = usize::from(inner.height);
        let first = text::first_row(choosing, room, Column::ALL.len());
        let lines: Vec<_> = Column::ALL
            .iter()
            .enumerate()
            .skip(first)
            .take(room)
            .map(|(at, column)| {
                let shown = if self.screen.columns.contains(column) {
                    'x'
                } else {
                    ' '
                };
                let name = columns::shape(*column, true).0;
                let line = Line::raw(format!(" [{shown}] {name:<10} {}", column.meaning()));
                match at == choosing {
                    true => line.style(self.palette.selected),
                    false => line,
                }
            })
            .collect();
        frame.render_widget(Clear, popup);
        frame.render_widget(block, popup);
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

/// The text of a cell and the gap behind it.
fn padded(column: Column, text: &str, width: usize) -> String {
    match columns::is_number(column) {
        true => format!("{text:>width$} "),
        false => format!("{text:<width$} "),
    }
}
