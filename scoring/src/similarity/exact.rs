//! Find identical artifacts: equal manifests, or equal tensors whatever files hold them.
//!
//! Null: none is needed, equal hashes are equal contents. Statistic: the digest of the manifest or of the tensors in
//! canonical order. Correction: none. False positives: a collision of blake3.

use std::collections::BTreeMap;

use athanor_spec::{BlockNumber, Digest};

/// A committed artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digest of the tensors in canonical order, where the artifact was at hand.
    pub tensors: Option<Digest>,
    /// Block of the commitment.
    pub committed_at: BlockNumber,
}

/// For each artifact the index of the first one with equal contents: itself, unless it is a later copy. The earlier
/// commitment has priority, in one block the one that stands first in the list.
pub fn first_of(artifacts: &[Committed]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..artifacts.len()).collect();
    order.sort_by_key(|index| (artifacts[*index].committed_at, *index));
    let mut manifests = BTreeMap::new();
    let mut tensors = BTreeMap::new();
    let mut first = vec![0; artifacts.len()];
    for index in order {
        let artifact = &artifacts[index];
        let by_manifest = manifests.get(&artifact.manifest).copied();
        let by_tensors = artifact
            .tensors
            .and_then(|digest| tensors.get(&digest).copied());
        let known = by_manifest.or(by_tensors).unwrap_or(index);
        first[index] = known;
        manifests.entry(artifact.manifest).or_insert(known);
        if let Some(digest) = artifact.tensors {
            tensors.entry(digest).or_insert(known);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(manifest: u8, tensors: u8, block: u32) -> Committed {
        Committed {
            manifest: Digest([manifest; 32]),
            tensors: (tensors > 0).then_some(Digest([tensors; 32])),
            committed_at: BlockNumber(block),
        }
    }

    #[test]
    fn the_earlier_commitment_has_priority_whatever_the_order_of_the_list() {
        let list = [
            artifact(1, 9, 30),
            artifact(2, 9, 10),
            artifact(3, 8, 5),
            artifact(3, 0, 40),
        ];
        assert_eq!(first_of(&list), [1, 1, 2, 2]);
    }

    #[test]
    fn in_one_block_the_list_decides() {
        assert_eq!(first_of(&[artifact(1, 9, 7), artifact(2, 9, 7)]), [0, 0]);
    }

    #[test]
    fn different_contents_stay_apart() {
        assert_eq!(
            first_of(&[artifact(1, 1, 1), artifact(2, 2, 1), artifact(3, 0, 1)]),
            [0, 1, 2]
        );
    }
}
