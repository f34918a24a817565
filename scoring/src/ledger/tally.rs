//! Add up what came of asks, before it goes into a record.
//!
//! One ask is a tally of one, so a record that takes a round ask by ask and one that takes sums are kept by the same code.

use super::{AskOutcome, Load, Mean};
use crate::{fidelity::FidelitySums, goodput};

/// Sums over some asks of one miner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    pub(super) asked: f64,
    pub(super) answered: f64,
    pub(super) opened: f64,
    pub(super) fidelity: FidelitySums,
    pub(super) correctness: Mean,
    pub(super) liveliness: Mean,
    pub(super) service: Mean,
    /// Rates of single asks, in tokens per second.
    pub(super) alone: Mean,
}

impl Tally {
    /// What one ask adds.
    pub fn of(outcome: &AskOutcome) -> Self {
        let mut tally = Self {
            asked: 1.0,
            opened: 1.0,
            ..Self::default()
        };
        match outcome {
            AskOutcome::Answered {
                fidelity,
                credit,
                liveliness,
                service,
                pace,
                e_value: _,
            } => {
                tally.answered = 1.0;
                if pace.load == Load::Alone {
                    tally.alone = rate(goodput::of_answer(*service, pace));
                }
                tally.fidelity = *fidelity;
                tally.liveliness.add(*liveliness);
                tally.service.add(*service);
                if let Some(credit) = credit {
                    tally.correctness.add(*credit);
                }
            }
            AskOutcome::Failed {
                fidelity,
                checkable,
                load,
            } => {
                if load.is_none() {
                    tally.alone = rate(0.0);
                }
                tally.fidelity = *fidelity;
                if *checkable {
                    tally.correctness.add(0.0);
                }
            }
            AskOutcome::Unopened { service, pace } => {
                tally.opened = 0.0;
                if pace.load == Load::Alone {
                    let worth = service.unwrap_or(0.0);
                    tally.alone = rate(goodput::of_answer(worth, pace));
                }
                if let Some(service) = service {
                    tally.answered = 1.0;
                    tally.service.add(*service);
                }
            }
        }
        tally
    }

    /// A tally of `asked` opened asks, `answered` of which got an answer of these means: divergence sums over all of them,
    /// credit on `checkable` items (those without an answer have none), liveliness and worth of time per answer. Means are
    /// held to [0, 1]. Goodput comes from load probes alone.
    pub fn of_means(
        asked: f64,
        answered: f64,
        fidelity: FidelitySums,
        checkable: f64,
        credit: f64,
        liveliness: f64,
        service: f64,
    ) -> Self {
        let mean = |value: f64, weight: f64| Mean {
            sum: value.clamp(0.0, 1.0) * weight,
            weight,
        };
        Self {
            asked,
            answered,
            opened: asked,
            fidelity,
            correctness: Mean {
                sum: credit.clamp(0.0, 1.0) * checkable * (answered / asked.max(1.0)),
                weight: checkable,
            },
            liveliness: mean(liveliness, answered),
            service: mean(service, answered),
            alone: Mean::default(),
        }
    }

    /// The tally with `asked` more asks that were not opened, `answered` of which got an answer whose time was worth `service`.
    pub fn with_unopened(mut self, asked: f64, answered: f64, service: f64) -> Self {
        self.asked += asked;
        self.answered += answered;
        self.service.merge(Mean {
            sum: service.clamp(0.0, 1.0) * answered,
            weight: answered,
        });
        self
    }
}

/// A rate as it is bounded where it is kept.
fn rate(tokens_per_second: f64) -> Mean {
    Mean {
        sum: goodput::bounded(tokens_per_second),
        weight: 1.0,
    }
}
