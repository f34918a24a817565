//! Who works together, or is one: pairs of models, copied weights, groups of validators, each with its p-value.

use athanor_scoring::collusion::weight_copying::MIN_EPOCHS;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Canvas, Seen, page, text};
use crate::state::{Suspect, suspects};

/// Rows of what the selected finding means.
const MEANING: u16 = 6;

pub(super) fn render(canvas: &Canvas<'_>, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
    let found = suspects(canvas.state);
    let [list, meaning] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(MEANING)]).areas(area);
    let width = usize::from(area.width).saturating_sub(1);
    let selected = canvas.screen.row().min(found.len().saturating_sub(1));
    let mut lines = vec![Line::styled(
        format!("  {:<13}{:<25}{:>11}  VERDICT", "KIND", "WHO", "p"),
        canvas.palette.heading,
    )];
    let room = usize::from(list.height).saturating_sub(1);
    let first = text::first_row(selected, room, found.len());
    for (at, suspect) in found.iter().enumerate().skip(first).take(room) {
        lines.push(canvas.suspect(suspect, at == selected));
    }
    if found.is_empty() {
        let text = "Nothing yet: no two checkpoints are equal, no validator told of models that resemble each other, and \
                    tests of the votes need two epochs.";
        lines.extend(page::wrapped(text, width, 0, canvas.palette.dim));
    }
    frame.render_widget(Paragraph::new(lines), list);
    frame.render_widget(
        Paragraph::new(canvas.meaning(found.get(selected), width)),
        meaning,
    );
    seen.list = Rect {
        y: list.y + 1,
        height: list.height.saturating_sub(1),
        ..list
    };
    seen.selected = (!found.is_empty()).then_some(selected - first.min(selected));
    seen.room.rows = u16::try_from(room).unwrap_or(u16::MAX);
    seen.room.first = first;
}

impl Canvas<'_> {
    fn suspect(&self, suspect: &Suspect, selected: bool) -> Line<'static> {
        let name = |hotkey| self.state.name(hotkey);
        let (kind, who, p, verdict, style): (&str, String, String, String, Style) = match suspect {
            Suspect::Identical { later, earlier, .. } => (
                "same model",
                format!("{} = {}", name(later), name(earlier)),
                "exact".to_owned(),
                "one class: the earlier is paid".to_owned(),
                self.palette.bad,
            ),
            Suspect::Copy { later, .. } => (
                "copy",
                name(later),
                "exact".to_owned(),
                "unpaid: another was first".to_owned(),
                self.palette.bad,
            ),
            Suspect::Near {
                later,
                earlier,
                found,
            } => (
                "near models",
                format!("{} ~ {}", name(later), name(earlier)),
                match found.p_bound {
                    Some(bound) => format!("<= {}", text::scientific(bound)),
                    None => format!(">= {}", text::scientific(found.p_smallest)),
                },
                match found.verdict.as_str() {
                    "same_class" => "as if they were one".to_owned(),
                    "similar" => "too few to be sure".to_owned(),
                    other => other.to_owned(),
                },
                self.palette.warn,
            ),
            Suspect::SharedMachine { found, .. } => (
                "one machine",
                format!("{} & {}", name(&found.a), name(&found.b)),
                format!("e {}", text::scientific(found.e_value)),
                match found.rejected {
                    true => "they share a machine".to_owned(),
                    false => "not enough to tell".to_owned(),
                },
                if found.rejected {
                    self.palette.bad
                } else {
                    self.palette.dim
                },
            ),
            Suspect::Coupled { found, .. } => (
                "slow at once",
                format!("{} & {}", name(&found.a), name(&found.b)),
                text::scientific(found.p_value),
                format!("a screen only (r {:+.2})", found.correlation),
                self.palette.dim,
            ),
            Suspect::Copies(found) => {
                let (standing, style) = self.standing_of(found.standing);
                (
                    "weights",
                    name(&found.validator),
                    text::scientific(found.p_value),
                    format!("{standing} (r {:+.2})", found.correlation),
                    style,
                )
            }
            Suspect::Together(group) => (
                "group",
                format!(
                    "{} validators, {} miners",
                    group.validators.len(),
                    group.miners.len()
                ),
                text::scientific(group.p_value),
                match group.p_value <= 0.05 {
                    true => "they lift the same miners".to_owned(),
                    false => "as close as chance".to_owned(),
                },
                if group.p_value <= 0.05 {
                    self.palette.warn
                } else {
                    self.palette.dim
                },
            ),
        };
        let mark = if selected { '›' } else { ' ' };
        let line = Line::from(vec![
            Span::raw(format!(
                "{mark} {kind:<13}{:<25}{p:>11}  ",
                text::cut(&who, 24)
            )),
            Span::styled(verdict, style),
        ]);
        match selected {
            true => line.style(self.palette.selected),
            false => line,
        }
    }

    /// What the selected finding is, on what it rests, and what follows.
    fn meaning(&self, suspect: Option<&Suspect>, width: usize) -> Vec<Line<'static>> {
        let mut lines = vec![page::title("What it rests on", width, self.palette)];
        let findings = &self.state.findings;
        let text = match suspect {
            None => format!(
                "Votes seen: {} validators over {} pairs of epochs; copied weights show from {MIN_EPOCHS} on, groups among \
                 at least four validators and four miners.",
                findings.validators, findings.epochs
            ),
            Some(Suspect::Identical {
                later,
                earlier,
                checkpoint,
                blocks,
            }) => format!(
                "{} committed to {} in block {}, {} in block {}. Equal digests are equal files, so no test is needed.",
                self.state.name(later),
                checkpoint.short(),
                blocks.0,
                self.state.name(earlier),
                blocks.1
            ),
            Some(Suspect::Copy { evidence, .. }) => self.state.named(evidence),
            Some(Suspect::Near {
                later,
                earlier,
                found,
            }) => format!(
                "{} committed its model later{}. {} measured {:.4} nats between their log-probabilities{}. Null: \
                 independently distilled students, whose sample alone cannot give p below {} (what is below is the fitted \
                 tail's). Who goes on with another's model is accused of a copy.",
                self.state.name(later),
                match self.state.peers.accused.contains(earlier) {
                    true => format!(
                        "; {} is accused itself (Overview)",
                        self.state.name(earlier)
                    ),
                    false => String::new(),
                },
                self.state.name(&found.by),
                found.behaviour,
                [
                    found
                        .weights
                        .map(|it| format!(", {it:.3} between their weights")),
                    found.shared.map(|it| format!(
                        ", and {it:+.2} of what they have of their own beside the teacher in common"
                    )),
                ]
                .into_iter()
                .flatten()
                .collect::<String>(),
                text::scientific(found.p_smallest)
            ),
            Some(Suspect::SharedMachine { by, found }) => format!(
                "{} loaded both at once: their log-rates change by {:+.2} (-0.69 is a halving). Null: they have nothing to do \
                 with each other; the e-value is the product over all load probes, the correction e-BH over all pairs.",
                self.state.name(by),
                found.log_rate_change
            ),
            Some(Suspect::Coupled { by, found }) => format!(
                "{} finds the times of the two correlated by {:+.2} beyond what region, prompt and hour explain. Null: circular \
                 shifts of one against the other. It accuses nobody.",
                self.state.name(by),
                found.correlation
            ),
            Some(Suspect::Copies(found)) => format!(
                "Innovations correlate by {:+.2} ({:+.2} to {:+.2}) over {} epochs; null: at least half as much as the median \
                 validator's; Benjamini-Yekutieli at 5 %. Shown, never paid by.",
                found.correlation, found.interval.0, found.interval.1, findings.epochs
            ),
            Some(Suspect::Together(group)) => {
                let validators: Vec<_> = group
                    .validators
                    .iter()
                    .map(|it| self.state.name(it))
                    .collect();
                let miners: Vec<_> = group
                    .miners
                    .iter()
                    .map(|uid| self.validator_name(*uid))
                    .collect();
                format!(
                    "{} lift {}. Null: who lifts whom is exchangeable; p by permutation, at least {}. One epoch: shown, \
                     never paid by.",
                    validators.join(", "),
                    miners.join(", "),
                    text::scientific(group.p_smallest)
                )
            }
        };
        lines.extend(page::wrapped(&text, width, 0, Style::new()));
        lines.truncate(usize::from(MEANING));
        lines
    }
}
