//! Export the chain as a Substrate chain spec, for a standard node.
//!
//! The layout is that of `sc-chain-spec`'s JSON: either the runtime's code with its genesis configuration, from which the
//! node builds the state, or the state itself, key by key.

use serde_json::{Map, Value, json};
use sp_runtime::StateVersion;
use thiserror::Error;

use crate::{
    config::Keep,
    genesis::{self, Genesis, GenesisError},
    ledger::Ledger,
    rpc::{CHAIN, properties},
};

/// First bytes of a WASM module.
const WASM_MAGIC: &[u8] = b"\0asm";
/// First bytes of a module that Substrate compressed.
const COMPRESSED_MAGIC: &[u8] = &[82, 188, 83, 118, 70, 219, 142, 5];
/// The storage key of the runtime's code.
const CODE_KEY: &[u8] = b":code";

/// A chain spec could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The genesis makes no sense.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The code is not a WASM module.
    #[error("the runtime's code is not a WASM module: build one with scripts/wasm.sh")]
    NotWasm,
}

/// The chain spec of a genesis. `code` is the runtime as a WASM module, plain or compressed; without it the spec has
/// none, and a node needs one added. `raw` writes the state itself instead of the configuration that it is built from.
pub fn chain_spec(genesis: &Genesis, code: Option<&[u8]>, raw: bool) -> Result<Value, SpecError> {
    if let Some(code) = code
        && !code.starts_with(WASM_MAGIC)
        && !code.starts_with(COMPRESSED_MAGIC)
    {
        return Err(SpecError::NotWasm);
    }
    let config = genesis.to_json()?;
    let top = state(&config)?;
    let code = code.map(hexadecimal);
    let genesis = if raw {
        let mut top = top;
        if let Some(code) = code {
            top.insert(hexadecimal(CODE_KEY), code.into());
        }
        json!({ "raw": { "top": top, "childrenDefault": {} } })
    } else {
        let code = code.unwrap_or_else(|| "0x".to_owned());
        json!({ "runtimeGenesis": { "code": code, "config": config } })
    };
    Ok(json!({
        "name": CHAIN,
        "id": "athanor_dev",
        "chainType": "Development",
        "bootNodes": [],
        "telemetryEndpoints": null,
        "protocolId": null,
        "properties": properties(),
        "codeSubstitutes": {},
        "genesis": genesis,
    }))
}

/// The whole state of block 0. It is built in any case, so that no spec is written whose genesis does not hold together.
fn state(config: &Value) -> Result<Map<String, Value>, GenesisError> {
    let empty = Ledger::new(Keep::default(), None).empty_state();
    let mut overlay = genesis::build(&empty, config)?;
    let changes = overlay
        .drain_storage_changes(&empty, StateVersion::V1)
        .map_err(|error| GenesisError::Contradictory(error.to_string()))?;
    Ok(changes
        .main_storage_changes
        .into_iter()
        .filter_map(|(key, value)| Some((hexadecimal(&key), hexadecimal(&value?).into())))
        .collect())
}

fn hexadecimal(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

#[cfg(test)]
mod tests;
