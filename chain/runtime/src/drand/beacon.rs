//! A beacon of one's own, for chains that have no network to fetch drand's from.

use alloc::vec::Vec;
use ark_ec::PrimeGroup;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use sp_io::hashing::sha2_256;
use timelock::engines::{EngineBLS, drand::TinyBLS381};

use super::{
    BeaconGenesis, Pulse,
    verify::{PublicKey, round_identity},
};

/// What a seed is hashed with, so that it makes no other key.
const DOMAIN: &[u8] = b"_ATHANOR_RUNTIME_BEACON";

/// A beacon that can sign every round at any time: whoever holds it opens every ciphertext. For development.
#[derive(Clone)]
pub struct Beacon {
    secret: <TinyBLS381 as EngineBLS>::Scalar,
}

impl core::fmt::Debug for Beacon {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Beacon").finish_non_exhaustive()
    }
}

impl Beacon {
    /// The beacon of a seed; the same seed gives the same beacon.
    pub fn from_seed(seed: &[u8]) -> Self {
        let mut bytes = sha2_256(&[DOMAIN, seed].concat());
        // Below the order of the group, which is more than 2^254.
        bytes[31] &= 0x3f;
        let secret = CanonicalDeserialize::deserialize_compressed(&bytes[..]);
        Self {
            secret: secret.unwrap_or_else(|_| unreachable!("254 bits are below the group's order")),
        }
    }

    /// The beacon as a genesis names it.
    pub fn genesis(&self, genesis_time: u32, period: u32) -> BeaconGenesis {
        BeaconGenesis {
            public_key: compressed(&(PublicKey::generator() * self.secret)),
            period,
            genesis_time,
        }
    }

    /// The pulse of a round.
    pub fn pulse(&self, round: u64) -> Pulse {
        let signature = round_identity(round).extract::<TinyBLS381>(self.secret);
        Pulse::new(round, &compressed(&signature.0))
    }
}

fn compressed(point: &impl CanonicalSerialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(point.compressed_size());
    // Writing to a vector cannot fail.
    let _ = point.serialize_compressed(&mut bytes);
    bytes
}
