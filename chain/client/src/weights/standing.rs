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
mod tests {
    use athanor_spec::Epoch;

    use super::*;

    /// A validator in block 1000 of a subnet with 16 neurons, which may set weights.
    fn standing() -> Standing {
        Standing {
            netuid: NetUid(1),
            hotkey: Hotkey([1; 32]),
            block: BlockNumber(1000),
            uid: Uid(3),
            nonce: 0,
            cycle: Cycle {
                schedule: EpochSchedule {
                    tempo: 100,
                    epoch: Epoch(9),
                    last_epoch_block: BlockNumber(950),
                    next_epoch_block: BlockNumber(1050),
                },
                length: 100,
                counted: true,
            },
            commit_reveal: false,
            reveal_period: 1,
            activity_cutoff: Some(5000),
            last_update: 900,
            stake_threshold: Rao(0),
            beacon: None,
            commit_version: timelock::VERSION,
            neurons: 16,
            permit: true,
            registered_at: 10,
            rate_limit: 100,
            version_key: 7,
            min_weights: 2,
            max_weight: 40_000,
        }
    }

    const ROW: [(Uid, u16); 2] = [(Uid(1), 50), (Uid(2), 50)];

    /// Asserts what becomes of `row` when `change` is made to a standing in which [`ROW`] may be set.
    fn check(
        change: impl FnOnce(&mut Standing),
        row: &[(Uid, u16)],
        expected: fn(&SetWeightsError) -> bool,
        advice: &str,
    ) {
        let mut standing = standing();
        assert!(standing.check(&ROW, 7).is_ok());
        change(&mut standing);
        let error = standing.check(row, 7).unwrap_err();
        let text = error.to_string();
        assert!(expected(&error) && text.contains(advice), "{text}");
    }

    #[test]
    fn every_refusal_that_can_be_foreseen_has_its_own_error_and_advice() {
        use SetWeightsError as E;
        check(
            |standing| standing.last_update = 960,
            &ROW,
            |error| matches!(error, E::AlreadySet { block } if block.0 == 960),
            "due in the next epoch",
        );
        check(
            |standing| standing.permit = false,
            &ROW,
            |error| matches!(error, E::NoPermit { .. }),
            "stake more",
        );
        check(
            |standing| standing.version_key = 8,
            &ROW,
            |error| {
                matches!(
                    error,
                    E::OldVersion {
                        chain: 8,
                        ours: 7,
                        ..
                    }
                )
            },
            "update it",
        );
        check(
            |standing| standing.neurons = 2,
            &ROW,
            |error| {
                matches!(
                    error,
                    E::UnknownUid {
                        uid: Uid(2),
                        neurons: 2,
                        ..
                    }
                )
            },
            "read the metagraph again",
        );
        check(
            |_| {},
            &[ROW[0], ROW[0]],
            |error| matches!(error, E::DuplicateUid { uid: Uid(1) }),
            "twice",
        );
        check(
            |_| {},
            &ROW[..1],
            |error| {
                matches!(
                    error,
                    E::TooFewWeights {
                        len: 1,
                        least: 2,
                        ..
                    }
                )
            },
            "give more miners a weight",
        );
        check(
            |_| {},
            &[(Uid(1), 10), (Uid(2), 90)],
            |error| {
                matches!(
                    error,
                    E::TooLargeWeight {
                        uid: Uid(2),
                        limit: 40_000,
                        ..
                    }
                )
            },
            "spread the weights",
        );
        check(
            |standing| standing.rate_limit = 150,
            &ROW,
            |error| matches!(error, E::TooFast { wait_blocks: 49 }),
            "in 49 blocks",
        );
    }

    #[test]
    fn what_the_runtime_exempts_is_exempt() {
        // A neuron may always vote for itself alone, however short and one-sided that is.
        let mut own = standing();
        own.permit = false;
        assert!(own.check(&[(Uid(3), 1)], 7).is_ok());
        // A subnet with fewer neurons than its least number of weights takes as many as there are.
        let mut small = standing();
        (small.neurons, small.min_weights) = (2, 9);
        (small.uid, small.max_weight) = (Uid(0), u16::MAX);
        assert!(small.check(&[(Uid(0), 1), (Uid(1), 1)], 7).is_ok());
        // A registration writes the last update, and is no row of weights.
        let mut fresh = standing();
        (fresh.registered_at, fresh.last_update, fresh.rate_limit) = (960, 960, 0);
        assert!(fresh.check(&ROW, 7).is_ok());
    }

    #[test]
    fn a_weight_is_over_the_limit_by_its_share_of_all() {
        let row = [(Uid(0), 10), (Uid(1), 30)];
        assert_eq!(over_limit(&row, u16::MAX), None);
        assert_eq!(over_limit(&row, 49151), Some(Uid(1)), "75 % are 49151.25");
        assert_eq!(over_limit(&row, 49152), None);
        assert_eq!(over_limit(&[(Uid(0), 0)], 1), None);
        assert_eq!(over_limit(&[], 1), None);
    }

    #[test]
    fn a_beacon_that_fell_silent_is_not_trusted_to_open_anything() {
        let live = |now: u64, last_round| LiveBeacon {
            beacon: Beacon::quicknet(),
            now_ms: now * 1000,
            block_time_ms: 12_000,
            last_round,
        };
        let now = Beacon::quicknet().genesis + 3000;
        assert!(live(now, 1000).speaks());
        assert!(live(now, 801).speaks());
        assert!(!live(now, 799).speaks());
        assert!(!live(now, 0).speaks());
        assert!(live(now, 2000).speaks(), "a clock behind the beacon's");
        let mut own = live(now, 0);
        own.beacon.public_key[0] ^= 1;
        assert!(own.speaks());
    }
}
