//! Who is on a subnet, and how each stands: one consistent picture of one block.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use athanor_spec::{BlockNumber, Commitment, Digest, Hotkey, NetUid, Rao, Uid};
use scale_decode::DecodeAsType;

use crate::{
    Client, EpochSchedule, ReadError,
    block::height,
    commitment::Registration,
    items,
    schedule::ScheduleAsks,
    state::{Ask, State, account},
};

/// A subnet at one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metagraph {
    /// The subnet.
    pub netuid: NetUid,
    /// Height of the block that everything here was read at.
    pub block: BlockNumber,
    /// Hash of that block.
    pub hash: Digest,
    /// When epochs run.
    pub schedule: EpochSchedule,
    /// One neuron per UID, in the order of UIDs, which start at 0 and have no gaps.
    pub neurons: Vec<Neuron>,
}

/// A registered hotkey and its standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neuron {
    /// Its slot.
    pub uid: Uid,
    /// The key that serves, scores and is paid.
    pub hotkey: Hotkey,
    /// The key that owns the hotkey.
    pub coldkey: Hotkey,
    /// Alpha staked to the hotkey on this subnet.
    pub stake: Rao,
    /// Whether it may set weights.
    pub validator_permit: bool,
    /// Whether it set weights recently enough to count in the latest epoch.
    pub active: bool,
    /// Share of the miners' emission, of 65535.
    pub incentive: u16,
    /// Share of the validators' emission, of 65535.
    pub dividends: u16,
    /// Stake-weighted consensus of its weight, of 65535.
    pub consensus: u16,
    /// How far its weights agree with the consensus, of 65535.
    pub validator_trust: u16,
    /// Emission of the latest epoch.
    pub emission: Rao,
    /// Block in which it set weights last; the block of its registration if it never did.
    pub last_update: BlockNumber,
    /// Block in which this hotkey took the slot.
    pub registered_at: BlockNumber,
    /// Where it serves, if it announced that.
    pub axon: Option<SocketAddr>,
    /// What it committed to and in which block, if it committed to a record of ours.
    pub commitment: Option<(Commitment, BlockNumber)>,
}

impl Metagraph {
    /// The neuron with this hotkey.
    pub fn by_hotkey(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.neurons.iter().find(|neuron| neuron.hotkey == *hotkey)
    }

    /// The neuron in this slot.
    pub fn by_uid(&self, uid: Uid) -> Option<&Neuron> {
        self.neurons.get(usize::from(uid.0))
    }
}

impl Client {
    /// The subnet at the latest finalized block.
    pub async fn metagraph(&self, netuid: NetUid) -> Result<Metagraph, ReadError> {
        self.metagraph_of(self.state(None).await?, netuid).await
    }

    /// The subnet as it was in the block with this hash, whose state the node must still keep.
    pub async fn metagraph_at(
        &self,
        netuid: NetUid,
        block: Digest,
    ) -> Result<Metagraph, ReadError> {
        self.metagraph_of(self.state(Some(block)).await?, netuid)
            .await
    }

    async fn metagraph_of(&self, state: State, netuid: NetUid) -> Result<Metagraph, ReadError> {
        let columns = Columns::read(&state, netuid).await?;
        let slots = columns.slots(&state, netuid).await?;
        let neurons = columns.neurons(&state, netuid, &slots).await?;
        let block = state.block();
        Ok(Metagraph {
            netuid,
            block: block.number,
            hash: block.hash,
            schedule: columns.schedule,
            neurons,
        })
    }

    /// The weights that were last set, row by row; rows of UIDs that never set any are left out.
    pub async fn weights(&self, netuid: NetUid) -> Result<Vec<(Uid, Vec<(Uid, u16)>)>, ReadError> {
        let state = self.state(None).await?;
        let columns = Columns::read(&state, netuid).await?;
        let mut batch = state.batch();
        type Row = Vec<(u16, u16)>;
        let asks: Vec<(Uid, Ask<Row>)> = columns
            .uids()
            .map(|uid| Ok((uid, batch.ask(items::WEIGHTS, (netuid.0, uid.0))?)))
            .collect::<Result<_, ReadError>>()?;
        let answers = batch.send().await?;
        let mut rows = Vec::new();
        for (uid, ask) in asks {
            let row = answers.get(ask)?.unwrap_or_default();
            if !row.is_empty() {
                rows.push((
                    uid,
                    row.into_iter()
                        .map(|(to, weight)| (Uid(to), weight))
                        .collect(),
                ));
            }
        }
        Ok(rows)
    }
}

/// What the chain keeps as one vector per subnet, indexed by UID. An entry that a vector lacks counts as zero.
struct Columns {
    len: u16,
    schedule: EpochSchedule,
    active: Vec<bool>,
    validator_permit: Vec<bool>,
    incentive: Vec<u16>,
    dividends: Vec<u16>,
    consensus: Vec<u16>,
    validator_trust: Vec<u16>,
    emission: Vec<u64>,
    last_update: Vec<u64>,
}

/// Who holds a slot, and since when.
struct Slot {
    uid: Uid,
    hotkey: Hotkey,
    registered_at: BlockNumber,
}

impl Columns {
    async fn read(state: &State, netuid: NetUid) -> Result<Self, ReadError> {
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let len = batch.ask::<u16>(items::SUBNETWORK_N, (netuid.0,))?;
        let schedule = ScheduleAsks::new(&mut batch, netuid)?;
        let active = batch.ask(items::ACTIVE, (netuid.0,))?;
        let validator_permit = batch.ask(items::VALIDATOR_PERMIT, (netuid.0,))?;
        let incentive = batch.ask(items::INCENTIVE, (netuid.0,))?;
        let dividends = batch.ask(items::DIVIDENDS, (netuid.0,))?;
        let consensus = batch.ask(items::CONSENSUS, (netuid.0,))?;
        let validator_trust = batch.ask(items::VALIDATOR_TRUST, (netuid.0,))?;
        let emission = batch.ask(items::EMISSION, (netuid.0,))?;
        let last_update = batch.ask(items::LAST_UPDATE, (netuid.0,))?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid });
        }
        Ok(Self {
            len: answers.get(len)?.unwrap_or_default(),
            schedule: schedule.schedule(state, &answers)?,
            active: answers.get(active)?.unwrap_or_default(),
            validator_permit: answers.get(validator_permit)?.unwrap_or_default(),
            incentive: answers.get(incentive)?.unwrap_or_default(),
            dividends: answers.get(dividends)?.unwrap_or_default(),
            consensus: answers.get(consensus)?.unwrap_or_default(),
            validator_trust: answers.get(validator_trust)?.unwrap_or_default(),
            emission: answers.get(emission)?.unwrap_or_default(),
            last_update: answers.get(last_update)?.unwrap_or_default(),
        })
    }

    fn uids(&self) -> impl Iterator<Item = Uid> + use<> {
        (0..self.len).map(Uid)
    }

    async fn slots(&self, state: &State, netuid: NetUid) -> Result<Vec<Slot>, ReadError> {
        let mut batch = state.batch();
        let asks: Vec<(Uid, Ask<[u8; 32]>, Ask<u64>)> = self
            .uids()
            .map(|uid| {
                let key = (netuid.0, uid.0);
                Ok((
                    uid,
                    batch.ask(items::KEYS, key)?,
                    batch.ask(items::BLOCK_AT_REGISTRATION, key)?,
                ))
            })
            .collect::<Result<_, ReadError>>()?;
        let answers = batch.send().await?;
        asks.into_iter()
            .map(|(uid, hotkey, registered_at)| {
                Ok(Slot {
                    uid,
                    hotkey: Hotkey(answers.get(hotkey)?.unwrap_or_default()),
                    registered_at: height(answers.get(registered_at)?.unwrap_or_default()),
                })
            })
            .collect()
    }

    async fn neurons(
        &self,
        state: &State,
        netuid: NetUid,
        slots: &[Slot],
    ) -> Result<Vec<Neuron>, ReadError> {
        let mut batch = state.batch();
        let asks = slots
            .iter()
            .map(|slot| SlotAsks::new(&mut batch, netuid, slot))
            .collect::<Result<Vec<_>, _>>()?;
        let answers = batch.send().await?;
        slots
            .iter()
            .zip(asks)
            .map(|(slot, asks)| {
                let at = usize::from(slot.uid.0);
                let commitment = answers.get(asks.commitment)?.and_then(|registration| {
                    Some((registration.info.record()?, BlockNumber(registration.block)))
                });
                Ok(Neuron {
                    uid: slot.uid,
                    hotkey: slot.hotkey,
                    coldkey: Hotkey(answers.get(asks.coldkey)?.unwrap_or_default()),
                    stake: Rao(answers.get(asks.stake)?.unwrap_or_default()),
                    validator_permit: entry(&self.validator_permit, at),
                    active: entry(&self.active, at),
                    incentive: entry(&self.incentive, at),
                    dividends: entry(&self.dividends, at),
                    consensus: entry(&self.consensus, at),
                    validator_trust: entry(&self.validator_trust, at),
                    emission: Rao(entry(&self.emission, at)),
                    last_update: height(entry(&self.last_update, at)),
                    registered_at: slot.registered_at,
                    axon: answers.get(asks.axon)?.and_then(|axon| axon.address()),
                    commitment,
                })
            })
            .collect()
    }
}

fn entry<T: Copy + Default>(column: &[T], at: usize) -> T {
    column.get(at).copied().unwrap_or_default()
}

struct SlotAsks {
    coldkey: Ask<[u8; 32]>,
    stake: Ask<u64>,
    axon: Ask<AxonInfo>,
    commitment: Ask<Registration>,
}

impl SlotAsks {
    fn new(
        batch: &mut crate::state::Batch<'_>,
        netuid: NetUid,
        slot: &Slot,
    ) -> Result<Self, ReadError> {
        let hotkey = account(&slot.hotkey);
        Ok(Self {
            coldkey: batch.ask(items::OWNER, (hotkey,))?,
            stake: batch.ask(items::TOTAL_HOTKEY_ALPHA, (hotkey, netuid.0))?,
            axon: batch.ask(items::AXONS, (netuid.0, hotkey))?,
            commitment: batch.ask(items::COMMITMENT_OF, (netuid.0, hotkey))?,
        })
    }
}

/// `SubtensorModule.Axons`, as far as it is used.
#[derive(DecodeAsType)]
pub(crate) struct AxonInfo {
    ip: u128,
    port: u16,
    ip_type: u8,
}

impl AxonInfo {
    /// The address; `None` for the zeros of a hotkey that never served, and for an IP of unknown kind.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        if self.ip == 0 || self.port == 0 {
            return None;
        }
        let ip: IpAddr = match self.ip_type {
            4 => Ipv4Addr::from(u32::try_from(self.ip).ok()?).into(),
            6 => Ipv6Addr::from(self.ip).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axon_of_zeros_is_none_and_both_kinds_of_ip_are_read() {
        let axon = |ip, port, ip_type| AxonInfo { ip, port, ip_type }.address();
        assert_eq!(axon(0, 0, 0), None);
        assert_eq!(
            axon(0x7f00_0001, 9000, 4),
            Some("127.0.0.1:9000".parse().unwrap())
        );
        assert_eq!(axon(1, 9000, 6), Some("[::1]:9000".parse().unwrap()));
        assert_eq!(
            axon(1 << 40, 9000, 4),
            None,
            "too large for an IPv4 address"
        );
        assert_eq!(axon(1, 9000, 5), None);
    }
}
