//! Find hotkeys that serve the same artifact, and who served it first.

use std::collections::BTreeMap;

use athanor_spec::{BlockNumber, Digest, Hotkey};
use codec::{Decode, Encode};

/// A committed and verified artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Digest of its tensors' contents in canonical order, independent of how they are laid out in files.
    pub tensors: Digest,
}

/// The class of every artifact, in the order given: equal for artifacts that share a manifest or the tensors, directly
/// or through others. Named by the smallest digest of tensors in it.
pub fn classes(artifacts: &[Artifact]) -> Vec<Digest> {
    let mut class: Vec<Digest> = artifacts.iter().map(|a| a.tensors).collect();
    // A pass lowers names only, and every artifact knows its own tensors, so two or three passes settle real inputs.
    loop {
        let mut lowest: BTreeMap<Digest, Digest> = BTreeMap::new();
        for (artifact, name) in artifacts.iter().zip(&class) {
            for key in [artifact.manifest, artifact.tensors] {
                let entry = lowest.entry(key).or_insert(*name);
                *entry = (*entry).min(*name);
            }
        }
        let next: Vec<Digest> = artifacts
            .iter()
            .map(|artifact| lowest[&artifact.manifest].min(lowest[&artifact.tensors]))
            .collect();
        if next == class {
            return class;
        }
        class = next;
    }
}

/// Since when each hotkey has committed to which tensors. The chain keeps only the block of the last commitment, so an
/// author who commits again (for a new peer key, say) would otherwise lose its priority to a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Priorities {
    seen: BTreeMap<Claim, Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
struct Claim {
    tensors: Digest,
    hotkey: Hotkey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Span {
    first: BlockNumber,
    last: BlockNumber,
}

impl Priorities {
    /// Notes that `hotkey` serves `tensors`, committed in block `committed`, and returns the block of its priority: the
    /// earliest one noted. `now` is the present block.
    pub fn note(
        &mut self,
        hotkey: Hotkey,
        tensors: Digest,
        committed: BlockNumber,
        now: BlockNumber,
    ) -> BlockNumber {
        let fresh = Span {
            first: committed,
            last: now,
        };
        let span = self.seen.entry(Claim { tensors, hotkey }).or_insert(fresh);
        span.first = span.first.min(committed);
        span.last = span.last.max(now);
        span.first
    }

    /// Forgets claims that were last noted before `block`: priority lapses with service.
    pub fn forget_before(&mut self, block: BlockNumber) {
        self.seen.retain(|_, span| span.last >= block);
    }

    /// Number of claims held.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether no claim is held.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

#[cfg(test)]
mod tests;
