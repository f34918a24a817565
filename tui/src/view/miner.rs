//! One miner: why it is paid what it is, with everything that the answer rests on.

use std::time::Duration;

use athanor_spec::{Hotkey, telemetry::GradeSummary};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Canvas, Seen, chart, page, text};
use crate::{
    state::{Cause, Miner, NeuronRow, Track, explain, shares},
    table::{Role, tao},
};

/// Columns of a name.
const NAME: usize = 12;

pub(super) fn render(canvas: &Canvas<'_>, frame: &mut Frame<'_>, area: Rect, seen: &mut Seen) {
    let subject = canvas.screen.subject(canvas.state);
    let Some(neuron) = subject.and_then(|hotkey| canvas.state.neuron(&hotkey)) else {
        return frame.render_widget(Paragraph::new(" The subnet has no miner yet."), area);
    };
    let row = canvas.state.row(neuron);
    let known = canvas.state.peers.miners.get(&neuron.hotkey);
    let width = page::width(area);
    let mut left = canvas.identity(&row, width);
    left.extend(canvas.why(&row, width));
    left.extend(canvas.arithmetic(&row, width));
    left.extend(canvas.judges(&row, width));
    let mut right = Vec::new();
    match known {
        Some(known) => {
            right.extend(canvas.axes(known, width));
            right.extend(canvas.latency(known, width));
            right.extend(canvas.audit(&row, known, width));
        }
        None => {
            let text = "No validator's events tell of this miner: grades, times and evidence are not on chain. \
                        See --events in --help.";
            right.extend(page::wrapped(text, width, 0, canvas.palette.dim));
        }
    }
    right.extend(canvas.lineage(&row, known, width));
    page::render(frame, area, left, right, canvas.screen.scrolled(), seen);
}

impl Canvas<'_> {
    /// How a reason looks.
    pub(super) fn cause(&self, cause: &Cause) -> Style {
        match cause {
            Cause::Accused { .. } => self.palette.bad,
            Cause::Paid { .. } | Cause::Votes { .. } => self.palette.good,
            _ => self.palette.warn,
        }
    }

    pub(super) fn identity(&self, row: &NeuronRow<'_>, width: usize) -> Vec<Line<'static>> {
        let neuron = row.neuron;
        let (role, standing) = match row.role {
            Role::Validator => (
                "validator",
                format!("trust {}", text::share(neuron.validator_trust)),
            ),
            Role::Miner => (
                "miner",
                format!("consensus {}", text::share(neuron.consensus)),
            ),
        };
        let label = row
            .label
            .map_or(String::new(), |label| format!(" ({label})"));
        let name = format!("UID {} {role}{label}", neuron.uid);
        let axon = neuron
            .axon
            .map_or("no address".to_owned(), |axon| format!("serves at {axon}"));
        let mut lines = vec![page::title(&name, width, self.palette)];
        for fact in [
            format!("hotkey  {}", neuron.hotkey),
            format!("coldkey {}", neuron.coldkey),
            format!(
                "stake {} TAO, {standing}, registered in block {}, {axon}",
                tao(neuron.stake),
                neuron.registered_at
            ),
        ] {
            lines.extend(page::wrapped(&fact, width, 2, self.palette.dim));
        }
        lines
    }

    pub(super) fn why(&self, row: &NeuronRow<'_>, width: usize) -> Vec<Line<'static>> {
        let heading = match (row.role, row.neuron.incentive) {
            (Role::Miner, 0) => "Why its incentive is zero",
            (Role::Miner, _) => "Why its incentive is what it is",
            (Role::Validator, _) => "Why it is paid what it is",
        };
        let mut lines = vec![page::title(heading, width, self.palette)];
        for cause in explain(self.state, row.neuron) {
            let text = self.state.named(&cause.to_string());
            lines.extend(page::wrapped(&text, width, 2, self.cause(&cause)));
            if let Cause::Accused { fault, .. } = &cause
                && let Some(meaning) = text::meaning(&fault.kind)
            {
                let text = format!("{}: {meaning}", fault.kind);
                lines.extend(page::wrapped(&text, width, 2, self.palette.bad));
            }
        }
        let Some(track) = self.state.history.tracks.get(&row.neuron.hotkey) else {
            return lines;
        };
        if let Some((block, epoch)) = track.accused_since {
            let text = match self.lost(track) {
                Some(lost) => format!(
                    "accused since block {block} (epoch {epoch}); it lost {lost:.4} TAO since: what the median paid \
                     miner got in each epoch, less its own"
                ),
                None => format!(
                    "accused since block {block} (epoch {epoch}); what that costs it shows when the next epoch pays, in \
                     {} blocks",
                    self.state.next_epoch().map_or(0, |(blocks, _)| blocks)
                ),
            };
            lines.extend(page::wrapped(&text, width, 2, Style::new()));
        }
        if !track.emission.is_empty() {
            lines.push(Line::from(vec![
                Span::styled("pay per epoch  ", self.palette.dim),
                Span::styled(
                    chart::spark(&track.emission.resampled(width.saturating_sub(30)), None),
                    self.palette.series,
                ),
                Span::raw(format!(" {:.4} TAO", track.emission.last().unwrap_or(0.0))),
            ]));
        }
        lines
    }

    /// What an accused miner lost, TAO; `None` before the first epoch since then has paid.
    pub(super) fn lost(&self, track: &Track) -> Option<f64> {
        let epoch = self.state.chain.as_ref()?.metagraph.schedule.epoch;
        let (_, since) = track.accused_since?;
        (epoch > since).then_some(track.forgone)
    }

    /// Stake times clipped weight, validator by validator: the sum is the miner's rank.
    fn arithmetic(&self, row: &NeuronRow<'_>, width: usize) -> Vec<Line<'static>> {
        let (parts, consensus) = shares(self.state, row.neuron.uid);
        let mut lines = vec![page::title(
            "How the votes make its incentive",
            width,
            self.palette,
        )];
        if parts.is_empty() {
            lines.push(Line::styled(
                "no weights are on chain yet",
                self.palette.dim,
            ));
            return lines;
        }
        lines.push(Line::styled(
            format!(
                "{:<18}{:>7} {:>8} {:>8} {:>8}",
                "VALIDATOR", "STAKE", "WEIGHT", "CLIPPED", "ADDS"
            ),
            self.palette.heading,
        ));
        let rank: f64 = parts.iter().map(crate::state::Share::adds).sum();
        for part in parts.iter().take(12) {
            let name = self.validator_name(part.validator);
            let clipped = part.clipped < part.weight;
            lines.push(Line::from(vec![
                Span::raw(format!(
                    "{:<18}{:>6.1}% {:>7.2}% ",
                    text::cut(&name, 17),
                    part.stake * 100.0,
                    part.weight * 100.0
                )),
                Span::styled(
                    format!("{:>7.2}% ", part.clipped * 100.0),
                    if clipped {
                        self.palette.warn
                    } else {
                        Style::new()
                    },
                ),
                Span::raw(format!("{:>7.2}%", part.adds() * 100.0)),
            ]));
        }
        let text = format!(
            "clipped at {:.2}%, the weight that a majority of the stake agrees to; rank {:.2}%; the next epoch shares \
             out incentive by rank, the last one gave it {}%",
            consensus * 100.0,
            rank * 100.0,
            text::percent(row.neuron.incentive)
        );
        lines.extend(page::wrapped(&text, width, 2, self.palette.dim));
        lines
    }

    pub(super) fn validator_name(&self, uid: athanor_spec::Uid) -> String {
        let neuron = self
            .state
            .chain
            .as_ref()
            .and_then(|chain| chain.metagraph.by_uid(uid));
        neuron.map_or_else(|| format!("uid {uid}"), |it| self.state.name(&it.hotkey))
    }

    /// What every grader says, those with the lowest UIDs first.
    fn judges(&self, row: &NeuronRow<'_>, width: usize) -> Vec<Line<'static>> {
        let Some(known) = self.state.peers.miners.get(&row.neuron.hotkey) else {
            return Vec::new();
        };
        let mut graders: Vec<_> = known.grades.iter().collect();
        let uid = |hotkey: &Hotkey| self.state.neuron(hotkey).map(|neuron| neuron.uid);
        graders.sort_by_key(|(validator, _)| uid(validator).map_or(u16::MAX, |uid| uid.0));
        let mut lines = vec![page::title(
            "Grades (Enter: the validator)",
            width,
            self.palette,
        )];
        if graders.is_empty() {
            lines.push(Line::styled("no round has ended yet", self.palette.dim));
            return lines;
        }
        lines.push(Line::styled(
            format!(
                "{:<17} {:>5}  FID  COR  SRV LIVE    Q PAID  FAULT",
                "BY", "ROUND"
            ),
            self.palette.heading,
        ));
        for (validator, graded) in graders {
            let grade = &graded.summary;
            let axis = |read: fn(&GradeSummary) -> f64| text::unit(read(grade));
            let (fault, style) = match &grade.fault {
                Some(fault) => (fault.kind.clone(), self.palette.bad),
                None => ("ok".to_owned(), self.palette.good),
            };
            lines.push(Line::from(vec![
                Span::raw(format!(
                    "{:<17} {:>5} {:>4} {:>4} {:>4} {:>4} {:>4} {:>4}  ",
                    text::cut(&self.state.name(validator), 17),
                    graded.round,
                    axis(|grade| grade.fidelity),
                    axis(|grade| grade.correctness),
                    axis(|grade| grade.service),
                    axis(|grade| grade.liveliness),
                    axis(|grade| grade.quality),
                    text::paid(grade),
                )),
                Span::styled(fault, style),
            ]));
        }
        lines
    }

    /// Which checkpoints it committed to, what it swapped in, and how its student learns.
    fn lineage(
        &self,
        row: &NeuronRow<'_>,
        known: Option<&Miner>,
        width: usize,
    ) -> Vec<Line<'static>> {
        let mut lines = vec![page::title(
            "Checkpoints and distillation",
            width,
            self.palette,
        )];
        let track = self.state.history.tracks.get(&row.neuron.hotkey);
        let chain: Vec<String> = track
            .into_iter()
            .flat_map(|track| track.lineage.iter())
            .map(|(block, digest)| format!("{} (block {block})", digest.short()))
            .collect();
        let committed = match chain.is_empty() {
            true => "it has committed to no checkpoint".to_owned(),
            false => format!("committed: {}", chain.join(" → ")),
        };
        lines.extend(page::wrapped(&committed, width, 2, Style::new()));
        let Some(known) = known else { return lines };
        let now = self.state.now();
        let swaps: Vec<String> = known
            .swapped
            .iter()
            .rev()
            .take(6)
            .map(|(from, to, at)| {
                let ago = text::duration(now.saturating_sub(*at).max(Duration::ZERO));
                format!("{} → {} {ago} ago", from.short(), to.short())
            })
            .collect();
        if !swaps.is_empty() {
            let text = format!("{} swaps while serving: {}", known.swaps, swaps.join(", "));
            lines.extend(page::wrapped(&text, width, 2, Style::new()));
        }
        let curve = width.saturating_sub(NAME + 24).clamp(8, 60);
        for (name, series) in [("loss", &known.losses), ("held out", &known.heldout)] {
            if let Some(last) = series.last() {
                lines.push(Line::from(vec![
                    Span::styled(format!("{name:<NAME$}"), self.palette.dim),
                    Span::styled(
                        chart::spark(&series.resampled(curve), None),
                        self.palette.series,
                    ),
                    Span::raw(format!(" {last:.4} nats/token")),
                ]));
            }
        }
        if let Some(held) = known.last_heldout {
            lines.push(Line::raw(format!(
                "step {}: {:+.3} nats/token better than its first checkpoint, at least {:+.3} (95 %, {} items)",
                known.step, held.improvement, held.improvement_low, held.items
            )));
        }
        lines
    }
}
