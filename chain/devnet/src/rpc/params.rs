//! Read a method's arguments. What is missing and what is null are the same.

use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde_json::Value;
use sp_core::{
    H256,
    crypto::{AccountId32, Ss58Codec},
};

use super::{error, hex};

/// A method's positional arguments.
pub(super) struct Arguments(Vec<Value>);

impl Arguments {
    /// Reads an array of arguments, or none.
    pub(super) fn parse(params: &Params<'_>) -> Result<Self, ErrorObjectOwned> {
        let values: Option<Vec<Value>> = params
            .parse()
            .map_err(|_| error::arguments("arguments must come as an array"))?;
        Ok(Self(values.unwrap_or_default()))
    }

    /// The argument at `index`, unless it is missing or null.
    pub(super) fn get(&self, index: usize) -> Option<&Value> {
        self.0.get(index).filter(|value| !value.is_null())
    }

    fn required(&self, index: usize) -> Result<&Value, ErrorObjectOwned> {
        self.get(index)
            .ok_or_else(|| error::arguments(format!("argument {index} is missing")))
    }

    /// A text.
    pub(super) fn text(&self, index: usize) -> Result<&str, ErrorObjectOwned> {
        let wrong = || error::arguments(format!("argument {index} must be a text"));
        self.required(index)?.as_str().ok_or_else(wrong)
    }

    /// Hexadecimal bytes.
    pub(super) fn bytes(&self, index: usize) -> Result<Vec<u8>, ErrorObjectOwned> {
        bytes(self.required(index)?)
    }

    /// Hexadecimal bytes, or none.
    pub(super) fn optional_bytes(&self, index: usize) -> Result<Option<Vec<u8>>, ErrorObjectOwned> {
        self.get(index).map(bytes).transpose()
    }

    /// A list of hexadecimal byte strings.
    pub(super) fn list_of_bytes(&self, index: usize) -> Result<Vec<Vec<u8>>, ErrorObjectOwned> {
        let wrong = || error::arguments(format!("argument {index} must be a list of keys"));
        self.required(index)?
            .as_array()
            .ok_or_else(wrong)?
            .iter()
            .map(bytes)
            .collect()
    }

    /// A hash, or none.
    pub(super) fn hash(&self, index: usize) -> Result<Option<H256>, ErrorObjectOwned> {
        self.get(index).map(hash).transpose()
    }

    /// A hash.
    pub(super) fn required_hash(&self, index: usize) -> Result<H256, ErrorObjectOwned> {
        hash(self.required(index)?)
    }

    /// A number, or none.
    pub(super) fn number(&self, index: usize) -> Result<Option<u32>, ErrorObjectOwned> {
        self.get(index).map(number).transpose()
    }

    /// An account, as SS58 text or hexadecimal public key.
    pub(super) fn account(&self, index: usize) -> Result<[u8; 32], ErrorObjectOwned> {
        let text = self.text(index)?;
        if let Ok(account) = AccountId32::from_ss58check(text) {
            return Ok(account.into());
        }
        let wrong = || error::arguments(format!("{text} is not an account"));
        hex::decode(text)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(wrong)
    }
}

fn bytes(value: &Value) -> Result<Vec<u8>, ErrorObjectOwned> {
    let wrong = || error::arguments(format!("{value} is not hexadecimal"));
    value.as_str().and_then(hex::decode).ok_or_else(wrong)
}

fn hash(value: &Value) -> Result<H256, ErrorObjectOwned> {
    let bytes: [u8; 32] = bytes(value)?
        .try_into()
        .map_err(|_| error::arguments(format!("{value} is not a hash of 32 bytes")))?;
    Ok(H256(bytes))
}

/// A number, as such or as hexadecimal text.
pub(super) fn number(value: &Value) -> Result<u32, ErrorObjectOwned> {
    let parsed = match value {
        Value::Number(number) => number
            .as_u64()
            .and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => u32::from_str_radix(text.trim_start_matches("0x"), 16).ok(),
        _ => None,
    };
    parsed.ok_or_else(|| error::arguments(format!("{value} is not a block number")))
}
