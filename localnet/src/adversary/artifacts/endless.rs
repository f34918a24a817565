//! Serves a blob that claims ten gigabytes where its manifest names some hundred bytes.

use super::{AttackError, Misfit, Workshop};

/// The length that a slice claims stands in its first eight bytes.
fn ten_gigabytes(mut slice: Vec<u8>) -> Vec<u8> {
    if let Some(length) = slice.first_chunk_mut() {
        *length = 10_000_000_000_u64.to_le_bytes();
    }
    slice
}

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "claims 10000000000 bytes");
    Ok(Misfit {
        tamper: ten_gigabytes,
        ..workshop.misfit("endless", told, |_| Ok(()))?
    })
}
