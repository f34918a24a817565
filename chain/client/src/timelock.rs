//! Weights under a time lock: encrypted to a round of a drand beacon, whose signature opens them for everybody.
//!
//! Byte for byte what the chain and bittensor's own tools call commit-reveal version 4: SCALE of the payload, encrypted
//! with AES-256-GCM under a fresh key, which is itself encrypted to the round with Boneh-Franklin identity-based
//! encryption over BLS12-381 (<https://eprint.iacr.org/2023/189>). A payload names the hotkey that commits it: without
//! that, anybody could commit a copy as their own, so ciphertexts that bind none are refused.

use ark_serialize::{CanonicalDeserialize as _, CanonicalSerialize as _};
use athanor_spec::{Hotkey, Uid};
use codec::{Decode, Encode};
use crypto_secretbox::aead::{
    OsRng,
    rand_core::{CryptoRng, RngCore},
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use timelock::{
    block_ciphers::AESGCMBlockCipherProvider as Aes,
    engines::{EngineBLS, drand::TinyBLS381},
    ibe::fullident::{Ciphertext, Identity},
    tlock::{TLECiphertext, tld, tle},
};

/// Version of the scheme on chain (`CommitRevealWeightsVersion`).
pub(crate) const VERSION: u16 = 4;
/// Largest ciphertext that the chain takes.
pub(crate) const MAX_BYTES: usize = 5000;
/// A compressed point of G2: the beacon's key, and the first part of a ciphertext.
const KEY_BYTES: usize = 96;
/// A symmetric key, and each of the two parts that hide it.
const SECRET_BYTES: usize = 32;

type PublicKey = <TinyBLS381 as EngineBLS>::PublicKeyGroup;
type Signature = <TinyBLS381 as EngineBLS>::SignatureGroup;

/// A drand beacon: who signs, from when on, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// Compressed public key in G2, 96 bytes.
    pub public_key: Vec<u8>,
    /// When round 1 was signed, in seconds since 1970.
    pub genesis: u64,
    /// Seconds between two rounds.
    pub period: u64,
}

impl Beacon {
    /// drand's quicknet, which Bittensor follows: a round every three seconds.
    pub fn quicknet() -> Self {
        const KEY: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d10\
                           64510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
        Self {
            public_key: hex::decode(KEY).unwrap_or_default(),
            genesis: 1_692_803_367,
            period: 3,
        }
    }

    /// The round that is the latest at `seconds` since 1970; at least 1.
    pub fn round_at(&self, seconds: u64) -> u64 {
        (seconds.saturating_sub(self.genesis) / self.period.max(1)).max(1)
    }
}

/// What a timelocked commit hides (`WeightsTlockPayload`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelockedWeights {
    /// Who commits, and for whom alone the chain takes the weights.
    pub hotkey: Hotkey,
    /// The row of weights.
    pub weights: Vec<(Uid, u16)>,
    /// The validator's version.
    pub version_key: u64,
}

/// The payload's encoding.
#[derive(Encode, Decode)]
struct Wire {
    hotkey: Vec<u8>,
    uids: Vec<u16>,
    values: Vec<u16>,
    version_key: u64,
}

/// Why weights were not encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The beacon's key is no point of the curve.
    #[error(
        "the chain's randomness beacon has no valid key: weights cannot be hidden on this chain"
    )]
    BadBeacon,
    /// The chain takes no ciphertext of this length.
    #[error(
        "{weights} weights make a commit of {bytes} bytes, and the chain takes {MAX_BYTES}: set fewer"
    )]
    TooLong {
        /// Number of weights.
        weights: usize,
        /// Length of the ciphertext.
        bytes: usize,
    },
    /// The cipher failed.
    #[error("the weights cannot be encrypted")]
    Cipher,
}

/// Why a ciphertext was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The bytes are no ciphertext of this scheme.
    #[error("this is not a timelocked commit")]
    Malformed,
    /// The signature is not one of the round that the weights were encrypted to.
    #[error(
        "the signature does not open this commit: it is of another round, or of another beacon"
    )]
    WrongSignature,
    /// No hotkey is bound, or another one.
    #[error("the commit does not bind {0}: whoever made it could have copied it")]
    NotBound(Hotkey),
}

impl TimelockedWeights {
    /// Encrypts to a round of the beacon.
    pub fn seal(&self, round: u64, beacon: &Beacon) -> Result<Vec<u8>, SealError> {
        self.seal_with(round, beacon, OsRng)
    }

    /// As [`Self::seal`], with all randomness from `rng`.
    fn seal_with(
        &self,
        round: u64,
        beacon: &Beacon,
        mut rng: impl RngCore + CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        let key = PublicKey::deserialize_compressed(beacon.public_key.as_slice())
            .map_err(|_| SealError::BadBeacon)?;
        let mut secret = [0; SECRET_BYTES];
        rng.fill_bytes(&mut secret);
        let sealed =
            tle::<TinyBLS381, Aes, _>(key, secret, &self.encode(), identity(round), &mut rng)
                .map_err(|_| SealError::Cipher)?;
        let bytes = frame(&sealed).ok_or(SealError::Cipher)?;
        if bytes.len() > MAX_BYTES {
            return Err(SealError::TooLong {
                weights: self.weights.len(),
                bytes: bytes.len(),
            });
        }
        Ok(bytes)
    }

    /// Opens a ciphertext of `hotkey` with the signature of its round, 48 bytes.
    pub fn open(ciphertext: &[u8], signature: &[u8], hotkey: &Hotkey) -> Result<Self, OpenError> {
        let sealed = unframe(ciphertext).ok_or(OpenError::Malformed)?;
        let signature =
            Signature::deserialize_compressed(signature).map_err(|_| OpenError::WrongSignature)?;
        let payload =
            tld::<TinyBLS381, Aes>(sealed, signature).map_err(|_| OpenError::WrongSignature)?;
        let opened = Self::decode(&payload).ok_or(OpenError::NotBound(*hotkey))?;
        match opened.hotkey == *hotkey {
            true => Ok(opened),
            false => Err(OpenError::NotBound(*hotkey)),
        }
    }

    fn encode(&self) -> Vec<u8> {
        Wire {
            hotkey: self.hotkey.0.to_vec(),
            uids: self.weights.iter().map(|(uid, _)| uid.0).collect(),
            values: self.weights.iter().map(|(_, weight)| *weight).collect(),
            version_key: self.version_key,
        }
        .encode()
    }

    /// The payload, if it is whole and binds a hotkey. The form before version 4 began with the UIDs.
    fn decode(mut payload: &[u8]) -> Option<Self> {
        let wire = Wire::decode(&mut payload).ok()?;
        let hotkey = Hotkey(wire.hotkey.try_into().ok()?);
        if !payload.is_empty() || wire.uids.len() != wire.values.len() {
            return None;
        }
        Some(Self {
            hotkey,
            weights: wire.uids.into_iter().map(Uid).zip(wire.values).collect(),
            version_key: wire.version_key,
        })
    }
}

/// What a beacon signs in a round: SHA-256 of its number.
fn identity(round: u64) -> Identity {
    Identity::new(b"", &Sha256::digest(round.to_be_bytes()))
}

/// The ciphertext as the chain's version of the library wrote it: the two hidden parts have a length before them, which
/// the version that we build with leaves out.
fn frame(sealed: &TLECiphertext<TinyBLS381>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    sealed.header.u.serialize_compressed(&mut bytes).ok()?;
    for part in [
        &sealed.header.v[..],
        &sealed.header.w,
        &sealed.body,
        &sealed.cipher_suite,
    ] {
        bytes.extend(u64::try_from(part.len()).ok()?.to_le_bytes());
        bytes.extend(part);
    }
    Some(bytes)
}

fn unframe(bytes: &[u8]) -> Option<TLECiphertext<TinyBLS381>> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let (u, mut rest) = bytes.split_at_checked(KEY_BYTES)?;
    let mut part = || take(&mut rest);
    let (v, w, body, cipher_suite) = (part()?, part()?, part()?, part()?);
    // The decoder of what is inside takes a length at its word, and asks for as much memory.
    let mut inside = body;
    take(&mut inside)?;
    take(&mut inside)?;
    if !rest.is_empty() {
        return None;
    }
    Some(TLECiphertext {
        header: Ciphertext {
            u: PublicKey::deserialize_compressed(u).ok()?,
            v: v.try_into().ok()?,
            w: w.try_into().ok()?,
        },
        body: body.to_vec(),
        cipher_suite: cipher_suite.to_vec(),
    })
}

/// Takes a length (u64, little endian) and as many bytes.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (taken, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests;
