//! Open a timelocked ciphertext.
//!
//! The bytes are those that Bittensor's clients send: the ark encoding of a `TLECiphertext` whose header has vectors,
//! `U (96) | len 32 | V (32) | len 32 | W (32) | len | body | len 8 | "AES_GCM_"`, where the body is
//! `len | AES-256-GCM ciphertext | len 12 | nonce` and every length eight bytes, little-endian. The framing is read
//! here, piece by piece: whoever sent it may be hostile, and a length that is taken at its word would allocate it.

use alloc::vec::Vec;
use ark_serialize::CanonicalDeserialize;
use timelock::{
    block_ciphers::{AESGCMBlockCipherProvider, BlockCipherProvider},
    engines::drand::TinyBLS381,
    ibe::fullident::Ciphertext,
    tlock::{TLECiphertext, tld},
};

use super::verify::{self, PublicKey};

/// Bytes of a compressed point of G2.
const POINT: usize = 96;

/// What `ciphertext` hides, given the signature of the round that it is locked to; nothing if it is malformed, locked
/// to another round or changed on its way.
pub fn open(ciphertext: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    let signature = verify::signature(signature)?;
    tld::<TinyBLS381, AESGCMBlockCipherProvider>(read(ciphertext)?, signature).ok()
}

fn read(bytes: &[u8]) -> Option<TLECiphertext<TinyBLS381>> {
    let (point, mut rest) = bytes.split_at_checked(POINT)?;
    let v = take(&mut rest)?;
    let w = take(&mut rest)?;
    let body = take(&mut rest)?;
    let suite = take(&mut rest)?;
    let mut inner = body;
    take(&mut inner)?;
    take(&mut inner)?;
    let whole = rest.is_empty()
        && inner.is_empty()
        && suite == <AESGCMBlockCipherProvider as BlockCipherProvider<32>>::CIPHER_SUITE;
    if !whole {
        return None;
    }
    Some(TLECiphertext {
        header: Ciphertext {
            u: PublicKey::deserialize_compressed(point).ok()?,
            v: v.try_into().ok()?,
            w: w.try_into().ok()?,
        },
        body: body.to_vec(),
        cipher_suite: suite.to_vec(),
    })
}

/// Takes a length and as many bytes.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (taken, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}
