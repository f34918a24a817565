//! Who is on a subnet, and how each stands: one consistent picture of one block.
//!
//! Runtimes that have the API give most of it in one answer. What that lacks (the schedule, validators' trust, a hotkey's own
//! stake) is asked for at the same time, for the hotkeys of the last picture; only the stakes of newcomers take another
//! round trip. Of older runtimes everything is read from storage.

pub(crate) mod api;
mod beside;
mod diff;
mod slot;
mod storage;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use athanor_spec::{BlockNumber, Commitment, Digest, Hotkey, NetUid, Rao, Uid};
use scale_decode::DecodeAsType;
use serde::{Deserialize, Serialize};

use crate::{
    Client, EpochSchedule, ReadError, items,
    state::State,
    votes::{Row, rows},
};

use beside::Beside;
pub use diff::Change;
use slot::{Slot, entry};

/// A subnet at one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Peer key and address of everybody who announced both.
    pub fn peers(&self) -> impl Iterator<Item = (Digest, SocketAddr)> {
        self.neurons
            .iter()
            .filter_map(|neuron| Some((neuron.commitment?.0.peer_key, neuron.axon?)))
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
        let known = self.hotkeys_of(netuid);
        let (mut beside, slots) = tokio::try_join!(
            Beside::read(&state, netuid, &known),
            api::slots(&state, netuid)
        )?;
        let slots = match slots {
            Some(slots) => slots,
            None => storage::slots(&state, netuid, beside.len).await?,
        };
        let hotkeys: Vec<Hotkey> = slots.iter().map(|slot| slot.hotkey).collect();
        beside
            .complete(&state, netuid, hotkeys.iter().copied())
            .await?;
        self.remember_hotkeys(netuid, hotkeys);
        let block = state.block();
        Ok(Metagraph {
            netuid,
            block: block.number,
            hash: block.hash,
            schedule: beside.schedule,
            neurons: (0..)
                .map(Uid)
                .zip(slots)
                .map(|(uid, slot)| neuron(uid, slot, &beside))
                .collect(),
        })
    }

    /// The weights that were last set, row by row; rows of UIDs that never set any are left out.
    pub async fn weights(&self, netuid: NetUid) -> Result<Vec<Row>, ReadError> {
        let state = self.state(None).await?;
        let beside = Beside::read(&state, netuid, &[]).await?;
        let mut batch = state.batch();
        let asks = (0..beside.len)
            .map(Uid)
            .map(|uid| Ok((uid, batch.ask(items::WEIGHTS, (netuid.0, uid.0))?)))
            .collect::<Result<_, ReadError>>()?;
        rows(&batch.send().await?, asks)
    }
}

fn neuron(uid: Uid, slot: Slot, beside: &Beside) -> Neuron {
    Neuron {
        uid,
        hotkey: slot.hotkey,
        coldkey: slot.coldkey,
        stake: beside.stake(&slot.hotkey),
        validator_permit: slot.validator_permit,
        active: slot.active,
        incentive: slot.incentive,
        dividends: slot.dividends,
        consensus: slot.consensus,
        validator_trust: entry(&beside.validator_trust, usize::from(uid.0)),
        emission: slot.emission,
        last_update: slot.last_update,
        registered_at: slot.registered_at,
        axon: slot.axon,
        commitment: slot.commitment,
    }
}

/// The stake by which the chain measures a neuron, with what it borrows and lends; `None` if the runtime does not tell.
pub(crate) async fn stake_of(
    state: &State,
    netuid: NetUid,
    uid: Uid,
) -> Result<Option<Rao>, ReadError> {
    api::total_stake(state, netuid, uid).await
}

/// `SubtensorModule.Axons`, as far as it is used.
#[derive(Debug, DecodeAsType)]
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
