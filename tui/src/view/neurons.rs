//! The table of neurons.

use athanor_spec::telemetry::GradeSummary;
use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Rect},
    style::Style,
    text::Line,
    widgets::{Cell, Row, Table, TableState},
};

use super::{Palette, text};
use crate::{
    state::{NeuronRow, short},
    table::Role,
};

/// One column: its heading, its width and whether it holds a number.
struct Column {
    name: &'static str,
    width: u16,
    number: bool,
    show: Show,
}

/// What a column shows.
#[derive(Clone, Copy)]
enum Show {
    Uid,
    Role,
    Hotkey,
    Behaviour,
    Stake,
    Incentive,
    Dividends,
    Emission,
    Axis(fn(&GradeSummary) -> f64),
    Checkpoint,
    Fault,
}

const fn number(name: &'static str, width: u16, show: Show) -> Column {
    Column {
        name,
        width,
        number: true,
        show,
    }
}

const fn word(name: &'static str, width: u16, show: Show) -> Column {
    Column {
        name,
        width,
        number: false,
        show,
    }
}

/// Columns between two columns, and of the mark of the selected row.
const SPACING: u16 = 1;

fn columns(width: u16, labels: bool) -> Vec<Column> {
    let wide = width >= 110;
    let mut columns = vec![
        number("UID", 3, Show::Uid),
        word("R", 1, Show::Role),
        word("HOTKEY", 8, Show::Hotkey),
    ];
    if labels {
        columns.push(word(
            "BEHAVIOUR",
            if wide { 18 } else { 10 },
            Show::Behaviour,
        ));
    }
    columns.push(number("STAKE", 7, Show::Stake));
    columns.push(number("INC %", 5, Show::Incentive));
    columns.push(number("DIV %", 5, Show::Dividends));
    columns.push(number(
        if wide { "EMISSION TAO" } else { "EMIT τ" },
        if wide { 12 } else { 7 },
        Show::Emission,
    ));
    columns.push(number("FID", 4, Show::Axis(|grade| grade.fidelity)));
    columns.push(number("COR", 4, Show::Axis(|grade| grade.correctness)));
    columns.push(number("SRV", 4, Show::Axis(|grade| grade.service)));
    if wide {
        columns.push(number("PAID Q", 6, Show::Axis(|grade| grade.quality_low)));
        columns.push(word("CHECKPT", 8, Show::Checkpoint));
    }
    columns.push(word("FAULT", 10, Show::Fault));
    columns
}

pub(super) fn render(
    frame: &mut Frame<'_>,
    area: Rect,
    rows: &[NeuronRow<'_>],
    selected: Option<usize>,
    palette: &Palette,
) {
    let columns = columns(area.width, rows.iter().any(|row| row.label.is_some()));
    let heads = columns
        .iter()
        .map(|column| cell(column, column.name.to_owned(), palette.heading));
    let body = rows.iter().map(|row| {
        let style = if row.role == Role::Validator {
            palette.validator
        } else {
            Style::new()
        };
        let cells = columns.iter().map(|column| {
            let (value, style) = show(column, row, style, palette);
            cell(column, value, style)
        });
        Row::new(cells.collect::<Vec<_>>())
    });
    let widths = columns.iter().map(|column| match column.show {
        Show::Fault => Constraint::Min(column.width),
        _ => Constraint::Length(column.width),
    });
    let table = Table::new(body.collect::<Vec<_>>(), widths)
        .header(Row::new(heads.collect::<Vec<_>>()))
        .column_spacing(SPACING)
        .row_highlight_style(palette.selected)
        .highlight_symbol("›");
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(selected));
}

fn cell(column: &Column, text: String, style: Style) -> Cell<'static> {
    let alignment = if column.number {
        Alignment::Right
    } else {
        Alignment::Left
    };
    Cell::new(Line::styled(text, style).alignment(alignment))
}

fn show(column: &Column, row: &NeuronRow<'_>, style: Style, palette: &Palette) -> (String, Style) {
    let neuron = row.neuron;
    let miner = row.role == Role::Miner;
    let value = match column.show {
        Show::Uid => neuron.uid.to_string(),
        Show::Role => row.role.letter().to_string(),
        Show::Hotkey => short(&neuron.hotkey),
        Show::Behaviour => text::cut(row.label.unwrap_or("-"), column.width.into()),
        Show::Stake => text::amount(neuron.stake, column.width.into()),
        Show::Incentive => text::percent(neuron.incentive),
        Show::Dividends => text::percent(neuron.dividends),
        Show::Emission => text::amount(neuron.emission, column.width.into()),
        Show::Axis(read) => match &row.verdict {
            Some(verdict) if miner => text::unit(read(verdict.grade)),
            _ => "-".to_owned(),
        },
        Show::Checkpoint => {
            let committed = neuron
                .commitment
                .and_then(|(record, _)| record.checkpoint());
            committed.map_or("-".to_owned(), |digest| digest.short())
        }
        Show::Fault => {
            return match row.verdict.as_ref().map(|verdict| verdict.fault) {
                Some(Some(fault)) => (text::fault(&fault.kind), palette.bad),
                Some(None) => ("ok".to_owned(), palette.good),
                None => ("-".to_owned(), palette.dim),
            };
        }
    };
    (value, style)
}
