//! Sets a validator's weights, once per epoch, and makes sure that they are on chain.

use std::collections::BTreeSet;

use athanor_spec::{BlockNumber, Hotkey, NetUid, Uid};
use scale_value::Value;
use sp_core::sr25519;
use thiserror::Error;

use crate::{
    Client, Included, ReadError, SubmitError,
    block::height,
    client::AccountInfo,
    items,
    schedule::ScheduleAsks,
    signer::PairSigner,
    state::{State, account},
    submit::Call,
};

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
        "{hotkey} has less stake on subnet {netuid} than the chain asks of one that sets weights: stake more"
    )]
    StakeTooLow {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
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
        "subnet {netuid} has commit-reveal on, and this build sets plain weights only: its owner can turn it off"
    )]
    CommitReveal {
        /// The subnet.
        netuid: NetUid,
    },
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
    /// Sets the hotkey's row of weights, at most once per epoch, and reads it back from the block that includes it.
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
        let signer = PairSigner(hotkey).account();
        let state = self.state(None).await?;
        let standing = Standing::read(&state, netuid, &signer).await?;
        standing.check(&state, netuid, &signer, weights, version_key)?;

        let call = call(netuid, weights, version_key);
        let included = self
            .submit_at(&state, hotkey, standing.nonce, &call)
            .await
            .map_err(|error| refused(error, &signer, netuid, weights, version_key))?;
        self.read_back(netuid, standing.uid, weights, included)
            .await
    }

    async fn read_back(
        &self,
        netuid: NetUid,
        uid: Uid,
        sent: &[(Uid, u16)],
        included: Included,
    ) -> Result<Included, SetWeightsError> {
        let hash = self
            .rpc()
            .block_hash(included.block)
            .await?
            .ok_or_else(|| ReadError::UnknownBlock {
                block: included.block.to_string(),
            })?;
        let state = self.state(Some(hash)).await?;
        let mut batch = state.batch();
        let ask = batch.ask::<Vec<(u16, u16)>>(items::WEIGHTS, (netuid.0, uid.0))?;
        let stored = batch.send().await?.get(ask)?.unwrap_or_default();
        if same_row(sent, &stored) {
            Ok(included)
        } else {
            Err(SetWeightsError::NotStored {
                block: included.block,
            })
        }
    }
}

/// How a validator stands at one block.
struct Standing {
    uid: Uid,
    nonce: u64,
    neurons: u16,
    permit: bool,
    last_update: u64,
    registered_at: u64,
    last_epoch_block: BlockNumber,
    rate_limit: u64,
    version_key: u64,
    commit_reveal: bool,
}

impl Standing {
    async fn read(state: &State, netuid: NetUid, hotkey: &Hotkey) -> Result<Self, SetWeightsError> {
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let uid = batch.ask::<u16>(items::UIDS, (netuid.0, account(hotkey)))?;
        let info = batch.ask::<AccountInfo>(items::ACCOUNT, (account(hotkey),))?;
        let neurons = batch.ask::<u16>(items::SUBNETWORK_N, (netuid.0,))?;
        let permits = batch.ask::<Vec<bool>>(items::VALIDATOR_PERMIT, (netuid.0,))?;
        let last_update = batch.ask::<Vec<u64>>(items::LAST_UPDATE, (netuid.0,))?;
        let schedule = ScheduleAsks::new(&mut batch, netuid)?;
        let rate_limit = batch.ask::<u64>(items::WEIGHTS_SET_RATE_LIMIT, (netuid.0,))?;
        let version_key = batch.ask::<u64>(items::WEIGHTS_VERSION_KEY, (netuid.0,))?;
        let commit_reveal = batch.ask::<bool>(items::COMMIT_REVEAL_WEIGHTS_ENABLED, (netuid.0,))?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid }.into());
        }
        let Some(uid) = answers.get(uid)? else {
            return Err(SetWeightsError::NotRegistered {
                hotkey: *hotkey,
                netuid,
            });
        };

        let mut batch = state.batch();
        let registered_at = batch.ask::<u64>(items::BLOCK_AT_REGISTRATION, (netuid.0, uid))?;
        let registered_at = batch.send().await?.get(registered_at)?.unwrap_or_default();
        let entry = usize::from(uid);
        Ok(Self {
            uid: Uid(uid),
            nonce: answers.get(info)?.map_or(0, |info| info.nonce.into()),
            neurons: answers.get(neurons)?.unwrap_or_default(),
            permit: answers
                .get(permits)?
                .is_some_and(|permits| permits.get(entry) == Some(&true)),
            last_update: answers
                .get(last_update)?
                .and_then(|last| last.get(entry).copied())
                .unwrap_or_default(),
            registered_at,
            last_epoch_block: schedule.schedule(state, &answers)?.last_epoch_block,
            rate_limit: answers.get(rate_limit)?.unwrap_or_default(),
            version_key: answers.get(version_key)?.unwrap_or_default(),
            commit_reveal: answers.get(commit_reveal)?.unwrap_or_default(),
        })
    }

    /// What the runtime would refuse, in the order in which it matters to the caller.
    fn check(
        &self,
        state: &State,
        netuid: NetUid,
        hotkey: &Hotkey,
        weights: &[(Uid, u16)],
        version_key: u64,
    ) -> Result<(), SetWeightsError> {
        // A registration writes the last update too; only a later one is weights.
        let ever_set = self.last_update > self.registered_at;
        if ever_set && height(self.last_update) >= self.last_epoch_block {
            return Err(SetWeightsError::AlreadySet {
                block: height(self.last_update),
            });
        }
        if self.commit_reveal {
            return Err(SetWeightsError::CommitReveal { netuid });
        }
        if !self.permit {
            return Err(SetWeightsError::NoPermit {
                hotkey: *hotkey,
                netuid,
            });
        }
        if version_key < self.version_key {
            return Err(SetWeightsError::OldVersion {
                netuid,
                chain: self.version_key,
                ours: version_key,
            });
        }
        let mut seen = BTreeSet::new();
        for (uid, _) in weights {
            if uid.0 >= self.neurons {
                return Err(SetWeightsError::UnknownUid {
                    uid: *uid,
                    netuid,
                    neurons: self.neurons,
                });
            }
            if !seen.insert(*uid) {
                return Err(SetWeightsError::DuplicateUid { uid: *uid });
            }
        }
        // The earliest block that can include the extrinsic is the next one.
        let passed = u64::from(state.block().number.0) + 1
            - self.last_update.min(state.block().number.0.into());
        if self.last_update > 0 && passed < self.rate_limit {
            return Err(SetWeightsError::TooFast {
                wait_blocks: self.rate_limit - passed,
            });
        }
        Ok(())
    }
}

fn refused(
    error: SubmitError,
    hotkey: &Hotkey,
    netuid: NetUid,
    weights: &[(Uid, u16)],
    version_key: u64,
) -> SetWeightsError {
    let hotkey = *hotkey;
    match error.refusal() {
        Some("HotKeyNotRegisteredInSubNet" | "HotKeyNotRegisteredInNetwork" | "UidNotFound") => {
            SetWeightsError::NotRegistered { hotkey, netuid }
        }
        Some("NeuronNoValidatorPermit") => SetWeightsError::NoPermit { hotkey, netuid },
        Some("SettingWeightsTooFast" | "CommittingWeightsTooFast") => {
            SetWeightsError::TooFast { wait_blocks: 1 }
        }
        Some("NotEnoughStakeToSetWeights" | "AmountTooLow") => {
            SetWeightsError::StakeTooLow { hotkey, netuid }
        }
        Some("IncorrectWeightVersionKey") => SetWeightsError::OldVersion {
            netuid,
            chain: version_key.saturating_add(1),
            ours: version_key,
        },
        Some("CommitRevealEnabled") => SetWeightsError::CommitReveal { netuid },
        Some(
            reason @ ("WeightVecLengthIsLow"
            | "MaxWeightExceeded"
            | "UidsLengthExceedUidsInSubNet"
            | "UidVecContainInvalidOne"),
        ) => SetWeightsError::BadRow {
            netuid,
            len: weights.len(),
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

pub(crate) fn call(netuid: NetUid, weights: &[(Uid, u16)], version_key: u64) -> Call {
    let list = |values: Vec<u16>| {
        Value::unnamed_composite(values.into_iter().map(|value| Value::u128(value.into())))
    };
    Call {
        pallet: "SubtensorModule",
        name: "set_weights",
        arguments: vec![
            ("netuid", Value::u128(netuid.0.into())),
            (
                "dests",
                list(weights.iter().map(|(uid, _)| uid.0).collect()),
            ),
            (
                "weights",
                list(weights.iter().map(|(_, weight)| *weight).collect()),
            ),
            ("version_key", Value::u128(version_key.into())),
        ],
    }
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
