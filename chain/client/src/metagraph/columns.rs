//! A subnet's columns, from the runtime's API or from storage, and their way into neurons.

use std::collections::HashMap;

use athanor_spec::{BlockNumber, Commitment, Hotkey, NetUid, Rao, Uid};
use codec::Encode as _;
use scale_decode::DecodeAsType;

use super::{AxonInfo, Neuron};
use crate::{
    EpochSchedule, ReadError,
    block::height,
    commitment::Registration,
    items,
    schedule::ScheduleAsks,
    state::{Ask, Batch, State, account},
};

/// What is read for the whole subnet, whichever way the neurons come.
pub(super) struct Columns {
    pub(super) len: u16,
    pub(super) schedule: EpochSchedule,
    validator_trust: Vec<u16>,
    active: Vec<bool>,
    validator_permit: Vec<bool>,
    incentive: Vec<u16>,
    dividends: Vec<u16>,
    consensus: Vec<u16>,
    emission: Vec<u64>,
    last_update: Vec<u64>,
}

impl Columns {
    pub(super) async fn read(state: &State, netuid: NetUid) -> Result<Self, ReadError> {
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let len = batch.ask::<u16>(items::SUBNETWORK_N, (netuid.0,))?;
        let schedule = ScheduleAsks::new(&mut batch, netuid)?;
        let validator_trust = batch.ask(items::VALIDATOR_TRUST, (netuid.0,))?;
        let active = batch.ask(items::ACTIVE, (netuid.0,))?;
        let validator_permit = batch.ask(items::VALIDATOR_PERMIT, (netuid.0,))?;
        let incentive = batch.ask(items::INCENTIVE, (netuid.0,))?;
        let dividends = batch.ask(items::DIVIDENDS, (netuid.0,))?;
        let consensus = batch.ask(items::CONSENSUS, (netuid.0,))?;
        let emission = batch.ask(items::EMISSION, (netuid.0,))?;
        let last_update = batch.ask(items::LAST_UPDATE, (netuid.0,))?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid });
        }
        Ok(Self {
            len: answers.get(len)?.unwrap_or_default(),
            schedule: schedule.schedule(state, &answers)?,
            validator_trust: answers.get(validator_trust)?.unwrap_or_default(),
            active: answers.get(active)?.unwrap_or_default(),
            validator_permit: answers.get(validator_permit)?.unwrap_or_default(),
            incentive: answers.get(incentive)?.unwrap_or_default(),
            dividends: answers.get(dividends)?.unwrap_or_default(),
            consensus: answers.get(consensus)?.unwrap_or_default(),
            emission: answers.get(emission)?.unwrap_or_default(),
            last_update: answers.get(last_update)?.unwrap_or_default(),
        })
    }
}

/// Who holds the slots and since when.
pub(super) struct ByUid {
    slots: Vec<(Hotkey, BlockNumber)>,
}

/// `get_metagraph`'s answer, as far as it is used.
#[derive(DecodeAsType)]
pub(super) struct ApiMetagraph {
    hotkeys: Vec<[u8; 32]>,
    block_at_registration: Vec<u64>,
    total_stake: Vec<u64>,
}

impl ApiMetagraph {
    pub(super) fn total_stake(&self, uid: Uid) -> Option<Rao> {
        self.total_stake.get(usize::from(uid.0)).copied().map(Rao)
    }
}

/// The API's answer; `None` if the runtime lacks it, or knows no such subnet.
pub(super) async fn api(state: &State, netuid: NetUid) -> Result<Option<ApiMetagraph>, ReadError> {
    let answer: Option<Option<ApiMetagraph>> =
        state.api(items::METAGRAPH_API, &netuid.0.encode()).await?;
    Ok(answer.flatten())
}

impl ByUid {
    /// The slots as the runtime's API gives them; `None` if it does not.
    pub(super) async fn from_api(state: &State, netuid: NetUid) -> Result<Option<Self>, ReadError> {
        Ok(api(state, netuid).await?.map(|answer| Self {
            slots: answer
                .hotkeys
                .into_iter()
                .map(Hotkey)
                .zip(answer.block_at_registration.into_iter().map(height))
                .collect(),
        }))
    }

    /// The slots as storage has them.
    pub(super) async fn from_storage(
        state: &State,
        netuid: NetUid,
        columns: &Columns,
    ) -> Result<Self, ReadError> {
        let mut batch = state.batch();
        let asks: Vec<(Ask<[u8; 32]>, Ask<u64>)> = (0..columns.len)
            .map(|uid| {
                let key = (netuid.0, uid);
                Ok((
                    batch.ask(items::KEYS, key)?,
                    batch.ask(items::BLOCK_AT_REGISTRATION, key)?,
                ))
            })
            .collect::<Result<_, ReadError>>()?;
        let answers = batch.send().await?;
        let slots = asks
            .into_iter()
            .map(|(hotkey, registered_at)| {
                Ok((
                    Hotkey(answers.get(hotkey)?.unwrap_or_default()),
                    height(answers.get(registered_at)?.unwrap_or_default()),
                ))
            })
            .collect::<Result<_, ReadError>>()?;
        Ok(Self { slots })
    }

    pub(super) fn hotkeys(&self) -> impl Iterator<Item = Hotkey> {
        self.slots.iter().map(|(hotkey, _)| *hotkey)
    }

    pub(super) fn neurons(&self, columns: &Columns, details: &Details) -> Vec<Neuron> {
        let slots = (0..columns.len).zip(&self.slots);
        slots
            .map(|(uid, (hotkey, registered_at))| {
                let at = usize::from(uid);
                let known = details.of(hotkey);
                Neuron {
                    uid: Uid(uid),
                    hotkey: *hotkey,
                    coldkey: known.coldkey,
                    stake: known.stake,
                    validator_permit: entry(&columns.validator_permit, at),
                    active: entry(&columns.active, at),
                    incentive: entry(&columns.incentive, at),
                    dividends: entry(&columns.dividends, at),
                    consensus: entry(&columns.consensus, at),
                    validator_trust: entry(&columns.validator_trust, at),
                    emission: Rao(entry(&columns.emission, at)),
                    last_update: height(entry(&columns.last_update, at)),
                    registered_at: *registered_at,
                    axon: known.axon,
                    commitment: known.commitment,
                }
            })
            .collect()
    }
}

/// An entry that a column lacks counts as zero.
fn entry<T: Copy + Default>(column: &[T], at: usize) -> T {
    column.get(at).copied().unwrap_or_default()
}

/// What is kept per hotkey.
#[derive(Clone, Copy)]
struct Detail {
    coldkey: Hotkey,
    stake: Rao,
    axon: Option<std::net::SocketAddr>,
    commitment: Option<(Commitment, BlockNumber)>,
}

/// What is kept per hotkey, for some of them.
pub(super) struct Details(HashMap<Hotkey, Detail>);

impl Details {
    pub(super) async fn read(
        state: &State,
        netuid: NetUid,
        hotkeys: &[Hotkey],
    ) -> Result<Self, ReadError> {
        if hotkeys.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let mut batch = state.batch();
        let asks = hotkeys
            .iter()
            .map(|hotkey| Ok((*hotkey, DetailAsks::new(&mut batch, netuid, hotkey)?)))
            .collect::<Result<Vec<_>, ReadError>>()?;
        let answers = batch.send().await?;
        let details = asks.into_iter().map(|(hotkey, asks)| {
            let committed = answers.get(asks.commitment)?;
            let detail = Detail {
                coldkey: Hotkey(answers.get(asks.coldkey)?.unwrap_or_default()),
                stake: Rao(answers.get(asks.stake)?.unwrap_or_default()),
                axon: answers.get(asks.axon)?.and_then(|axon| axon.address()),
                commitment: committed.and_then(|registration| {
                    Some((registration.info.record()?, BlockNumber(registration.block)))
                }),
            };
            Ok((hotkey, detail))
        });
        details.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn has(&self, hotkey: &Hotkey) -> bool {
        self.0.contains_key(hotkey)
    }

    pub(super) fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    fn of(&self, hotkey: &Hotkey) -> Detail {
        // Every hotkey of the picture was asked about.
        self.0.get(hotkey).copied().unwrap_or(Detail {
            coldkey: Hotkey([0; 32]),
            stake: Rao(0),
            axon: None,
            commitment: None,
        })
    }
}

struct DetailAsks {
    coldkey: Ask<[u8; 32]>,
    stake: Ask<u64>,
    axon: Ask<AxonInfo>,
    commitment: Ask<Registration>,
}

impl DetailAsks {
    fn new(batch: &mut Batch<'_>, netuid: NetUid, hotkey: &Hotkey) -> Result<Self, ReadError> {
        let hotkey = account(hotkey);
        Ok(Self {
            coldkey: batch.ask(items::OWNER, (hotkey,))?,
            stake: batch.ask(items::TOTAL_HOTKEY_ALPHA, (hotkey, netuid.0))?,
            axon: batch.ask(items::AXONS, (netuid.0, hotkey))?,
            commitment: batch.ask(items::COMMITMENT_OF, (netuid.0, hotkey))?,
        })
    }
}
