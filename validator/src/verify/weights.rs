//! The weights of each round, derived anew from the transcripts.

use athanor_scoring::{round::Ledger, transcript::Transcript};
use athanor_spec::{Digest, Round, SubnetSpec, Uid};

use super::Difference;

/// A round as it follows from the rounds before and its transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct Rederived {
    /// Which.
    pub round: Round,
    /// Root of its transcript.
    pub root: Digest,
    /// The weights, by ascending UID; empty when nobody had earned any.
    pub weights: Vec<(Uid, u16)>,
    /// What does not fit.
    pub differences: Vec<Difference>,
}

/// Closes one round after the other, beginning on the ledger before the first. The transcripts are of one validator, in
/// the order of their rounds.
pub fn rederive(before: Ledger, transcripts: &[Transcript], spec: &SubnetSpec) -> Vec<Rederived> {
    let mut ledger = before;
    let mut last: Option<Digest> = None;
    let mut derived = Vec::with_capacity(transcripts.len());
    for transcript in transcripts {
        let head = &transcript.head;
        let mut differences = Vec::new();
        if last.is_some() && head.previous != last {
            differences.push(Difference::Line { round: head.round });
        }
        let on = ledger.digest();
        if head.ledger != on {
            differences.push(Difference::Ledger {
                round: head.round,
                found: head.ledger,
                derived: on,
            });
        }
        let closed = transcript.close(ledger, spec);
        ledger = closed.ledger;
        let root = transcript.root();
        last = Some(root);
        derived.push(Rederived {
            round: head.round,
            root,
            weights: closed.weights,
            differences,
        });
    }
    derived
}

/// Whether two rows of weights are the same up to a common factor and zeros, as the chain keeps them.
pub(super) fn same_row(derived: &[(Uid, u16)], on_chain: &[(Uid, u16)]) -> bool {
    let row = |weights: &[(Uid, u16)]| {
        let mut row: Vec<(Uid, u16)> = weights.iter().copied().filter(|(_, w)| *w > 0).collect();
        row.sort_unstable();
        let max = row.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
        (row, max)
    };
    let ((ours, our_max), (theirs, their_max)) = (row(derived), row(on_chain));
    ours.len() == theirs.len()
        && ours.iter().zip(&theirs).all(|(our, their)| {
            our.0 == their.0
                && u64::from(our.1) * u64::from(their_max)
                    == u64::from(their.1) * u64::from(our_max)
        })
}

#[cfg(test)]
mod tests {
    use athanor_scoring::transcript::Head;

    use super::*;
    use crate::book;

    /// A round without miners, whose only claim is where it stands in the line.
    fn empty(round: u64, previous: Option<Digest>, ledger: Digest) -> Transcript {
        let head = Head {
            previous,
            ledger,
            miners: Vec::new(),
            ..book::tests::head(round)
        };
        Transcript::new(head, Vec::new())
    }

    #[test]
    fn a_line_holds_only_if_each_round_names_the_one_before_and_its_ledger() {
        let spec = SubnetSpec::local();
        let first = empty(3, None, Ledger::default().digest());
        let after = first.close(Ledger::default(), &spec).ledger.digest();
        let found = |second: Transcript| {
            let line = [first.clone(), second];
            let derived = rederive(Ledger::default(), &line, &spec);
            assert_eq!(derived[0].differences, []);
            derived[1].differences.clone()
        };
        assert_eq!(found(empty(4, Some(first.root()), after)), []);
        // A round between them was left out.
        let other = Digest([11; 32]);
        let left_out = Difference::Line { round: Round(4) };
        assert_eq!(found(empty(4, Some(other), after)), [left_out]);
        let cooked = Difference::Ledger {
            round: Round(4),
            found: other,
            derived: after,
        };
        assert_eq!(found(empty(4, Some(first.root()), other)), [cooked]);
    }

    #[test]
    fn rows_are_the_same_up_to_scale_and_zeros() {
        let row = |weights: &[(u16, u16)]| -> Vec<(Uid, u16)> {
            weights.iter().map(|(uid, w)| (Uid(*uid), *w)).collect()
        };
        let ours = row(&[(1, 65_535), (2, 13_107), (3, 0)]);
        assert!(same_row(&ours, &row(&[(2, 13_107), (1, 65_535)])));
        assert!(same_row(&ours, &row(&[(1, 5), (2, 1)])));
        assert!(!same_row(&ours, &row(&[(1, 65_535), (2, 13_108)])));
        assert!(!same_row(&ours, &row(&[(1, 65_535)])));
        assert!(!same_row(&ours, &row(&[(1, 65_535), (4, 13_107)])));
        assert!(same_row(&[], &[]));
    }
}
