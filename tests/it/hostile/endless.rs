//! Serves a blob that claims ten gigabytes where its manifest names some hundred bytes.

use super::impostor::{Adversary, Workshop};

/// The length that a slice claims stands in its first eight bytes.
fn ten_gigabytes(mut slice: Vec<u8>) -> Vec<u8> {
    slice[..8].copy_from_slice(&10_000_000_000_u64.to_le_bytes());
    slice
}

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "claims 10000000000 bytes");
    Adversary {
        tamper: ten_gigabytes,
        ..workshop.adversary("endless", told, |_| ())
    }
}
