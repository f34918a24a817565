//! From state to cells: pure, without effects; the same state and screen give the same frame.

mod detail;
mod distillation;
mod footer;
mod header;
mod help;
mod log;
mod neurons;
mod palette;
mod text;

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Block, Borders, Padding, Paragraph, Wrap},
};

pub(crate) use palette::Palette;

use crate::state::{Connection, Pane, Screen, State};

/// Smallest terminal that everything is laid out for.
const MIN_SIZE: (u16, u16) = (80, 24);
/// From this size on all panes are shown at once.
const WIDE_SIZE: (u16, u16) = (120, 34);
/// Rows that the panes get at least.
const PANE_ROWS: u16 = 10;
/// Rows that the panes get at least where all are shown.
const PANES_ROWS: u16 = 20;

/// Draws everything.
pub(crate) fn render(frame: &mut Frame<'_>, state: &State, screen: &Screen, palette: &Palette) {
    let area = frame.area();
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        return too_small(frame, area);
    }
    let [header, body, footer] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header::render(frame, header, state, palette);
    footer::render(frame, footer, screen, palette);
    if state.chain.is_none() {
        waiting(frame, body, state, palette);
    } else {
        neurons_and_panes(frame, body, state, screen, palette);
    }
    if screen.help {
        help::render(frame, body, palette);
    }
}

fn neurons_and_panes(
    frame: &mut Frame<'_>,
    body: Rect,
    state: &State,
    screen: &Screen,
    palette: &Palette,
) {
    let rows = state.rows(screen.sort);
    let hotkeys: Vec<_> = rows.iter().map(|row| row.neuron.hotkey).collect();
    let selected = screen.selected_row(&hotkeys);
    let wide = body.width >= WIDE_SIZE.0 && body.height + 3 >= WIDE_SIZE.1;
    let least = if wide { PANES_ROWS } else { PANE_ROWS };
    let wanted = u16::try_from(rows.len())
        .unwrap_or(u16::MAX)
        .saturating_add(1);
    let table_rows = wanted.clamp(4, body.height.saturating_sub(least).max(4));
    let [table, panes] =
        Layout::vertical([Constraint::Length(table_rows), Constraint::Fill(1)]).areas(body);
    neurons::render(frame, table, &rows, selected, palette);
    let row = selected.and_then(|at| rows.get(at));
    let draw = |frame: &mut Frame<'_>, area, pane| {
        let scroll = if screen.pane == pane {
            screen.scroll
        } else {
            0
        };
        match pane {
            Pane::Detail => detail::render(frame, area, state, row, scroll, palette),
            Pane::Distillation => distillation::render(frame, area, state, scroll, palette),
            Pane::Log => log::render(frame, area, state, scroll, palette),
        }
    };
    if !wide {
        let titles = Pane::ALL
            .iter()
            .flat_map(|pane| [title(*pane, screen, palette), Span::raw("─")]);
        let block = Block::new()
            .borders(Borders::TOP)
            .padding(Padding::left(1))
            .title(Line::from_iter(titles));
        let inner = block.inner(panes);
        frame.render_widget(block, panes);
        return draw(frame, inner, screen.pane);
    }
    let [upper, log] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(panes);
    let [detail, distillation] =
        Layout::horizontal([Constraint::Fill(11), Constraint::Fill(9)]).areas(upper);
    for (pane, area) in [
        (Pane::Detail, detail),
        (Pane::Distillation, distillation),
        (Pane::Log, log),
    ] {
        let sides = if pane == Pane::Distillation {
            Borders::TOP | Borders::LEFT
        } else {
            Borders::TOP
        };
        let block = Block::new()
            .borders(sides)
            .padding(Padding::left(1))
            .title(title(pane, screen, palette));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        draw(frame, inner, pane);
    }
}

/// Brackets mark the active pane, so that it shows without colour.
fn title(pane: Pane, screen: &Screen, palette: &Palette) -> Span<'static> {
    if pane == screen.pane {
        Span::styled(format!("[{}]", pane.name()), palette.active)
    } else {
        Span::styled(format!(" {} ", pane.name()), palette.dim)
    }
}

fn waiting(frame: &mut Frame<'_>, area: Rect, state: &State, palette: &Palette) {
    let mut lines = vec![
        Line::raw(""),
        Line::raw(format!("Waiting for the chain at {} …", state.network)),
    ];
    if let Connection::Lost { reason, since } = state.connection() {
        lines.push(Line::raw(""));
        lines.push(Line::styled(reason, palette.bad));
        lines.push(Line::raw(""));
        lines.push(Line::raw(format!(
            "Still trying after {}. Press q to leave.",
            text::duration(since)
        )));
    }
    frame.render_widget(
        Paragraph::new(lines)
            .alignment(Alignment::Center)
            .wrap(Wrap { trim: true }),
        area,
    );
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let lines = [
        format!(
            "This terminal has {} columns and {} rows.",
            area.width, area.height
        ),
        format!("Enlarge it to {} x {}, or run", MIN_SIZE.0, MIN_SIZE.1),
        "athanor-tui --once. Press q to leave.".to_owned(),
    ];
    let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

#[cfg(test)]
mod tests;
