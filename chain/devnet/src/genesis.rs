//! Turn the description of a genesis into a state.

use codec::{Decode, Encode};
use serde_json::{Value, json};
use sp_core::crypto::AccountId32;
use thiserror::Error;

use crate::{
    config::{AccountBytes, Genesis, SubnetGenesis},
    executor::{self, CallError, Overlay, State},
};

/// The genesis was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
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

/// Builds the genesis state over an empty one.
pub(crate) fn build(empty: &State, genesis: &Genesis) -> Result<Overlay, GenesisError> {
    let mut overlay = Overlay::default();
    let arguments = config(genesis).to_string().into_bytes().encode();
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

/// The runtime's genesis configuration. It takes no defaults, so every pallet's every field is here.
fn config(genesis: &Genesis) -> Value {
    let balances: Vec<Value> = genesis
        .endowed
        .iter()
        .map(|(who, amount)| json!([account(who), amount]))
        .collect();
    let subnets: Vec<Value> = genesis.subnets.iter().map(subnet).collect();
    let slot_duration = u64::try_from(genesis.block_time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "system": {},
        "aura": { "slotDuration": slot_duration },
        "balances": { "balances": balances, "devAccounts": null },
        "transactionPayment": { "multiplier": "1000000000000000000" },
        "subtensorModule": {
            "stakeThreshold": genesis.stake_threshold,
            "subnetOwnerCut": genesis.owner_cut,
            "loopbackAxons": genesis.loopback_axons,
            "subnets": subnets,
        },
        "sudo": { "key": account(&genesis.sudo) },
    })
}

fn subnet(subnet: &SubnetGenesis) -> Value {
    let neurons: Vec<Value> = subnet
        .neurons
        .iter()
        .map(|neuron| {
            json!({
                "coldkey": account(&neuron.coldkey),
                "hotkey": account(&neuron.hotkey),
                "stake": neuron.stake,
            })
        })
        .collect();
    json!({
        "netuid": subnet.netuid,
        "ownerColdkey": account(&subnet.owner_coldkey),
        "ownerHotkey": subnet.owner_hotkey.as_ref().map(account),
        "tempo": subnet.tempo,
        "emissionPerBlock": subnet.emission_per_block,
        "weightsRateLimit": subnet.weights_rate_limit,
        "servingRateLimit": subnet.serving_rate_limit,
        "burn": subnet.burn,
        "minBurn": subnet.min_burn,
        "maxBurn": subnet.max_burn,
        "immunityPeriod": subnet.immunity_period,
        "maxAllowedUids": subnet.max_allowed_uids,
        "maxAllowedValidators": subnet.max_allowed_validators,
        "minAllowedWeights": subnet.min_allowed_weights,
        "weightsVersionKey": subnet.weights_version_key,
        "activityCutoffFactorMilli": subnet.activity_cutoff_factor_milli,
        "kappa": subnet.kappa,
        "bondsMovingAverage": subnet.bonds_moving_average,
        "bondsPenalty": subnet.bonds_penalty,
        "yuma3": subnet.yuma3,
        "liquidAlpha": subnet.liquid_alpha,
        "neurons": neurons,
    })
}

/// The account in the text form that the runtime reads.
fn account(bytes: &AccountBytes) -> String {
    sp_core::crypto::Ss58Codec::to_ss58check(&AccountId32::new(*bytes))
}
