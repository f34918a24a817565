//! What Prometheus is told of the events: rounds, asks, verdicts and training, counted as they are told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

use athanor_spec::{
    Round,
    telemetry::{Event, HeldOut},
    wire::NodeKind,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// The verdict on a miner that is accused of nothing.
const NO_FAULT: &str = "none";

/// Counts of one daemon's events, cheap to clone.
#[derive(Clone, Debug)]
pub struct Counts(Arc<State>);

#[derive(Debug)]
struct State {
    rounds: Counter,
    asks: Family<Outcome, Counter>,
    opened: Counter,
    first_token: Histogram,
    whole: Histogram,
    tokens: Counter,
    swaps: Counter,
    /// A leaf: nothing waits while it is held.
    latest: Mutex<Latest>,
}

/// The latest of everything that is no count.
#[derive(Debug, Default)]
struct Latest {
    /// The round, and the asks planned for it.
    round: Option<(Round, u32)>,
    /// The round that `verdicts` are of.
    judged: Option<Round>,
    verdicts: BTreeMap<String, u32>,
    /// Miners that are asked, and those of whom enough is known.
    learnt: Option<(u32, u32)>,
    /// Steps of training, and the loss of the last one.
    step: Option<(u64, f64)>,
    heldout: Option<HeldOut>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdict {
    fault: String,
}

impl Default for Counts {
    fn default() -> Self {
        // From 5 ms to 80 s, each bucket twice the one before.
        let buckets = || Histogram::new(exponential_buckets(0.005, 2.0, 15));
        let asks = Family::default();
        for outcome in ["answered", "failed", "void"] {
            // What has not happened yet is zero, so that the first time is seen as a change.
            drop(asks.get_or_create(&Outcome { outcome }));
        }
        Self(Arc::new(State {
            rounds: Counter::default(),
            asks,
            opened: Counter::default(),
            first_token: buckets(),
            whole: buckets(),
            tokens: Counter::default(),
            swaps: Counter::default(),
            latest: Mutex::default(),
        }))
    }
}

impl Counts {
    pub(super) fn observe(&self, event: &Event) {
        let all = &self.0;
        match event {
            Event::RoundStarted { round, asks, .. } => {
                all.rounds.inc();
                self.latest().round = Some((*round, *asks));
            }
            Event::Answered {
                first_token_ms,
                elapsed_ms,
                tokens,
                ..
            } => {
                all.first_token.observe(f64::from(*first_token_ms) / 1e3);
                all.whole.observe(f64::from(*elapsed_ms) / 1e3);
                all.tokens.inc_by((*tokens).into());
                self.ask("answered");
            }
            Event::Opened { .. } => {
                all.opened.inc();
            }
            Event::AskFailed { .. } => self.ask("failed"),
            Event::AskVoid { .. } => self.ask("void"),
            Event::Graded { round, grade, .. } => {
                let mut latest = self.latest();
                if latest.judged.replace(*round) != Some(*round) {
                    latest.verdicts.clear();
                }
                let fault = grade.fault.as_ref();
                let fault = fault.map_or(NO_FAULT, |fault| fault.kind.as_str());
                *latest.verdicts.entry(fault.to_owned()).or_default() += 1;
            }
            Event::Learnt { miners, known, .. } => self.latest().learnt = Some((*miners, *known)),
            Event::Distilled {
                step,
                loss,
                heldout,
                ..
            } => {
                let mut latest = self.latest();
                latest.step = Some((*step, *loss));
                latest.heldout = heldout.or(latest.heldout);
            }
            Event::Swapped { .. } => {
                all.swaps.inc();
            }
            // Counted where they happen, or nothing to count.
            Event::Asked { .. }
            | Event::Collusion { .. }
            | Event::Measured { .. }
            | Event::Resembles { .. }
            | Event::WeightsSet { .. }
            | Event::WeightsCommitted { .. }
            | Event::WeightsRevealed { .. }
            | Event::WeightsDue { .. }
            | Event::Alarm { .. }
            | Event::RequestFailed { .. } => {}
        }
    }

    /// Adds to a registry what a node of this kind has to tell. A value that is not known yet is left out.
    pub fn register(&self, kind: NodeKind, registry: &mut Registry) {
        match kind {
            NodeKind::Validator => self.of_validator(registry),
            NodeKind::Miner => self.of_miner(registry),
            NodeKind::Other => {}
        }
    }

    fn of_validator(&self, registry: &mut Registry) {
        let all = &self.0;
        registry.register("rounds", "Rounds that were begun", all.rounds.clone());
        registry.register(
            "asks",
            "Asks to miners, by what came of them: answered, failed, or (answered or not) void by the validator's own trouble",
            all.asks.clone(),
        );
        registry.register(
            "asks_opened",
            "Answers that were replayed",
            all.opened.clone(),
        );
        registry.register_with_unit(
            "ask_first_token",
            "From an ask to the first token, as the validator's socket saw it",
            Unit::Seconds,
            all.first_token.clone(),
        );
        registry.register_with_unit(
            "ask",
            "From an ask to the end of the answer",
            Unit::Seconds,
            all.whole.clone(),
        );
        registry.register("ask_tokens", "Tokens of answers", all.tokens.clone());
        let latest = self.latest();
        if let Some((round, asks)) = latest.round {
            gauge(registry, "round", "The round", round.0 as f64);
            gauge(
                registry,
                "round_asks",
                "Asks planned for the round",
                asks.into(),
            );
        }
        let verdicts = Family::<Verdict, Gauge>::default();
        for (fault, miners) in &latest.verdicts {
            let fault = fault.clone();
            verdicts
                .get_or_create(&Verdict { fault })
                .set((*miners).into());
        }
        registry.register(
            "graded_miners",
            "Miners that the last closed round was about, by what they are accused of",
            verdicts,
        );
        if let Some((miners, known)) = latest.learnt {
            gauge(registry, "miners", "Miners that are asked", miners.into());
            let help = "Miners of whom enough is known for weights";
            gauge(registry, "miners_known", help, known.into());
        }
    }

    fn of_miner(&self, registry: &mut Registry) {
        registry.register(
            "checkpoint_swaps",
            "Checkpoints that were swapped into the engine",
            self.0.swaps.clone(),
        );
        let latest = self.latest();
        if let Some((step, loss)) = latest.step {
            let help = "Optimiser steps since the first initialisation";
            gauge(registry, "distill_step", help, step as f64);
            let help = "Training loss of the last step that was told, per token";
            gauge(registry, "distill_loss_nats", help, loss);
        }
        if let Some(heldout) = latest.heldout {
            let help = "Mean loss on held-out items, per token";
            gauge(registry, "distill_heldout_loss_nats", help, heldout.loss);
            let help = "Mean improvement over the first checkpoint on held-out items, per token";
            gauge(
                registry,
                "distill_improvement_nats",
                help,
                heldout.improvement,
            );
            let help = "Lower end of the 95 % confidence interval of that improvement";
            gauge(
                registry,
                "distill_improvement_low_nats",
                help,
                heldout.improvement_low,
            );
        }
    }

    fn ask(&self, outcome: &'static str) {
        self.0.asks.get_or_create(&Outcome { outcome }).inc();
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

#[cfg(test)]
mod tests {
    use athanor_spec::{
        BlockNumber, Hotkey, Uid,
        telemetry::{FaultSummary, GradeSummary},
    };

    use super::*;

    fn text(counts: &Counts, kind: NodeKind) -> String {
        let mut registry = Registry::with_prefix("athanor");
        counts.register(kind, &mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[track_caller]
    fn check(text: &str, lines: &[&str]) {
        for line in lines {
            let found = text.lines().any(|found| found == *line);
            assert!(found, "no `{line}` in\n{text}");
        }
    }

    fn graded(round: u64, uid: u16, fault: Option<&str>) -> Event {
        Event::Graded {
            validator: Hotkey([1; 32]),
            miner: Hotkey([2; 32]),
            uid: Uid(uid),
            round: Round(round),
            grade: GradeSummary {
                fault: fault.map(|kind| FaultSummary {
                    kind: kind.to_owned(),
                    evidence: String::new(),
                }),
                ..GradeSummary::default()
            },
        }
    }

    #[test]
    fn verdicts_are_those_of_the_last_round() {
        let counts = Counts::default();
        for (round, uid, fault) in [
            (1, 2, Some("copy")),
            (2, 2, Some("wrong_checkpoint")),
            (2, 3, None),
            (2, 4, None),
        ] {
            counts.observe(&graded(round, uid, fault));
        }
        let text = text(&counts, NodeKind::Validator);
        check(
            &text,
            &[
                "athanor_graded_miners{fault=\"none\"} 2",
                "athanor_graded_miners{fault=\"wrong_checkpoint\"} 1",
            ],
        );
        assert!(!text.contains("copy"), "{text}");
    }

    #[test]
    fn asks_are_counted_by_what_came_of_them() {
        let counts = Counts::default();
        let (validator, miner, round) = (Hotkey([1; 32]), Hotkey([2; 32]), Round(1));
        counts.observe(&Event::RoundStarted {
            validator,
            round,
            block: BlockNumber(9),
            asks: 7,
        });
        for index in 0..2 {
            counts.observe(&Event::Answered {
                validator,
                miner,
                round,
                index,
                first_token_ms: 30,
                elapsed_ms: 300,
                tokens: 5,
            });
            counts.observe(&Event::Opened {
                validator,
                miner,
                round,
                index,
                tokens: 5,
                strays: 0,
            });
        }
        counts.observe(&Event::AskFailed {
            validator,
            miner,
            reason: "late".to_owned(),
        });
        check(
            &text(&counts, NodeKind::Validator),
            &[
                "athanor_rounds_total 1",
                "athanor_round_asks 7.0",
                "athanor_asks_total{outcome=\"answered\"} 2",
                "athanor_asks_total{outcome=\"failed\"} 1",
                "athanor_asks_opened_total 2",
                "athanor_asks_total{outcome=\"void\"} 0",
                "athanor_ask_tokens_total 10",
                "athanor_ask_first_token_seconds_count 2",
                "athanor_ask_seconds_sum 0.6",
            ],
        );
    }

    #[test]
    fn a_miner_s_losses_are_told_once_they_are_known() {
        let counts = Counts::default();
        assert!(!text(&counts, NodeKind::Miner).contains("distill"));
        let distilled = |step, heldout| Event::Distilled {
            miner: Hotkey([2; 32]),
            step,
            loss: 1.5,
            heldout,
        };
        counts.observe(&distilled(
            60,
            Some(HeldOut {
                loss: 1.75,
                improvement: 0.25,
                improvement_low: 0.125,
                items: 64,
            }),
        ));
        counts.observe(&distilled(61, None));
        let told = text(&counts, NodeKind::Miner);
        check(
            &told,
            &[
                "athanor_distill_step 61.0",
                "athanor_distill_loss_nats 1.5",
                "athanor_distill_heldout_loss_nats 1.75",
                "athanor_distill_improvement_low_nats 0.125",
                "athanor_checkpoint_swaps_total 0",
            ],
        );
        assert!(!told.contains("rounds"), "of a validator:\n{told}");
    }
}
