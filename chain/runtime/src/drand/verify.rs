//! Whether a pulse is the beacon's.

use ark_ec::PrimeGroup;
use ark_serialize::CanonicalDeserialize;
use sp_io::hashing::sha2_256;
use timelock::{
    engines::{EngineBLS, drand::TinyBLS381},
    ibe::fullident::Identity,
};

use super::Pulse;

pub(super) type PublicKey = <TinyBLS381 as EngineBLS>::PublicKeyGroup;
pub(super) type Signature = <TinyBLS381 as EngineBLS>::SignatureGroup;

/// Whether the pulse carries the signature of its round under this key (BLS, signatures in G1, the message is SHA-256 of
/// the round in big-endian bytes) and its hash as randomness.
pub fn verify(public_key: &[u8], pulse: &Pulse) -> bool {
    let Ok(key) = PublicKey::deserialize_compressed(public_key) else {
        return false;
    };
    let Some(signature) = signature(&pulse.signature) else {
        return false;
    };
    let message = round_identity(pulse.round).public::<TinyBLS381>();
    pulse.randomness[..] == sha2_256(&pulse.signature)
        && TinyBLS381::pairing(PublicKey::generator(), signature)
            == TinyBLS381::pairing(key, message)
}

/// The point that the beacon signs in a round, and that a ciphertext for the round is locked to.
pub(super) fn round_identity(round: u64) -> Identity {
    Identity::new(b"", &sha2_256(&round.to_be_bytes()))
}

/// Reads a signature; nothing if it is no point of the group, or has bytes left over.
pub(super) fn signature(bytes: &[u8]) -> Option<Signature> {
    (bytes.len() == <TinyBLS381 as EngineBLS>::SIGNATURE_SERIALIZED_SIZE)
        .then(|| Signature::deserialize_compressed(bytes).ok())
        .flatten()
}

/// Whether these bytes are a public key.
pub(super) fn is_public_key(bytes: &[u8]) -> bool {
    bytes.len() == <TinyBLS381 as EngineBLS>::PUBLICKEY_SERIALIZED_SIZE
        && PublicKey::deserialize_compressed(bytes).is_ok()
}
