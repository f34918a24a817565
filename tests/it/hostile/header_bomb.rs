//! Declares a header of safetensors that would take the reader's memory.

use super::impostor::{Adversary, Workshop, weights_of};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "safetensors header declares");
    workshop.adversary("header_bomb", told, |files| {
        let declared = (1_u64 << 40).to_le_bytes();
        weights_of(files)[..8].copy_from_slice(&declared);
    })
}
