//! Change a genesis by what a file says.
//!
//! The file holds the runtime's genesis configuration, or any part of it, as JSON or TOML. It is merged over the preset:
//! tables key by key, everything else by replacing it. A subnet in the file changes the preset's subnet of the same
//! number, or is a new one with the usual defaults. An account is SS58 text, or `//Name` for a development account.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use athanor_runtime::subtensor::SubnetGenesis;
use serde_json::Value;
use sp_core::{
    Pair,
    crypto::{AccountId32, Ss58Codec},
    sr25519,
};
use thiserror::Error;

use super::Genesis;

/// Largest file that is read: a genesis of thousands of neurons is smaller.
const MAX_BYTES: u64 = 64 << 20;

/// A genesis file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The file cannot be read.
    #[error("cannot read the genesis file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: io::ErrorKind,
    },
    /// The file is larger than any genesis.
    #[error("the genesis file {} has {bytes} bytes, more than {MAX_BYTES}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The file is not what its name says.
    #[error("the genesis file {} cannot be read as {format}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// "TOML" or "JSON".
        format: &'static str,
        /// Where and why, in one line.
        reason: String,
    },
    /// A genesis is a table.
    #[error("a genesis file holds a table of pallets; `athanor-devnet genesis` prints one")]
    NotATable,
    /// A subnet without its number.
    #[error("entry {index} of subtensorModule.subnets has no `netuid` from 1 to 65535")]
    NoNetuid {
        /// Its place in the list.
        index: usize,
    },
    /// Text that starts like a development account but is none.
    #[error("`{text}` is not a development account such as //Alice or //Alice//hotkey")]
    Account {
        /// The text.
        text: String,
    },
}

impl Genesis {
    /// Reads a patch for [`Genesis::patch`] from a file: TOML if its name ends in `.toml`, else JSON.
    pub fn read_patch(path: &Path) -> Result<Value, PatchError> {
        let unreadable = |error: io::Error| PatchError::Unreadable {
            path: path.to_owned(),
            reason: error.kind(),
        };
        let bytes = fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MAX_BYTES {
            return Err(PatchError::TooLarge {
                path: path.to_owned(),
                bytes,
            });
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let syntax = |format, reason: String| PatchError::Syntax {
            path: path.to_owned(),
            format,
            reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let patch: Value = if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            toml::from_str(&text).map_err(|error| syntax("TOML", error.to_string()))?
        } else {
            serde_json::from_str(&text).map_err(|error| syntax("JSON", error.to_string()))?
        };
        if !patch.is_object() {
            return Err(PatchError::NotATable);
        }
        Ok(patch)
    }
}

/// Merges `patch` over a whole genesis configuration.
pub(super) fn apply(genesis: &mut Value, mut patch: Value) -> Result<(), PatchError> {
    if patch.is_null() {
        return Ok(());
    }
    resolve_accounts(&mut patch)?;
    let owner = genesis["sudo"]["key"].clone();
    let present = genesis["subtensorModule"]["subnets"].clone();
    if let Some(subnets) = patch
        .pointer_mut("/subtensorModule/subnets")
        .and_then(Value::as_array_mut)
    {
        for (index, subnet) in subnets.iter_mut().enumerate() {
            complete(subnet, index, &present, &owner)?;
        }
    }
    merge(genesis, patch);
    Ok(())
}

/// Fills in what a subnet of the file leaves out: from the preset's subnet of its number, else from the defaults.
fn complete(
    subnet: &mut Value,
    index: usize,
    present: &Value,
    owner: &Value,
) -> Result<(), PatchError> {
    let netuid = subnet["netuid"]
        .as_u64()
        .and_then(|netuid| u16::try_from(netuid).ok())
        .filter(|netuid| *netuid > 0)
        .ok_or(PatchError::NoNetuid { index })?;
    let same = |other: &&Value| other["netuid"].as_u64() == Some(netuid.into());
    let mut whole = match present.as_array().and_then(|all| all.iter().find(same)) {
        Some(known) => known.clone(),
        None => {
            let mut new = serde_json::to_value(SubnetGenesis::new(netuid, [0; 32]))
                .expect("a subnet's genesis has only text keys");
            new["ownerColdkey"] = owner.clone();
            new
        }
    };
    merge(&mut whole, subnet.take());
    *subnet = whole;
    Ok(())
}

fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

/// Writes every `//Name` as the account that it derives.
fn resolve_accounts(value: &mut Value) -> Result<(), PatchError> {
    match value {
        Value::String(text) if text.starts_with("//") => {
            let pair = sr25519::Pair::from_string(text, None)
                .map_err(|_| PatchError::Account { text: text.clone() })?;
            *text = AccountId32::from(pair.public()).to_ss58check();
            Ok(())
        }
        Value::Array(values) => values.iter_mut().try_for_each(resolve_accounts),
        Value::Object(values) => values.values_mut().try_for_each(resolve_accounts),
        _ => Ok(()),
    }
}
