//! What may go when there is too much: never what is served, committed, about to be, or what a rollback would return to.

use athanor_spec::Digest;

/// Checkpoints that stay without a quota: the one served, the one before it (a validator may still be auditing answers of
/// the round that ended) and the one that is committed next.
pub(super) const KEPT: usize = 3;

/// A checkpoint on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) checkpoint: Digest,
    pub(super) bytes: u64,
}

/// How much may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    /// The newest few.
    Few,
    /// As many as fit into this many bytes, together with what else lies in the data directory.
    Bytes {
        /// All of the data directory.
        quota: u64,
        /// What in it is no checkpoint.
        others: u64,
    },
}

/// Which of `present`, oldest first, go so that the rest keeps to the budget; none of `needed` does, even if it does not.
pub(super) fn victims(present: &[Present], needed: &[Digest], budget: Budget) -> Vec<Digest> {
    let mut count = present.len();
    let mut bytes: u64 = present.iter().map(|present| present.bytes).sum();
    let mut gone = Vec::new();
    for oldest in present {
        let fits = match budget {
            Budget::Few => count <= KEPT,
            Budget::Bytes { quota, others } => bytes.saturating_add(others) <= quota,
        };
        if fits {
            break;
        }
        if !needed.contains(&oldest.checkpoint) {
            count -= 1;
            bytes -= oldest.bytes;
            gone.push(oldest.checkpoint);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn present(bytes: &[u64]) -> Vec<Present> {
        let of = |(n, bytes): (usize, &u64)| Present {
            checkpoint: Digest([n as u8; 32]),
            bytes: *bytes,
        };
        bytes.iter().enumerate().map(of).collect()
    }

    proptest! {
        /// What is needed stays; what goes is the oldest of the rest, and no more than the budget asks for.
        #[test]
        fn only_the_oldest_that_nobody_needs_go_and_only_as_many_as_must(
            bytes in prop::collection::vec(1_u64..100, 0..20),
            needed in prop::collection::vec(0_u8..20, 0..5),
            quota in 0_u64..1500,
            others in 0_u64..500,
        ) {
            let present = present(&bytes);
            let needed: Vec<Digest> = needed.into_iter().map(|n| Digest([n; 32])).collect();
            let gone = victims(&present, &needed, Budget::Bytes { quota, others });
            prop_assert!(gone.iter().all(|gone| !needed.contains(gone)));
            let free: Vec<Digest> = present.iter().map(|p| p.checkpoint).filter(|c| !needed.contains(c)).collect();
            prop_assert_eq!(&gone[..], &free[..gone.len()]);
            let left = |gone: &[Digest]| -> u64 {
                others + present.iter().filter(|p| !gone.contains(&p.checkpoint)).map(|p| p.bytes).sum::<u64>()
            };
            prop_assert!(left(&gone) <= quota || gone.len() == free.len());
            if let Some((_, fewer)) = gone.split_last() {
                prop_assert!(left(fewer) > quota);
            }
        }
    }

    #[test]
    fn without_a_quota_the_newest_few_stay() {
        let present = present(&[1; 6]);
        let gone = victims(&present, &[Digest([1; 32])], Budget::Few);
        assert_eq!(gone, [0, 2, 3].map(|n| Digest([n; 32])));
    }
}
