//! Setting weights, revealing those that were committed, and telling watchers what comes next.

use athanor_chain::{Progress, Tick, WeightsSet};
use athanor_spec::{Epoch, Uid, telemetry::Event};

use super::Loop;
use crate::config::Submission;

impl Loop {
    /// Sets or commits weights; whether nothing more is to be done in this epoch.
    pub(super) async fn set_weights(&mut self, epoch: Epoch, weights: Vec<(Uid, u16)>) -> bool {
        use athanor_chain::SetWeightsError::{AlreadySet, NoPermit};
        if let Submission::Dry(show) = self.config.submission {
            show(epoch, &weights);
            return true;
        }
        if weights.iter().all(|(_, weight)| *weight == 0) {
            tracing::info!(%epoch, "no miner has earned anything yet: no weights are set");
            let became = format!("none in epoch {epoch}: no miner has earned anything yet");
            self.board.weights(became, true);
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
        let became = match &set {
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
        let done = matches!(&set, Ok(_) | Err(AlreadySet { .. } | NoPermit { .. }));
        self.board.weights(became, done);
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
