//! Setting weights, revealing those that were committed, and telling watchers what comes next.

use athanor_chain::{Progress, Tick, WeightsSet};
use athanor_scoring::readiness::Readiness;
use athanor_spec::{Epoch, Uid, telemetry::Event};

use super::Loop;
use crate::{config::WouldSet, status::Became};

/// Why there are no weights to set.
const NOBODY: &str = "no miner has earned anything yet";

fn nobody_earned(weights: &[(Uid, u16)]) -> bool {
    weights.iter().all(|(_, weight)| *weight == 0)
}

impl Loop {
    /// Sets or commits weights; whether nothing more is to be done in this epoch.
    pub(super) async fn set_weights(&mut self, epoch: Epoch, weights: Vec<(Uid, u16)>) -> bool {
        use athanor_chain::SetWeightsError::{AlreadySet, NoPermit};
        if nobody_earned(&weights) {
            tracing::info!(%epoch, "{NOBODY}: no weights are set");
            let became = format!("none in epoch {epoch}: {NOBODY}");
            self.board.weights(Became::None(became));
            return true;
        }
        let version = self.config.spec.subnet.version_key;
        let validator = self.signer.hotkey();
        let set = self.weights.set(&weights, version).await;
        match &set {
            Ok(set) => {
                self.weights_changed = true;
                self.config.metrics.weights_set(set.protocol());
            }
            Err(AlreadySet { .. }) => {}
            Err(error) => self.config.metrics.weights_failed(error),
        }
        let words = match &set {
            Ok(WeightsSet::Plain(included)) => {
                format!("set for epoch {epoch} in block {}", included.block)
            }
            Ok(WeightsSet::Committed {
                included,
                reveal_block,
                ..
            }) => format!(
                "committed for epoch {epoch} in block {}, to be revealed from block {reveal_block} on",
                included.block
            ),
            Err(AlreadySet { block }) => format!("set for epoch {epoch} before, in block {block}"),
            Err(error) => format!("not set for epoch {epoch}: {error}"),
        };
        self.board.weights(match &set {
            Ok(_) | Err(AlreadySet { .. }) => Became::Given(words),
            Err(NoPermit { .. }) => Became::None(words),
            Err(_) => Became::Failed(words),
        });
        match set {
            Ok(WeightsSet::Plain(included)) => {
                tracing::info!(%epoch, block = %included.block, "weights set");
                self.config.feed.send(Event::WeightsSet {
                    validator,
                    epoch,
                    block: included.block,
                    weights,
                });
                true
            }
            Ok(WeightsSet::Committed {
                included,
                protocol,
                reveal_block,
            }) => {
                tracing::info!(%epoch, block = %included.block, ?protocol, %reveal_block, "weights committed");
                self.config.feed.send(Event::WeightsCommitted {
                    validator,
                    epoch,
                    block: included.block,
                    reveal_block,
                });
                true
            }
            Err(AlreadySet { block }) => {
                tracing::info!(%epoch, %block, "weights were set already");
                true
            }
            Err(error @ NoPermit { .. }) => {
                tracing::info!(%epoch, %error, "no weights in this epoch");
                true
            }
            Err(error) => {
                tracing::warn!(%epoch, %error, "weights not set; trying again with the next block");
                false
            }
        }
    }

    /// Shows what a dry run would have set, and why it would not have been.
    pub(super) fn show_weights(
        &self,
        show: fn(&WouldSet),
        epoch: Epoch,
        weights: Vec<(Uid, u16)>,
        readiness: &Readiness,
    ) {
        let neuron = self.config.metrics.sight().neuron;
        let permitted = neuron.is_some_and(|neuron| neuron.validator_permit);
        let hindrance = match readiness.is_enough() {
            false => Some(readiness.to_string()),
            true if nobody_earned(&weights) => Some(NOBODY.to_owned()),
            true if !permitted => Some("the hotkey holds no validator permit".to_owned()),
            true => None,
        };
        let became = format!("shown for epoch {epoch}, and not set: a dry run sends nothing");
        self.board.weights(Became::None(became));
        show(&WouldSet {
            epoch,
            weights,
            hindrance,
        });
    }

    /// Reveals what is due, and tells watchers what comes next. Asked at the first block of an epoch, after weights were
    /// set, and with every block while commits wait.
    pub(super) async fn follow_weights(&mut self) {
        let Tick {
            progress,
            countdown,
        } = match self.weights.tick().await {
            Ok(tick) => tick,
            Err(error) => {
                tracing::warn!(%error, "cannot follow the weights; trying again with the next block");
                return;
            }
        };
        self.config.metrics.countdown(countdown);
        let validator = self.signer.hotkey();
        for ended in progress {
            let weights = match &ended {
                Progress::Revealed { weights } => {
                    self.config.metrics.weights_revealed();
                    u32::try_from(weights.len()).ok()
                }
                Progress::Lost { signed_at } => {
                    self.config.metrics.weights_lost();
                    tracing::warn!(%signed_at, "committed weights were not revealed in time");
                    None
                }
            };
            self.config.feed.send(Event::WeightsRevealed {
                validator,
                block: countdown.block,
                weights,
            });
        }
        self.config.feed.send(Event::WeightsDue {
            validator,
            block: countdown.block,
            epoch: countdown.epoch,
            reveal: countdown.reveal,
            activity_cutoff: countdown.activity_cutoff,
        });
    }
}
