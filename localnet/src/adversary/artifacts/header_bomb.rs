//! Declares a header of safetensors that would take the reader's memory.

use super::{AttackError, Misfit, Workshop};
use crate::adversary::impostor::weights_of;

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "safetensors header declares");
    workshop.misfit("header_bomb", told, |files| {
        let declared = (1_u64 << 40).to_le_bytes();
        if let Some(length) = weights_of(files)?.first_chunk_mut() {
            *length = declared;
        }
        Ok(())
    })
}
