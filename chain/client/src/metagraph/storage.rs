//! A subnet's slots from storage, item by item: for runtimes without the API, in two round trips.

use athanor_spec::{Hotkey, NetUid, Rao};

use super::{
    AxonInfo,
    slot::{Slot, entry},
};
use crate::{
    ReadError,
    block::height,
    commitment::Registration,
    items,
    state::{Answers, Ask, Batch, State, account},
};

/// The slots of a subnet with `len` of them.
pub(super) async fn slots(state: &State, netuid: NetUid, len: u16) -> Result<Vec<Slot>, ReadError> {
    let mut batch = state.batch();
    let columns = ColumnAsks::new(&mut batch, netuid)?;
    let keys = (0..len)
        .map(|uid| {
            Ok((
                batch.ask::<[u8; 32]>(items::KEYS, (netuid.0, uid))?,
                batch.ask::<u64>(items::BLOCK_AT_REGISTRATION, (netuid.0, uid))?,
            ))
        })
        .collect::<Result<Vec<_>, ReadError>>()?;
    let answers = batch.send().await?;
    let columns = columns.read(&answers)?;
    let mut slots = Vec::with_capacity(keys.len());
    for (at, (hotkey, registered_at)) in keys.into_iter().enumerate() {
        slots.push(Slot {
            hotkey: Hotkey(answers.get(hotkey)?.unwrap_or_default()),
            registered_at: height(answers.get(registered_at)?.unwrap_or_default()),
            validator_permit: entry(&columns.validator_permit, at),
            active: entry(&columns.active, at),
            incentive: entry(&columns.incentive, at),
            dividends: entry(&columns.dividends, at),
            consensus: entry(&columns.consensus, at),
            emission: Rao(entry(&columns.emission, at)),
            last_update: height(entry(&columns.last_update, at)),
            // Kept by hotkey, which is known only now.
            coldkey: Hotkey([0; 32]),
            axon: None,
            commitment: None,
        });
    }
    add_details(state, netuid, &mut slots).await?;
    Ok(slots)
}

/// Completes the slots with what is kept by hotkey.
async fn add_details(state: &State, netuid: NetUid, slots: &mut [Slot]) -> Result<(), ReadError> {
    let mut batch = state.batch();
    let asks = slots
        .iter()
        .map(|slot| {
            let hotkey = account(&slot.hotkey);
            Ok((
                batch.ask::<[u8; 32]>(items::OWNER, (hotkey,))?,
                batch.ask::<AxonInfo>(items::AXONS, (netuid.0, hotkey))?,
                batch.ask::<Registration>(items::COMMITMENT_OF, (netuid.0, hotkey))?,
            ))
        })
        .collect::<Result<Vec<_>, ReadError>>()?;
    let answers = batch.send().await?;
    for (slot, (coldkey, axon, commitment)) in slots.iter_mut().zip(asks) {
        slot.coldkey = Hotkey(answers.get(coldkey)?.unwrap_or_default());
        slot.axon = answers.get(axon)?.and_then(|axon| axon.address());
        slot.commitment = answers.get(commitment)?.and_then(|found| found.ours());
    }
    Ok(())
}

struct ColumnAsks {
    active: Ask<Vec<bool>>,
    validator_permit: Ask<Vec<bool>>,
    incentive: Ask<Vec<u16>>,
    dividends: Ask<Vec<u16>>,
    consensus: Ask<Vec<u16>>,
    emission: Ask<Vec<u64>>,
    last_update: Ask<Vec<u64>>,
}

struct Columns {
    active: Vec<bool>,
    validator_permit: Vec<bool>,
    incentive: Vec<u16>,
    dividends: Vec<u16>,
    consensus: Vec<u16>,
    emission: Vec<u64>,
    last_update: Vec<u64>,
}

impl ColumnAsks {
    fn new(batch: &mut Batch<'_>, netuid: NetUid) -> Result<Self, ReadError> {
        let key = (netuid.0,);
        Ok(Self {
            active: batch.ask(items::ACTIVE, key)?,
            validator_permit: batch.ask(items::VALIDATOR_PERMIT, key)?,
            incentive: batch.ask(items::INCENTIVE, key)?,
            dividends: batch.ask(items::DIVIDENDS, key)?,
            consensus: batch.ask(items::CONSENSUS, key)?,
            emission: batch.ask(items::EMISSION, key)?,
            last_update: batch.ask(items::LAST_UPDATE, key)?,
        })
    }

    fn read(&self, answers: &Answers<'_>) -> Result<Columns, ReadError> {
        Ok(Columns {
            active: answers.get(self.active)?.unwrap_or_default(),
            validator_permit: answers.get(self.validator_permit)?.unwrap_or_default(),
            incentive: answers.get(self.incentive)?.unwrap_or_default(),
            dividends: answers.get(self.dividends)?.unwrap_or_default(),
            consensus: answers.get(self.consensus)?.unwrap_or_default(),
            emission: answers.get(self.emission)?.unwrap_or_default(),
            last_update: answers.get(self.last_update)?.unwrap_or_default(),
        })
    }
}
