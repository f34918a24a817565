//! A subnet's slots in one answer of the runtime.

use std::collections::HashMap;

use athanor_spec::{BlockNumber, Commitment, Hotkey, NetUid, Rao, Uid};
use codec::Encode as _;
use scale_decode::DecodeAsType;

use super::{
    AxonInfo,
    slot::{Slot, entry},
};
use crate::{ReadError, block::height, commitment::Registration, items, state::State};

/// Numbers of the parts that a picture is made of, in the order of [`Answer`]'s fields
/// (`SelectiveMetagraphIndex` of Subtensor).
const PICTURE: [u16; 12] = [52, 53, 55, 56, 57, 59, 60, 61, 62, 63, 66, 73];
/// Number of the column of stakes.
const TOTAL_STAKE: u16 = 69;

/// `get_selective_metagraph`'s answer, as far as it is used. Parts that were not asked for are `None`.
#[derive(Debug, DecodeAsType)]
pub(crate) struct Answer {
    hotkeys: Option<Vec<[u8; 32]>>,
    coldkeys: Option<Vec<[u8; 32]>>,
    axons: Option<Vec<AxonInfo>>,
    active: Option<Vec<bool>>,
    validator_permit: Option<Vec<bool>>,
    last_update: Option<Vec<u64>>,
    emission: Option<Vec<u64>>,
    dividends: Option<Vec<u16>>,
    incentives: Option<Vec<u16>>,
    consensus: Option<Vec<u16>>,
    block_at_registration: Option<Vec<u64>>,
    total_stake: Option<Vec<u64>>,
    /// By hotkey, as encoded in storage.
    commitments: Option<Vec<([u8; 32], Vec<u8>)>>,
}

/// The slots; `None` if the runtime has no such API, or knows no such subnet.
pub(super) async fn slots(state: &State, netuid: NetUid) -> Result<Option<Vec<Slot>>, ReadError> {
    match ask(state, netuid, &PICTURE).await? {
        Some(answer) => answer.slots(state).map(Some),
        None => Ok(None),
    }
}

/// The stake by which the chain measures a neuron, with what it borrows and lends; `None` if the runtime does not tell.
pub(super) async fn total_stake(
    state: &State,
    netuid: NetUid,
    uid: Uid,
) -> Result<Option<Rao>, ReadError> {
    let answer = ask(state, netuid, &[TOTAL_STAKE]).await?;
    let column = answer.and_then(|answer| answer.total_stake);
    Ok(column.and_then(|column| column.get(usize::from(uid.0)).copied().map(Rao)))
}

async fn ask(state: &State, netuid: NetUid, parts: &[u16]) -> Result<Option<Answer>, ReadError> {
    let arguments = (netuid.0, parts).encode();
    let answer: Option<Option<Answer>> = state.api(items::SELECTIVE_METAGRAPH, &arguments).await?;
    Ok(answer.flatten())
}

impl Answer {
    fn slots(self, state: &State) -> Result<Vec<Slot>, ReadError> {
        let committed = committed(state, self.commitments.unwrap_or_default())?;
        let coldkeys = self.coldkeys.unwrap_or_default();
        let axons = self.axons.unwrap_or_default();
        let [active, validator_permit] =
            [self.active, self.validator_permit].map(Option::unwrap_or_default);
        let [dividends, incentives, consensus] =
            [self.dividends, self.incentives, self.consensus].map(Option::unwrap_or_default);
        let [last_update, emission, registered] =
            [self.last_update, self.emission, self.block_at_registration]
                .map(Option::unwrap_or_default);
        let hotkeys = self.hotkeys.unwrap_or_default().into_iter().map(Hotkey);
        let slots = hotkeys.enumerate().map(|(at, hotkey)| Slot {
            hotkey,
            coldkey: Hotkey(entry(&coldkeys, at)),
            registered_at: height(entry(&registered, at)),
            axon: axons.get(at).and_then(AxonInfo::address),
            validator_permit: entry(&validator_permit, at),
            active: entry(&active, at),
            incentive: entry(&incentives, at),
            dividends: entry(&dividends, at),
            consensus: entry(&consensus, at),
            emission: Rao(entry(&emission, at)),
            last_update: height(entry(&last_update, at)),
            commitment: committed.get(&hotkey).copied(),
        });
        Ok(slots.collect())
    }
}

/// The records of ours among what was committed to.
fn committed(
    state: &State,
    encoded: Vec<([u8; 32], Vec<u8>)>,
) -> Result<HashMap<Hotkey, (Commitment, BlockNumber)>, ReadError> {
    let mut found = HashMap::new();
    for (hotkey, bytes) in encoded {
        let registration: Option<Registration> = state.stored(items::COMMITMENT_OF, &bytes)?;
        if let Some(record) = registration.and_then(|registration| registration.ours()) {
            found.insert(Hotkey(hotkey), record);
        }
    }
    Ok(found)
}
