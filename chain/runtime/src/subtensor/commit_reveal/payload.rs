//! What a timelocked commit hides.

use alloc::vec::Vec;
use codec::{Decode, Encode};
use sp_runtime::AccountId32;

/// Weights and whose they are. The reference clients encrypt exactly this encoding.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WeightsTlockPayload {
    /// Public key of the hotkey that commits: a ciphertext that another copies is void.
    pub hotkey: Vec<u8>,
    /// Whom the weights are for.
    pub uids: Vec<u16>,
    /// The weights.
    pub values: Vec<u16>,
    /// Version of the weights.
    pub version_key: u64,
}

impl WeightsTlockPayload {
    /// Reads a payload of `hotkey`. One that names another hotkey or none is no payload; neither is one with more bytes
    /// than it needs.
    pub fn of(hotkey: &AccountId32, mut bytes: &[u8]) -> Option<Self> {
        let payload = Self::decode(&mut bytes).ok()?;
        let own: &[u8] = hotkey.as_ref();
        (bytes.is_empty() && payload.hotkey == own).then_some(payload)
    }
}
