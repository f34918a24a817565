//! Sets a validator's weights, once per epoch, and makes sure that they are on chain.
//!
//! [`Client::set_weights`] sets them in the open. [`WeightSetter`] takes the form that the subnet demands, and with it the
//! reveals that follow some epochs later.

mod journal;
mod setter;
mod standing;
pub(crate) mod submission;

use athanor_spec::{BlockNumber, Hotkey, NetUid, Rao, Uid};
use sp_core::sr25519;
use thiserror::Error;

use crate::{
    Client, Included, ReadError, SubmitError, items, metagraph, signer::PairSigner, state::State,
    timelock::SealError,
};

pub use journal::JournalError;
pub use setter::{Countdown, Progress, Tick, WeightSetter, WeightsSet};
pub use standing::Protocol;
use standing::Standing;
use submission::{Calls, Submission};

/// How often weights are signed anew after the chain moved on before it took them.
const SIGNATURES: usize = 4;

/// Why weights were not set.
#[derive(Debug, Error)]
pub enum SetWeightsError {
    /// This epoch has this validator's weights already; nothing was sent.
    #[error(
        "weights were set in block {block}, in the running epoch: the next ones are due in the next epoch"
    )]
    AlreadySet {
        /// The block in which they were set.
        block: BlockNumber,
    },
    /// The hotkey holds no slot.
    #[error("{hotkey} is not registered on subnet {netuid}: register it first")]
    NotRegistered {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The hotkey is no validator.
    #[error(
        "{hotkey} has no validator permit on subnet {netuid}: it needs to be among the largest stakes; \
         stake more and wait for the next epoch"
    )]
    NoPermit {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The chain's rate limit has not passed yet.
    #[error(
        "the chain takes this validator's next weights in {wait_blocks} blocks at the earliest"
    )]
    TooFast {
        /// Blocks to wait.
        wait_blocks: u64,
    },
    /// The stake is below the chain's threshold.
    #[error(
        "{hotkey} has less stake on subnet {netuid} than the {threshold} TAO that the chain asks of one that sets weights: \
         stake more"
    )]
    StakeTooLow {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// What the chain asks for.
        threshold: Rao,
    },
    /// The subnet asks for a newer validator.
    #[error(
        "subnet {netuid} takes weights from version {chain} on, this node has version {ours}: update it"
    )]
    OldVersion {
        /// The subnet.
        netuid: NetUid,
        /// The subnet's version key.
        chain: u64,
        /// The version key that was given.
        ours: u64,
    },
    /// The subnet takes hidden weights only.
    #[error(
        "subnet {netuid} has commit-reveal on, and these weights were to be set in the open: commit them instead"
    )]
    CommitReveal {
        /// The subnet.
        netuid: NetUid,
    },
    /// The row is too short.
    #[error(
        "subnet {netuid} takes rows of at least {least} weights, this one has {len}: give more miners a weight"
    )]
    TooFewWeights {
        /// The subnet.
        netuid: NetUid,
        /// Number of weights.
        len: usize,
        /// The subnet's least number.
        least: u16,
    },
    /// One neuron gets too much.
    #[error(
        "subnet {netuid} gives one neuron at most {limit} of 65535, and uid {uid} gets more: spread the weights"
    )]
    TooLargeWeight {
        /// The subnet.
        netuid: NetUid,
        /// The neuron.
        uid: Uid,
        /// The largest share, of 65535.
        limit: u16,
    },
    /// Too many commits wait for their reveal.
    #[error(
        "ten commits of {hotkey} on subnet {netuid} wait for their reveal, and the chain takes no more: wait for the next epoch"
    )]
    TooManyCommits {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// Weights that are hidden on this subnet would never be shown.
    #[error(
        "subnet {netuid} runs no epochs (its tempo is 0), so hidden weights would never be revealed"
    )]
    NoEpochs {
        /// The subnet.
        netuid: NetUid,
    },
    /// The chain knows no such commit, or not any more.
    #[error(
        "subnet {netuid} does not take this reveal ({reason}): its time has passed, or the commit was never included"
    )]
    CannotReveal {
        /// The subnet.
        netuid: NetUid,
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// The weights cannot be hidden.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The salt of a commit cannot be kept; nothing was sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A UID is named twice.
    #[error("uid {uid} is given twice")]
    DuplicateUid {
        /// The UID.
        uid: Uid,
    },
    /// A UID has no neuron.
    #[error(
        "uid {uid} is not taken: subnet {netuid} has {neurons} neurons; read the metagraph again"
    )]
    UnknownUid {
        /// The UID.
        uid: Uid,
        /// The subnet.
        netuid: NetUid,
        /// Slots taken.
        neurons: u16,
    },
    /// The subnet's bounds on a row of weights are broken.
    #[error(
        "subnet {netuid} does not take this row of {len} weights ({reason}): check min_allowed_weights and max_weights_limit"
    )]
    BadRow {
        /// The subnet.
        netuid: NetUid,
        /// Number of weights.
        len: usize,
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// The chain accepted the weights and holds others.
    #[error(
        "block {block} includes the weights, yet the chain holds others: another process sets weights with this key"
    )]
    NotStored {
        /// The block that includes the extrinsic.
        block: BlockNumber,
    },
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl From<ReadError> for SetWeightsError {
    fn from(error: ReadError) -> Self {
        Self::Submit(error.into())
    }
}

impl Client {
    /// Sets the hotkey's row of weights in the open, at most once per epoch, and reads it back from the block that
    /// includes it.
    ///
    /// The chain scales the row so that its largest weight is 65535. Whether this epoch has weights already, and the
    /// nonce that the extrinsic is signed with, come from one finalized block: an extrinsic that was sent before a crash
    /// and is included later takes that nonce, so the row cannot be set twice. Nothing is sent where the chain's state
    /// already tells that it would be refused.
    pub async fn set_weights(
        &self,
        hotkey: &sr25519::Pair,
        netuid: NetUid,
        weights: &[(Uid, u16)],
        version_key: u64,
    ) -> Result<Included, SetWeightsError> {
        let account = PairSigner(hotkey).account();
        let sent = Sent {
            weights,
            version_key,
        };
        let mut signatures = 1;
        loop {
            let state = self.state(None).await?;
            let standing = Standing::read(&state, netuid, &account).await?;
            if standing.commit_reveal {
                return Err(SetWeightsError::CommitReveal { netuid });
            }
            match self.set_plain(&state, &standing, hotkey, &sent).await {
                Err(SetWeightsError::Submit(SubmitError::Outdated { .. }))
                    if signatures < SIGNATURES =>
                {
                    signatures += 1;
                    self.wait_past(&state).await?;
                }
                result => return result,
            }
        }
    }

    async fn set_plain(
        &self,
        state: &State,
        standing: &Standing,
        hotkey: &sr25519::Pair,
        sent: &Sent<'_>,
    ) -> Result<Included, SetWeightsError> {
        self.check(state, standing, sent).await?;
        let submission = Submission::Plain {
            weights: sent.weights.to_vec(),
            version_key: sent.version_key,
        };
        let included = self
            .send(state, standing, hotkey, &submission, sent)
            .await?;
        self.read_back(standing, sent.weights, included).await
    }

    /// What the chain's state tells to be refused, before anything is paid.
    async fn check(
        &self,
        state: &State,
        standing: &Standing,
        sent: &Sent<'_>,
    ) -> Result<(), SetWeightsError> {
        standing.check(sent.weights, sent.version_key)?;
        let threshold = standing.stake_threshold;
        if threshold == Rao(0) {
            return Ok(());
        }
        // Stake that counts includes what parents lend and TAO at its weight: only the chain can add that up.
        match metagraph::stake_of(state, standing.netuid, standing.uid).await? {
            Some(stake) if stake < threshold => Err(SetWeightsError::StakeTooLow {
                hotkey: standing.hotkey,
                netuid: standing.netuid,
                threshold,
            }),
            _ => Ok(()),
        }
    }

    async fn send(
        &self,
        state: &State,
        standing: &Standing,
        hotkey: &sr25519::Pair,
        submission: &Submission,
        sent: &Sent<'_>,
    ) -> Result<Included, SetWeightsError> {
        let call = submission.call(Calls::of(state), standing.netuid);
        self.submit_at(state, hotkey, standing.nonce, &call)
            .await
            .map_err(|error| refused(error, standing, sent))
    }

    /// The row on chain in the block that includes the extrinsic must be the one that was sent.
    async fn read_back(
        &self,
        standing: &Standing,
        sent: &[(Uid, u16)],
        included: Included,
    ) -> Result<Included, SetWeightsError> {
        let state = self.state_of(included.block).await?;
        match same_row(sent, &stored_row(&state, standing).await?) {
            true => Ok(included),
            false => Err(SetWeightsError::NotStored {
                block: included.block,
            }),
        }
    }

    /// The state in the finalized block at this height.
    async fn state_of(&self, block: BlockNumber) -> Result<State, ReadError> {
        let hash = self.block_hash(block).await?;
        self.state(Some(hash)).await
    }

    /// Waits until a block after that of `state` is final.
    async fn wait_past(&self, state: &State) -> Result<(), ReadError> {
        let work = async {
            while self.finalized().await?.number <= state.block().number {
                tokio::time::sleep(crate::submit::POLL).await;
            }
            Ok(())
        };
        self.rpc().within(work).await
    }
}

/// A row on its way.
struct Sent<'a> {
    weights: &'a [(Uid, u16)],
    version_key: u64,
}

async fn stored_row(state: &State, standing: &Standing) -> Result<Vec<(u16, u16)>, ReadError> {
    let mut batch = state.batch();
    let row = batch.ask(items::WEIGHTS, (standing.netuid.0, standing.uid.0))?;
    Ok(batch.send().await?.get(row)?.unwrap_or_default())
}

fn refused(error: SubmitError, standing: &Standing, sent: &Sent<'_>) -> SetWeightsError {
    let (hotkey, netuid) = (standing.hotkey, standing.netuid);
    match error.refusal() {
        Some("HotKeyNotRegisteredInSubNet" | "HotKeyNotRegisteredInNetwork" | "UidNotFound") => {
            SetWeightsError::NotRegistered { hotkey, netuid }
        }
        Some("NeuronNoValidatorPermit") => SetWeightsError::NoPermit { hotkey, netuid },
        Some("SettingWeightsTooFast" | "CommittingWeightsTooFast") => {
            SetWeightsError::TooFast { wait_blocks: 1 }
        }
        Some("NotEnoughStakeToSetWeights" | "AmountTooLow") => SetWeightsError::StakeTooLow {
            hotkey,
            netuid,
            threshold: standing.stake_threshold,
        },
        Some("TooManyUnrevealedCommits") => SetWeightsError::TooManyCommits { hotkey, netuid },
        Some(
            reason @ ("NoWeightsCommitFound"
            | "InvalidRevealCommitHashNotMatch"
            | "ExpiredWeightCommit"
            | "RevealTooEarly"),
        ) => SetWeightsError::CannotReveal {
            netuid,
            reason: reason.to_owned(),
        },
        Some("IncorrectWeightVersionKey") => SetWeightsError::OldVersion {
            netuid,
            chain: sent.version_key.saturating_add(1),
            ours: sent.version_key,
        },
        Some("CommitRevealEnabled") => SetWeightsError::CommitReveal { netuid },
        Some(
            reason @ ("WeightVecLengthIsLow"
            | "MaxWeightExceeded"
            | "UidsLengthExceedUidsInSubNet"
            | "UidVecContainInvalidOne"),
        ) => SetWeightsError::BadRow {
            netuid,
            len: sent.weights.len(),
            reason: reason.to_owned(),
        },
        _ => error.into(),
    }
}

/// Whether the stored row is the sent one, scaled by the chain in its fixed point.
fn same_row(sent: &[(Uid, u16)], stored: &[(u16, u16)]) -> bool {
    let largest = sent
        .iter()
        .map(|(_, weight)| *weight)
        .max()
        .unwrap_or_default();
    sent.len() == stored.len()
        && sent
            .iter()
            .zip(stored)
            .all(|((uid, weight), (stored_uid, stored_weight))| {
                let scaled = match largest {
                    0 => 0,
                    largest => (u32::from(*weight) * u32::from(u16::MAX)) / u32::from(largest),
                };
                uid.0 == *stored_uid && scaled.abs_diff((*stored_weight).into()) <= 1
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_recognised_after_the_chain_has_scaled_it() {
        let sent = [(Uid(0), 10), (Uid(3), 30)];
        assert!(same_row(&sent, &[(0, 21845), (3, 65535)]));
        assert!(
            same_row(&sent, &[(0, 21844), (3, 65535)]),
            "fixed point may lose a unit"
        );
        assert!(!same_row(&sent, &[(0, 65535), (3, 21845)]));
        assert!(!same_row(&sent, &[(0, 21845)]));
        assert!(!same_row(&sent, &[(1, 21845), (3, 65535)]));
        assert!(same_row(&[(Uid(1), 0)], &[(1, 0)]));
    }
}
