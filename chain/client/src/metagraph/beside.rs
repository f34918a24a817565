//! What no runtime API gives of a subnet: asked for at the same time.

use std::collections::HashMap;

use athanor_spec::{Hotkey, NetUid, Rao};

use crate::{
    EpochSchedule, ReadError, items,
    schedule::ScheduleAsks,
    state::{Ask, Batch, State, account},
};

/// The schedule, and what is kept of neurons in storage alone.
pub(super) struct Beside {
    pub(super) len: u16,
    pub(super) schedule: EpochSchedule,
    pub(super) validator_trust: Vec<u16>,
    /// Alpha staked to a hotkey itself; the runtime's columns have what it borrows and lends in them.
    stakes: HashMap<Hotkey, Rao>,
}

impl Beside {
    /// Everything, with the stakes of `hotkeys`.
    pub(super) async fn read(
        state: &State,
        netuid: NetUid,
        hotkeys: &[Hotkey],
    ) -> Result<Self, ReadError> {
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let len = batch.ask::<u16>(items::SUBNETWORK_N, (netuid.0,))?;
        let schedule = ScheduleAsks::new(&mut batch, netuid)?;
        let validator_trust = batch.ask(items::VALIDATOR_TRUST, (netuid.0,))?;
        let stakes = ask_stakes(&mut batch, netuid, hotkeys)?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid });
        }
        let stakes = stakes
            .into_iter()
            .map(|(hotkey, ask)| Ok((hotkey, Rao(answers.get(ask)?.unwrap_or_default()))))
            .collect::<Result<_, ReadError>>()?;
        Ok(Self {
            len: answers.get(len)?.unwrap_or_default(),
            schedule: schedule.schedule(state, &answers)?,
            validator_trust: answers.get(validator_trust)?.unwrap_or_default(),
            stakes,
        })
    }

    /// Asks for the stakes of those of `hotkeys` that were not asked about.
    pub(super) async fn complete(
        &mut self,
        state: &State,
        netuid: NetUid,
        hotkeys: impl Iterator<Item = Hotkey>,
    ) -> Result<(), ReadError> {
        let newcomers: Vec<Hotkey> = hotkeys
            .filter(|hotkey| !self.stakes.contains_key(hotkey))
            .collect();
        if newcomers.is_empty() {
            return Ok(());
        }
        let mut batch = state.batch();
        let asks = ask_stakes(&mut batch, netuid, &newcomers)?;
        let answers = batch.send().await?;
        for (hotkey, ask) in asks {
            let stake = Rao(answers.get(ask)?.unwrap_or_default());
            self.stakes.insert(hotkey, stake);
        }
        Ok(())
    }

    /// The stake of a hotkey that was asked about.
    pub(super) fn stake(&self, hotkey: &Hotkey) -> Rao {
        self.stakes.get(hotkey).copied().unwrap_or(Rao(0))
    }
}

fn ask_stakes(
    batch: &mut Batch<'_>,
    netuid: NetUid,
    hotkeys: &[Hotkey],
) -> Result<Vec<(Hotkey, Ask<u64>)>, ReadError> {
    let ask = |hotkey: &Hotkey| {
        let key = (account(hotkey), netuid.0);
        Ok((*hotkey, batch.ask(items::TOTAL_HOTKEY_ALPHA, key)?))
    };
    hotkeys.iter().map(ask).collect()
}
