//! The well-known development accounts, and how their owners sign.

use athanor_runtime::{RuntimeCall, VERSION};
use codec::{Compact, Encode};
use sp_core::{H256, Pair, sr25519};
use sp_runtime::traits::{BlakeTwo256, Hash};

/// Public key of an account, as on chain.
pub type AccountBytes = [u8; 32];

/// Key pair of the development account `//name`.
pub fn development_pair(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None)
        .expect("a plain name is a valid derivation path")
}

/// Public key of the development account `//name`.
pub fn development_account(name: &str) -> AccountBytes {
    development_pair(name).public().0
}

/// An immortal extrinsic with its length prefix, byte by byte as finney's clients lay it out: `tip` is in rao, `genesis`
/// the hash of block 0.
pub fn sign(
    genesis: H256,
    signer: &sr25519::Pair,
    nonce: u32,
    tip: u64,
    call: impl Into<RuntimeCall>,
) -> Vec<u8> {
    let call = call.into().encode();
    let extra = (0_u8, Compact(nonce), Compact(tip), 0_u8).encode();
    let implicit = (
        VERSION.spec_version,
        VERSION.transaction_version,
        genesis,
        genesis,
        Option::<[u8; 32]>::None,
    );
    let mut payload = [call.clone(), extra.clone(), implicit.encode()].concat();
    if payload.len() > 256 {
        payload = BlakeTwo256::hash(&payload).0.to_vec();
    }
    let address = [[0_u8].as_slice(), &signer.public().0].concat();
    let signature = [[1_u8].as_slice(), &signer.sign(&payload).0].concat();
    [[0x84_u8].as_slice(), &address, &signature, &extra, &call]
        .concat()
        .encode()
}
