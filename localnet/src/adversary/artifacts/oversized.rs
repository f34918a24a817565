//! Commits to ten gigabytes: the manifest says so, and nothing of it is fetched.

use athanor_model::checkpoint::WEIGHTS;

use super::{AttackError, Misfit, Workshop};
use crate::adversary::impostor::Files;

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let mut entries = workshop.honest.manifest.files.clone();
    for entry in entries.iter_mut().filter(|entry| entry.name == WEIGHTS) {
        entry.bytes = 10_000_000_000;
    }
    let told = ("bad_artifact", "the spec allows");
    workshop.with_manifest("oversized", told, entries, &Files::new())
}
