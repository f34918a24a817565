//! The keys, and what the columns mean.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::Line,
    widgets::{Block, Clear, Paragraph},
};

use super::Palette;

const TEXT: [&str; 19] = [
    "q, Ctrl-C       leave              ↑ ↓ j k     select a neuron",
    "Tab, ← → h l    next pane          g G         first, last neuron",
    "PgUp PgDn       scroll the pane    J K         scroll by one line",
    "s               order by uid, emission, fault  ? Esc       close help",
    "",
    "R        V validator, M miner",
    "INC %    share of all incentive (miners), by the last epoch",
    "DIV %    share of all dividends (validators), by the last epoch",
    "EMIT τ   what the last epoch paid, in TAO",
    "FID      fidelity: how close the answers' model is to the teacher",
    "COR      correctness on tasks with a known answer",
    "SRV      service: answers in time, as the validator measured",
    "FAULT    an accusation with evidence (see Detail), ok, or - for no",
    "         grade. wrong ckpt: answers are not by the committed model;",
    "         copy: the model is another miner's, committed earlier;",
    "         degenerate: loops or never ends; bad files: the model fails",
    "         its own hashes or limits; no commit: no model committed",
    "Grades shown are by the grader with the most stake; a local subnet",
    "knows every BEHAVIOUR, validators do not.",
];

pub(super) fn render(frame: &mut Frame<'_>, area: Rect, palette: &Palette) {
    let rows = u16::try_from(TEXT.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let popup = area.centered(Constraint::Length(76), Constraint::Length(rows));
    let block = Block::bordered().title(Line::styled(" Help ", palette.heading));
    let lines: Vec<_> = TEXT
        .iter()
        .map(|line| Line::raw(format!(" {line}")))
        .collect();
    // The table and the panes would show through at the edges of a narrow terminal.
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), popup);
}
