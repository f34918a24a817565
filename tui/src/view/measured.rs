//! What validators measured of a miner: its axes, the times of its answers, and the audit's evidence.

use athanor_spec::telemetry::Interval;
use ratatui::text::{Line, Span};

use super::{Canvas, chart, page, text};
use crate::state::{Latency, Miner, NeuronRow, Series};

/// Columns of a name.
const NAME: usize = 12;

impl Canvas<'_> {
    /// The axes round by round, with the intervals of the validator with the most stake.
    pub(super) fn axes(&self, known: &Miner, width: usize) -> Vec<Line<'static>> {
        let mut lines = vec![page::title(
            "Axes over the rounds, with 95 % bounds",
            width,
            self.palette,
        )];
        let lead = self
            .state
            .peers
            .validators
            .keys()
            .filter(|hotkey| known.records.contains_key(*hotkey))
            .max_by_key(|hotkey| self.state.neuron(hotkey).map(|neuron| neuron.stake));
        let record = lead.and_then(|lead| known.records.get(lead));
        let of = |interval: fn(&athanor_spec::telemetry::RecordSummary) -> Option<Interval>| {
            record.and_then(interval)
        };
        let quality = record
            .zip(known.axes.quality.last())
            .map(|(record, value)| Interval {
                value,
                low: (value - record.width).max(0.0),
                high: (value + record.width).min(1.0),
                count: record.effective_asks,
            });
        let rows: [(&str, &Series, Option<Interval>); 5] = [
            ("fidelity", &known.axes.fidelity, None),
            (
                "correctness",
                &known.axes.correctness,
                of(|it| it.correctness),
            ),
            ("service", &known.axes.service, of(|it| it.service)),
            ("liveliness", &known.axes.liveliness, of(|it| it.liveliness)),
            ("quality", &known.axes.quality, quality),
        ];
        let curve = width.saturating_sub(NAME + 45).clamp(4, 48);
        for (name, series, interval) in rows {
            let Some(last) = series.last() else {
                continue;
            };
            let points = series.resampled(curve);
            let mut spans = vec![
                Span::styled(format!("{name:<NAME$}"), self.palette.dim),
                Span::styled(
                    format!("{:<curve$} ", chart::spark(&points, Some((0.0, 1.0)))),
                    self.palette.series,
                ),
                Span::raw(format!("{last:.3} ")),
            ];
            if let Some(it) = interval {
                spans.push(Span::styled(
                    chart::interval(it.low, it.value, it.high, 20),
                    self.palette.series,
                ));
                spans.push(Span::raw(format!(" {:.2}-{:.2}", it.low, it.high)));
            }
            lines.push(Line::from(spans));
        }
        if lines.len() == 1 {
            lines.push(Line::styled("no round has ended yet", self.palette.dim));
        }
        if let (Some(record), Some(paid)) = (record, known.axes.quality_low.last()) {
            let does = match known.is_accused() {
                true => "without the accusation it would be paid",
                false => "paid",
            };
            let text = format!(
                "{does} by the lower bound of quality, {paid:.3}: {:.3} is taken off, as {:.0} equally weighted asks \
                 leave that much open",
                record.width, record.effective_asks
            );
            lines.extend(page::wrapped(&text, width, 2, self.palette.dim));
        }
        lines
    }

    pub(super) fn latency(&self, known: &Miner, width: usize) -> Vec<Line<'static>> {
        let mut lines = vec![page::title("Times of its answers", width, self.palette)];
        if known.first_token.count() == 0 {
            lines.push(Line::styled("no answer was heard of", self.palette.dim));
            return lines;
        }
        for (name, latency) in [
            ("first token", &known.first_token),
            ("whole answer", &known.whole_answer),
        ] {
            lines.push(self.distribution(name, latency, width));
        }
        lines
    }

    fn distribution(&self, name: &str, latency: &Latency, width: usize) -> Line<'static> {
        let quantile = |part| latency.quantile(part).map_or("-".to_owned(), text::millis);
        let bars = latency.bars(width.saturating_sub(NAME + 46).max(8));
        let counts: Vec<f64> = bars.iter().map(|(_, count)| *count as f64).collect();
        let most = counts.iter().copied().fold(1.0, f64::max);
        Line::from(vec![
            Span::styled(format!("{name:<13}"), self.palette.dim),
            Span::raw(format!(
                "p50 {:>6}  p90 {:>6}  p99 {:>6}  ",
                quantile(0.5),
                quantile(0.9),
                quantile(0.99)
            )),
            Span::styled(
                chart::spark(&counts, Some((0.0, most))),
                self.palette.series,
            ),
            Span::raw(format!(" {}", latency.count())),
        ])
    }

    /// How sure the audit is that the answers are not the checkpoint's.
    pub(super) fn audit(
        &self,
        row: &NeuronRow<'_>,
        known: &Miner,
        width: usize,
    ) -> Vec<Line<'static>> {
        let mut lines = vec![page::title(
            "Audit: are the answers its checkpoint's draws?",
            width,
            self.palette,
        )];
        for (validator, record) in &known.records {
            let condemned = record.e_value >= record.condemned_at;
            let style = if condemned {
                self.palette.bad
            } else {
                self.palette.good
            };
            let name = text::cut(&self.state.name(validator), 17);
            lines.push(Line::from(vec![
                Span::raw(format!("{name:<18}")),
                Span::styled(
                    format!("e-value {:<8}", text::scientific(record.e_value)),
                    style,
                ),
                Span::raw(format!(
                    " after {} requests, condemned at {}",
                    record.audited,
                    text::scientific(record.condemned_at),
                )),
            ]));
        }
        let limits = known.records.values().map(|record| record.condemned_at);
        if let Some(limit) = limits.reduce(f64::min) {
            let limit = text::scientific(limit);
            let text = format!("at most one honest miner in {limit} ever reaches {limit}");
            lines.extend(page::wrapped(&text, width, 2, self.palette.dim));
        }
        let tallies = self.state.peers.validators.values();
        let tally = tallies
            .filter_map(|validator| validator.round.as_ref()?.miners.get(&row.neuron.hotkey))
            .fold((0, 0), |(tokens, strays), it| {
                (tokens + it.tokens, strays + it.strays)
            });
        if tally.0 > 0 {
            let part = tally.1 as f64 / tally.0 as f64;
            lines.push(Line::raw(format!(
                "this round: {} of {} tokens are not the checkpoint's draws ({:.1} %)",
                tally.1,
                tally.0,
                part * 100.0
            )));
        }
        if let Some(reason) = &known.last_failure {
            let text = format!("{} requests failed, the last: {reason}", known.failures);
            lines.extend(page::wrapped(&text, width, 2, self.palette.warn));
        }
        let faults = known.grades.iter().filter_map(|(validator, graded)| {
            let fault = graded.summary.fault.as_ref()?;
            Some((validator, fault))
        });
        for (validator, fault) in faults.take(4) {
            let evidence = self.state.named(&fault.evidence);
            let text = format!("{}: {}: {evidence}", self.state.name(validator), fault.kind);
            lines.extend(page::wrapped(&text, width, 2, self.palette.bad));
        }
        lines
    }
}
