//! Commits to a file of weights that ends in the middle; every byte that is there verifies.

use super::{AttackError, Misfit, Workshop};
use crate::adversary::impostor::weights_of;

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "not a valid safetensors file");
    workshop.misfit("truncated", told, |files| {
        let weights = weights_of(files)?;
        weights.truncate(weights.len() / 2);
        Ok(())
    })
}
