//! Describe the state of block 0, and build it.
//!
//! A genesis is a few typed fields and, over them, a patch in the runtime's own words, so that a file can set whatever
//! the runtime lets a genesis set.

mod patch;

use std::time::Duration;

use athanor_runtime::{RuntimeGenesisConfig, subtensor::SubnetGenesis};
use codec::{Decode, Encode};
use serde_json::Value;
use sp_core::crypto::AccountId32;
use thiserror::Error;

pub use self::patch::PatchError;
use crate::{
    config::TAO,
    development::{AccountBytes, development_account},
    executor::{self, CallError, Overlay, State},
};

/// The state of block 0.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// Free balances in rao.
    pub endowed: Vec<(AccountBytes, u64)>,
    /// The account that may dispatch as root.
    pub sudo: AccountBytes,
    /// The subnets that exist from the start.
    pub subnets: Vec<SubnetGenesis>,
    /// Nominal time between blocks, which clients read as `Aura.SlotDuration` and
    /// [`Clock::Virtual`](crate::Clock::Virtual) advances by.
    pub block_time: Duration,
    /// Least stake weight in rao for setting weights and for counting as a validator (`StakeThreshold`, which is one
    /// value for all subnets).
    pub stake_threshold: u64,
    /// The share of a subnet's emission that goes to its owner's hotkey, out of 65535 (`SubnetOwnerCut`, which is one
    /// value for all subnets).
    pub owner_cut: u16,
    /// Whether an axon may announce 127.0.0.1 or ::1, which Bittensor refuses with `InvalidIpAddress`.
    pub loopback_axons: bool,
    /// What is changed of all that, in the form that [`Genesis::to_json`] has; see [`Genesis::read_patch`]. `Null`
    /// changes nothing.
    pub patch: Value,
}

impl Genesis {
    /// The usual development chain: //Alice (who is sudo), //Bob, //Charlie, //Dave, //Eve and //Ferdie with a million
    /// TAO each, and subnet 1, which belongs to //Alice.
    pub fn development(block_time: Duration) -> Self {
        let accounts =
            ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"].map(development_account);
        Self {
            endowed: accounts
                .iter()
                .map(|account| (*account, 1_000_000 * TAO))
                .collect(),
            sudo: accounts[0],
            subnets: vec![SubnetGenesis::new(1, accounts[0])],
            block_time,
            stake_threshold: 0,
            owner_cut: 0,
            loopback_axons: true,
            patch: Value::Null,
        }
    }

    /// The runtime's whole genesis configuration, as a chain spec holds it: every pallet's every field.
    pub fn to_json(&self) -> Result<Value, GenesisError> {
        let unreadable = |error: serde_json::Error| GenesisError::Refused(error.to_string());
        let mut json = serde_json::to_value(self.typed()).map_err(unreadable)?;
        patch::apply(&mut json, self.patch.clone())?;
        Ok(json)
    }

    fn typed(&self) -> RuntimeGenesisConfig {
        let mut config = RuntimeGenesisConfig::default();
        config.aura.slot_duration = u64::try_from(self.block_time.as_millis()).unwrap_or(u64::MAX);
        config.balances.balances = self
            .endowed
            .iter()
            .map(|(account, amount)| (AccountId32::new(*account), *amount))
            .collect();
        config.subtensor_module.stake_threshold = self.stake_threshold;
        config.subtensor_module.subnet_owner_cut = self.owner_cut;
        config.subtensor_module.loopback_axons = self.loopback_axons;
        config.subtensor_module.subnets = self.subnets.clone();
        config.drand.beacon = Some(crate::beacon::genesis());
        config.sudo.key = Some(AccountId32::new(self.sudo));
        config
    }
}

/// The genesis was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// The patch cannot be applied.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The runtime could not read it, or refused a value.
    #[error("the runtime refuses the genesis: {0}")]
    Refused(String),
    /// The runtime failed while it built the state.
    #[error("the genesis does not hold together: {0}")]
    Contradictory(String),
}

impl From<CallError> for GenesisError {
    fn from(error: CallError) -> Self {
        Self::Contradictory(error.to_string())
    }
}

/// Builds the genesis state over an empty one, from the runtime's whole genesis configuration.
pub(crate) fn build(empty: &State, json: &Value) -> Result<Overlay, GenesisError> {
    let mut overlay = Overlay::default();
    let arguments = json.to_string().into_bytes().encode();
    let answer = executor::call(
        empty,
        &mut overlay,
        "GenesisBuilder_build_state",
        &arguments,
    )?;
    // The runtime answers with sp_genesis_builder's result: unit, or why not.
    match Result::<(), String>::decode(&mut &answer[..]) {
        Ok(Ok(())) => Ok(overlay),
        Ok(Err(reason)) => Err(GenesisError::Refused(reason)),
        Err(error) => Err(GenesisError::Refused(error.to_string())),
    }
}

/// Milliseconds between blocks in the runtime's whole genesis configuration, at least 1.
pub(crate) fn block_time(json: &Value) -> u64 {
    json["aura"]["slotDuration"].as_u64().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests;
