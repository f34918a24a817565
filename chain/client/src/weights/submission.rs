//! The calls that bring weights to the chain, in the form that a runtime has them.

use athanor_spec::{Digest, NetUid, Uid};
use codec::Encode as _;
use scale_value::Value;
use subxt::config::{Hasher as _, substrate::BlakeTwo256};

use crate::{
    calls::{self, Signature, number, numbers, subnet},
    state::State,
    submit::Call,
    timelock,
};

/// Weights on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Submission {
    /// For everybody to see at once.
    Plain {
        weights: Vec<(Uid, u16)>,
        version_key: u64,
    },
    /// The hash of weights that are revealed later.
    Commit { hash: Digest },
    /// The weights behind a hash.
    Reveal {
        weights: Vec<(Uid, u16)>,
        salt: Vec<u16>,
        version_key: u64,
    },
    /// Weights that the chain itself opens.
    Timelocked { ciphertext: Vec<u8>, round: u64 },
}

/// The only mechanism of a subnet that has one.
const MECHANISM: u8 = 0;

/// Which of the two spellings of each call a runtime has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Whether weights are set per mechanism.
    pub(crate) mechanisms: bool,
}

impl Calls {
    /// What the runtime of `state` has.
    pub(crate) fn of(state: &State) -> Self {
        Self {
            mechanisms: state.has_call(&calls::SET_MECHANISM_WEIGHTS),
        }
    }
}

impl Submission {
    pub(crate) fn call(&self, calls: Calls, netuid: NetUid) -> Call {
        let mechanism = number(MECHANISM);
        // Each arm names both spellings of its call; they differ by the mechanism alone.
        macro_rules! spelt {
            ($mechanism:expr, $plain:expr, [$($argument:expr),*]) => {
                match calls.mechanisms {
                    true => call(&$mechanism, [subnet(netuid), mechanism, $($argument),*]),
                    false => call(&$plain, [subnet(netuid), $($argument),*]),
                }
            };
        }
        match self {
            Self::Plain {
                weights,
                version_key,
            } => spelt!(
                calls::SET_MECHANISM_WEIGHTS,
                calls::SET_WEIGHTS,
                [uids(weights), values(weights), number(*version_key)]
            ),
            Self::Commit { hash } => spelt!(
                calls::COMMIT_MECHANISM_WEIGHTS,
                calls::COMMIT_WEIGHTS,
                [Value::from_bytes(hash.0)]
            ),
            Self::Reveal {
                weights,
                salt,
                version_key,
            } => spelt!(
                calls::REVEAL_MECHANISM_WEIGHTS,
                calls::REVEAL_WEIGHTS,
                [
                    uids(weights),
                    values(weights),
                    numbers(salt.iter().copied()),
                    number(*version_key)
                ]
            ),
            Self::Timelocked { ciphertext, round } => spelt!(
                calls::COMMIT_TIMELOCKED_MECHANISM_WEIGHTS,
                calls::COMMIT_TIMELOCKED_WEIGHTS,
                [
                    Value::from_bytes(ciphertext),
                    number(*round),
                    number(timelock::VERSION)
                ]
            ),
        }
    }
}

fn call<const N: usize>(signature: &Signature, arguments: [Value; N]) -> Call {
    signature.with(arguments)
}

fn uids(weights: &[(Uid, u16)]) -> Value {
    numbers(weights.iter().map(|(uid, _)| uid.0))
}

fn values(weights: &[(Uid, u16)]) -> Value {
    numbers(weights.iter().map(|(_, weight)| *weight))
}

/// What a hash commit commits to: BLAKE2b-256 of the SCALE encoding of hotkey, subnet, row, salt and version
/// (`get_commit_hash`).
pub(crate) fn commit_hash(
    hotkey: [u8; 32],
    netuid: NetUid,
    weights: &[(Uid, u16)],
    salt: &[u16],
    version_key: u64,
) -> Digest {
    let uids: Vec<u16> = weights.iter().map(|(uid, _)| uid.0).collect();
    let values: Vec<u16> = weights.iter().map(|(_, weight)| *weight).collect();
    let committed = (hotkey, netuid.0, uids, values, salt, version_key).encode();
    Digest(BlakeTwo256.hash(&committed).0)
}
