//! Commits to ten gigabytes: the manifest says so, and nothing of it is fetched.

use athanor_model::checkpoint::WEIGHTS;

use super::impostor::{Adversary, Files, Workshop};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let mut entries = workshop.honest.manifest.files.clone();
    for entry in entries.iter_mut().filter(|entry| entry.name == WEIGHTS) {
        entry.bytes = 10_000_000_000;
    }
    let told = ("bad_artifact", "the spec allows");
    workshop.with_manifest("oversized", told, entries, &Files::new())
}
