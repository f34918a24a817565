//! Commits to a file of weights that ends in the middle; every byte that is there verifies.

use super::impostor::{Adversary, Workshop, weights_of};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "not a valid safetensors file");
    workshop.adversary("truncated", told, |files| {
        let weights = weights_of(files);
        weights.truncate(weights.len() / 2);
    })
}
