//! How a validator stands at one block: everything that decides whether, and in which form, the chain takes its weights.

use std::collections::BTreeSet;

use athanor_spec::{BlockNumber, Hotkey, NetUid, Rao, Uid};

use super::SetWeightsError;
use crate::{
    EpochSchedule, ReadError,
    block::height,
    client::AccountInfo,
    items,
    schedule::{Cycle, ScheduleAsks},
    state::{Answers, Ask, Batch, State, account},
    timelock::{self, Beacon},
};

/// quicknet has stopped for a chain whose latest round of it is older than this: nobody would open what is encrypted to it.
const BEACON_SILENCE_SECONDS: u64 = 600;

/// How a subnet takes weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// In the open, counting from the next epoch on.
    Plain,
    /// By hash; the validator reveals them some epochs later.
    HashCommit,
    /// Encrypted to a round of a public beacon; the chain opens them some epochs later.
    Timelocked,
}

/// A validator at one block.
pub(crate) struct Standing {
    pub(crate) netuid: NetUid,
    pub(crate) hotkey: Hotkey,
    pub(crate) block: BlockNumber,
    pub(crate) uid: Uid,
    pub(crate) nonce: u64,
    pub(crate) cycle: Cycle,
    pub(crate) commit_reveal: bool,
    pub(crate) reveal_period: u64,
    /// Blocks after which a validator that is silent no longer counts.
    pub(crate) activity_cutoff: Option<u64>,
    pub(crate) last_update: u64,
    pub(crate) stake_threshold: Rao,
    pub(crate) beacon: Option<LiveBeacon>,
    commit_version: u16,
    neurons: u16,
    permit: bool,
    registered_at: u64,
    rate_limit: u64,
    version_key: u64,
    min_weights: u16,
    max_weight: u16,
}

/// The beacon that a chain follows, and the chain's own clock.
pub(crate) struct LiveBeacon {
    pub(crate) beacon: Beacon,
    pub(crate) now_ms: u64,
    pub(crate) block_time_ms: u64,
    last_round: u64,
}

impl LiveBeacon {
    /// Whether rounds come. A chain that is its own beacon signs those that somebody waits for; drand's have to be carried
    /// to the chain, which may have ended.
    fn speaks(&self) -> bool {
        if self.beacon.public_key != Beacon::quicknet().public_key {
            return true;
        }
        let round = self.beacon.round_at(self.now_ms / 1000);
        let silence = round.saturating_sub(self.last_round) * self.beacon.period;
        self.last_round > 0 && silence <= BEACON_SILENCE_SECONDS
    }
}

#[derive(scale_decode::DecodeAsType)]
struct BeaconConfiguration {
    public_key: Vec<u8>,
    period: u32,
    genesis_time: u32,
}

struct Asks {
    exists: Ask<bool>,
    uid: Ask<u16>,
    account: Ask<AccountInfo>,
    neurons: Ask<u16>,
    permits: Ask<Vec<bool>>,
    last_update: Ask<Vec<u64>>,
    schedule: ScheduleAsks,
    rate_limit: Ask<u64>,
    version_key: Ask<u64>,
    commit_reveal: Ask<bool>,
    commit_version: Option<Ask<u16>>,
    reveal_period: Option<Ask<u64>>,
    min_weights: Option<Ask<u16>>,
    max_weight: Option<Ask<u16>>,
    stake_threshold: Option<Ask<u64>>,
    cutoff: Option<Ask<u16>>,
    cutoff_factor: Option<Ask<u32>>,
    beacon: Option<(Ask<BeaconConfiguration>, Ask<u64>)>,
    now: Ask<u64>,
}

impl Asks {
    fn new(batch: &mut Batch<'_>, netuid: NetUid, hotkey: &Hotkey) -> Result<Self, ReadError> {
        let n = (netuid.0,);
        Ok(Self {
            exists: batch.ask(items::NETWORKS_ADDED, n)?,
            uid: batch.ask(items::UIDS, (netuid.0, account(hotkey)))?,
            account: batch.ask(items::ACCOUNT, (account(hotkey),))?,
            neurons: batch.ask(items::SUBNETWORK_N, n)?,
            permits: batch.ask(items::VALIDATOR_PERMIT, n)?,
            last_update: batch.ask(items::LAST_UPDATE, n)?,
            schedule: ScheduleAsks::new(batch, netuid)?,
            rate_limit: batch.ask(items::WEIGHTS_SET_RATE_LIMIT, n)?,
            version_key: batch.ask(items::WEIGHTS_VERSION_KEY, n)?,
            commit_reveal: batch.ask(items::COMMIT_REVEAL_WEIGHTS_ENABLED, n)?,
            commit_version: batch.ask_known(items::COMMIT_REVEAL_VERSION, ())?,
            reveal_period: batch.ask_known(items::REVEAL_PERIOD, n)?,
            min_weights: batch.ask_known(items::MIN_ALLOWED_WEIGHTS, n)?,
            max_weight: batch.ask_known(items::MAX_WEIGHTS_LIMIT, n)?,
            stake_threshold: batch.ask_known(items::STAKE_THRESHOLD, ())?,
            cutoff: batch.ask_known(items::ACTIVITY_CUTOFF, n)?,
            cutoff_factor: batch.ask_known(items::ACTIVITY_CUTOFF_FACTOR, n)?,
            beacon: match batch.ask_known(items::BEACON, ())? {
                Some(config) => Some((config, batch.ask(items::LAST_DRAND_ROUND, ())?)),
                None => None,
            },
            now: batch.ask(items::NOW, ())?,
        })
    }

    fn beacon(
        &self,
        state: &State,
        answers: &Answers<'_>,
    ) -> Result<Option<LiveBeacon>, ReadError> {
        let Some((config, last_round)) = self.beacon else {
            return Ok(None);
        };
        let Some(config) = answers.get(config)? else {
            return Ok(None);
        };
        Ok(Some(LiveBeacon {
            beacon: Beacon {
                public_key: config.public_key,
                genesis: config.genesis_time.into(),
                period: config.period.into(),
            },
            now_ms: answers.get(self.now)?.unwrap_or_default(),
            block_time_ms: state.block_time_ms(),
            last_round: answers.get(last_round)?.unwrap_or_default(),
        }))
    }
}

impl Standing {
    pub(crate) async fn read(
        state: &State,
        netuid: NetUid,
        hotkey: &Hotkey,
    ) -> Result<Self, SetWeightsError> {
        let mut batch = state.batch();
        let asks = Asks::new(&mut batch, netuid, hotkey)?;
        let answers = batch.send().await?;
        if !answers.get(asks.exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid }.into());
        }
        let Some(uid) = answers.get(asks.uid)? else {
            return Err(SetWeightsError::NotRegistered {
                hotkey: *hotkey,
                netuid,
            });
        };
        let mut batch = state.batch();
        let registered_at = batch.ask::<u64>(items::BLOCK_AT_REGISTRATION, (netuid.0, uid))?;
        let registered_at = batch.send().await?.get(registered_at)?.unwrap_or_default();

        let entry = usize::from(uid);
        let cycle = asks.schedule.cycle(state, &answers)?;
        let cutoff = match asks.cutoff_factor {
            Some(factor) => answers
                .get(factor)?
                .map(|factor| u64::from(cycle.schedule.tempo) * u64::from(factor) / 1000),
            None => answers.get_known(asks.cutoff)?.map(u64::from),
        };
        Ok(Self {
            netuid,
            hotkey: *hotkey,
            block: state.block().number,
            uid: Uid(uid),
            nonce: answers
                .get(asks.account)?
                .map_or(0, |info| info.nonce.into()),
            neurons: answers.get(asks.neurons)?.unwrap_or_default(),
            permit: answers
                .get(asks.permits)?
                .is_some_and(|permits| permits.get(entry) == Some(&true)),
            last_update: answers
                .get(asks.last_update)?
                .and_then(|last| last.get(entry).copied())
                .unwrap_or_default(),
            registered_at,
            cycle,
            rate_limit: answers.get(asks.rate_limit)?.unwrap_or_default(),
            version_key: answers.get(asks.version_key)?.unwrap_or_default(),
            commit_reveal: answers.get(asks.commit_reveal)?.unwrap_or_default(),
            commit_version: answers.get_known(asks.commit_version)?.unwrap_or_default(),
            reveal_period: answers.get_known(asks.reveal_period)?.unwrap_or(1),
            activity_cutoff: cutoff,
            min_weights: answers.get_known(asks.min_weights)?.unwrap_or_default(),
            max_weight: answers.get_known(asks.max_weight)?.unwrap_or(u16::MAX),
            stake_threshold: Rao(answers.get_known(asks.stake_threshold)?.unwrap_or_default()),
            beacon: asks.beacon(state, &answers)?,
        })
    }

    pub(crate) fn schedule(&self) -> &EpochSchedule {
        &self.cycle.schedule
    }

    /// How the subnet takes weights now. With commit-reveal on, the chain takes both forms: the timelocked one needs no
    /// second call, but a beacon that still speaks.
    pub(crate) fn protocol(&self) -> Protocol {
        let opened = self.beacon.as_ref().is_some_and(LiveBeacon::speaks);
        match (self.commit_reveal, self.commit_version, opened) {
            (false, _, _) => Protocol::Plain,
            (true, timelock::VERSION, true) => Protocol::Timelocked,
            (true, _, _) => Protocol::HashCommit,
        }
    }

    /// Whether the validator's weights of the running epoch are there, or committed: since which block.
    pub(crate) fn served(&self) -> Option<BlockNumber> {
        // A registration writes the last update too; only a later one is weights.
        let ever_set = self.last_update > self.registered_at;
        let last = height(self.last_update);
        (ever_set && last >= self.schedule().last_epoch_block).then_some(last)
    }

    /// What the runtime would refuse, in the order in which it matters to the caller.
    pub(crate) fn check(
        &self,
        weights: &[(Uid, u16)],
        version_key: u64,
    ) -> Result<(), SetWeightsError> {
        let (hotkey, netuid) = (self.hotkey, self.netuid);
        if let Some(block) = self.served() {
            return Err(SetWeightsError::AlreadySet { block });
        }
        let for_itself = matches!(weights, [(uid, _)] if *uid == self.uid);
        if !self.permit && !for_itself {
            return Err(SetWeightsError::NoPermit { hotkey, netuid });
        }
        if version_key < self.version_key {
            return Err(SetWeightsError::OldVersion {
                netuid,
                chain: self.version_key,
                ours: version_key,
            });
        }
        self.check_row(weights, for_itself)?;
        // The earliest block that can include the extrinsic is the next one.
        let block = u64::from(self.block.0);
        let passed = block + 1 - self.last_update.min(block);
        if self.last_update > 0 && passed < self.rate_limit {
            return Err(SetWeightsError::TooFast {
                wait_blocks: self.rate_limit - passed,
            });
        }
        Ok(())
    }

    fn check_row(&self, weights: &[(Uid, u16)], for_itself: bool) -> Result<(), SetWeightsError> {
        let netuid = self.netuid;
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
        let least = self.min_weights.min(self.neurons);
        if !for_itself && weights.len() < usize::from(least) {
            return Err(SetWeightsError::TooFewWeights {
                netuid,
                len: weights.len(),
                least,
            });
        }
        match over_limit(weights, self.max_weight) {
            Some(uid) if !for_itself => Err(SetWeightsError::TooLargeWeight {
                netuid,
                uid,
                limit: self.max_weight,
            }),
            _ => Ok(()),
        }
    }
}

/// The neuron that gets more than `limit` of 65535 of all weights, if one does.
fn over_limit(weights: &[(Uid, u16)], limit: u16) -> Option<Uid> {
    let sum: u128 = weights.iter().map(|(_, weight)| u128::from(*weight)).sum();
    let over = |weight: u16| u128::from(weight) * u128::from(u16::MAX) > u128::from(limit) * sum;
    let found = weights.iter().find(|(_, weight)| over(*weight));
    found.filter(|_| limit < u16::MAX).map(|(uid, _)| *uid)
}

#[cfg(test)]
mod tests;
