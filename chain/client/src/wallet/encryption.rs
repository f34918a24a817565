//! A key file under a password: `$NACL`, a nonce of 24 bytes, and a secretbox of the JSON.
//!
//! The secretbox is XSalsa20-Poly1305 under a key that Argon2i derives from the password, with libsodium's `SENSITIVE`
//! limits and bittensor-wallet's fixed salt. Deriving it takes 512 MiB of memory and some seconds, each time.

use argon2::{Algorithm, Argon2, Params, Version};
use crypto_secretbox::{
    AeadCore as _, KeyInit as _, XSalsa20Poly1305,
    aead::{Aead as _, OsRng},
};
use zeroize::Zeroizing;

/// What an encrypted key file begins with.
pub(super) const HEADER: &[u8] = b"$NACL";
const NONCE_BYTES: usize = 24;
/// The same for all files, as in bittensor-wallet: equal passwords make equal keys.
const SALT: [u8; 16] = [
    0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1,
];
/// libsodium's `crypto_pwhash_argon2i_MEMLIMIT_SENSITIVE`, in KiB.
const MEMORY_KIB: u32 = 512 * 1024;
/// libsodium's `crypto_pwhash_argon2i_OPSLIMIT_SENSITIVE`.
const PASSES: u32 = 8;
const LANES: u32 = 1;
const KEY_BYTES: usize = 32;

/// The key of a password.
pub(super) fn derive(password: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, argon2::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(KEY_BYTES))?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2i, Version::V0x13, params).hash_password_into(
        password.as_bytes(),
        &SALT,
        key.as_mut_slice(),
    )?;
    Ok(key)
}

/// The content of an encrypted file; `None` if it was sealed with another key, or is damaged.
pub(super) fn open(file: &[u8], key: &[u8; KEY_BYTES]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = file.strip_prefix(HEADER)?.split_at_checked(NONCE_BYTES)?;
    XSalsa20Poly1305::new(key.into())
        .decrypt(nonce.into(), sealed)
        .ok()
        .map(Zeroizing::new)
}

/// A whole encrypted file; `None` if `content` is too long for the cipher, which no key file is.
pub(super) fn seal(content: &[u8], key: &[u8; KEY_BYTES]) -> Option<Vec<u8>> {
    let nonce = XSalsa20Poly1305::generate_nonce(&mut OsRng);
    let sealed = XSalsa20Poly1305::new(key.into())
        .encrypt(&nonce, content)
        .ok()?;
    Some([HEADER, nonce.as_slice(), &sealed].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_opens_with_the_same_key_only(
            content in proptest::collection::vec(any::<u8>(), 0..600),
            key: [u8; 32],
            flipped in 0usize..700,
        ) {
            let mut file = seal(&content, &key).unwrap();
            prop_assert_eq!(file.len(), HEADER.len() + NONCE_BYTES + 16 + content.len());
            let opened = open(&file, &key).unwrap();
            prop_assert_eq!(opened.as_slice(), &content[..]);
            let mut other = key;
            other[0] ^= 1;
            prop_assert!(open(&file, &other).is_none());
            let at = flipped % file.len();
            file[at] ^= 1;
            prop_assert!(open(&file, &key).is_none(), "a flipped bit at {} went unseen", at);
        }

        #[test]
        fn a_file_of_any_bytes_is_no_panic(file: Vec<u8>, key: [u8; 32]) {
            prop_assert!(open(&file, &key).is_none());
        }
    }
}
