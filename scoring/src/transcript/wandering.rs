//! Find a miner that names another checkpoint from answer to answer.
//!
//! An answer from a checkpoint that the round does not know is no fault by itself: the miner may have swapped a block late,
//! from a checkpoint that a validator which was away never heard of, or a block early, to the one that it has committed
//! to meanwhile. That makes two unknown checkpoints in a round at most. Whoever signs a third one draws from what it never
//! committed to, and its signatures show it.

use std::collections::BTreeSet;

use athanor_spec::Digest;

use crate::ledger::{Fault, FaultKind};

/// Unknown checkpoints in one round for which an honest miner can have a reason.
const EXCUSABLE: usize = 2;
/// Checkpoints that the evidence lists.
const SHOWN: usize = 6;

/// The fault that the checkpoints named by a miner's signed answers of one round show; `accepted` are those that the
/// round knows.
pub(super) fn fault(named: impl IntoIterator<Item = Digest>, accepted: &[Digest]) -> Option<Fault> {
    let unknown: BTreeSet<Digest> = named
        .into_iter()
        .filter(|digest| !accepted.contains(digest))
        .collect();
    if unknown.len() <= EXCUSABLE {
        return None;
    }
    let shown: Vec<String> = unknown.iter().take(SHOWN).map(Digest::short).collect();
    let more = match unknown.len() > SHOWN {
        true => ", ..",
        false => "",
    };
    Some(Fault {
        kind: FaultKind::BadAnswer,
        evidence: format!(
            "signed answers name {} checkpoints within one round that were not committed before it, where a swap explains \
             {EXCUSABLE}: {}{more}",
            unknown.len(),
            shown.join(", "),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(id: u8) -> Digest {
        Digest([id; 32])
    }

    #[test]
    fn a_late_and_an_early_swap_are_no_fault() {
        let accepted = [digest(1), digest(2)];
        let named = [1, 2, 3, 4, 3, 4, 1, 1].map(digest);
        assert_eq!(fault(named, &accepted), None);
        assert_eq!(fault([], &accepted), None);
    }

    #[test]
    fn a_third_unknown_checkpoint_is_one_and_is_listed() {
        let fault = fault([1, 3, 4, 4, 5].map(digest), &[digest(1)]).unwrap();
        assert_eq!(fault.kind, FaultKind::BadAnswer);
        assert!(fault.evidence.contains("name 3 checkpoints"), "{fault:?}");
        assert!(fault.evidence.contains(&digest(5).short()), "{fault:?}");
    }

    #[test]
    fn the_evidence_fits_a_record_however_many_there_are() {
        let fault = fault((0..=255).map(digest), &[]).unwrap();
        assert!(fault.evidence.len() < Fault::MAX_EVIDENCE_BYTES);
        assert!(fault.evidence.ends_with(".."));
    }
}
