//! Decide for every new checkpoint of a round whose model it goes on with.
//!
//! An author publishes every epoch, and whoever copies it publishes as well, so that the blocks of two checkpoints say
//! nothing. The rules, in this order:
//!
//! 1. Equal tensors need no comparison: the first to commit to them has them.
//! 2. A model of the class of the one that the same registration had before goes on with it, whoever's that was. So an
//!    author is never held against the copies of its own models, and a copy stays one.
//! 3. Any other is held against the models that all others serve now and that go back to an earlier block. If it is of the
//!    class of one of them, it goes on with the nearest.
//! 4. What is like nobody's begins a chain.
//!
//! The order must be known before anybody is accused by it. It is not where somebody may have published before the other's
//! first commitment without being seen: what it committed to then could not be had, or both chains are new in this round, and
//! the manifest says that it had a predecessor, which it may have replaced within the epoch, or while the validator was off.
//! Such a model begins a chain. That leaves a way for copies: to be made before any round has seen the original, whose
//! artifact only validators can have until then, or to go unpaid since before the author began.
//!
//! A chain may be led from one model to another's in steps each of which is of one class. Each takes an epoch, and what
//! is served on the way is worse than either end.

use std::collections::{BTreeMap, BTreeSet};

use athanor_spec::{Account, BlockNumber, Digest};

use crate::round::{Claim, Distances, Ledger, Likeness, Lineage};

/// A checkpoint of the round that was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Who committed to it.
    pub account: Account,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Digest of its tensors.
    pub tensors: Digest,
    /// Block of the commitment.
    pub committed_at: BlockNumber,
    /// Whether the manifest names a model before it that is not the subnet's teacher.
    pub has_parent: bool,
}

/// An earlier model that a new one is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Whether it goes back to another's than who serves it.
    pub is_copy: bool,
}

/// What a comparison of a model with earlier ones gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compared {
    /// The model, or all of the earlier ones, could not be looked at.
    Unknown,
    /// It is of the class of none of them.
    Distinct,
    /// It is of the class of the earlier one of this position.
    SameClass(usize, Distances),
}

impl Present {
    fn claim(&self) -> Claim {
        Claim {
            account: self.account,
            committed_at: self.committed_at,
            manifest: self.manifest,
        }
    }

    fn is_of(&self, root: &Claim) -> bool {
        self.account.hotkey == root.account.hotkey
    }
}

/// What a model goes back to, and whether that was known before this round.
#[derive(Clone, Copy, Debug)]
struct Root {
    claim: Claim,
    known_before: bool,
}

/// The lineage of every checkpoint of `present` that is new to `ledger`, as far as `compare` can look at it.
///
/// `compare` takes the digest of a later manifest and earlier models, never the later itself. It is asked nothing when
/// nothing is new, and for a model that goes on with its own only about the one before.
pub fn lineages(
    ledger: &Ledger,
    present: &[Present],
    mut compare: impl FnMut(&Digest, &[Earlier]) -> Compared,
) -> BTreeMap<Account, Lineage> {
    let mut present: Vec<&Present> = present.iter().collect();
    present.sort_by_key(|it| (it.claim().rank(), it.manifest));
    present.dedup_by_key(|it| it.account);
    let mut roots = BTreeMap::<Digest, Root>::new();
    let mut found = BTreeMap::new();
    let mut first_of_chain = Vec::new();
    for it in &present {
        let chain = ledger.chain(&it.account);
        let mut known = |claim: Claim| {
            let known_before = true;
            let root = Root {
                claim,
                known_before,
            };
            roots.insert(it.tensors, root);
        };
        if let Some(chain) = chain.filter(|chain| chain.tensors == it.tensors) {
            known(chain.root);
            continue;
        }
        let claim = ledger.claim_to(&it.tensors);
        if let Some(claim) =
            claim.filter(|claim| !it.is_of(claim) && claim.rank() < it.claim().rank())
        {
            known(*claim);
            continue;
        }
        let Some(chain) = chain else {
            first_of_chain.push(*it);
            continue;
        };
        let before = Earlier {
            manifest: chain.manifest,
            is_copy: !chain.is_own(&it.account),
        };
        match compare(&it.manifest, &[before]) {
            Compared::SameClass(_, distances) => {
                known(chain.root);
                let like = Likeness {
                    manifest: chain.manifest,
                    tensors: chain.tensors,
                    distances: distances.bounded(),
                };
                found.insert(it.account, Lineage::Alike(like));
            }
            Compared::Unknown if chain.is_own(&it.account) => {
                known(chain.root);
                found.insert(it.account, Lineage::Presumed);
            }
            Compared::Unknown | Compared::Distinct => first_of_chain.push(*it),
        }
    }
    for it in first_of_chain {
        // Somebody was first with the same tensors in this very round.
        if roots.contains_key(&it.tensors) {
            continue;
        }
        // It may have committed to these tensors before, when they were not compared.
        let claimed = ledger.claim_to(&it.tensors).copied();
        let claimed = claimed.filter(|claim| it.is_of(claim) && claim.rank() < it.claim().rank());
        let own = claimed.unwrap_or(it.claim());
        let mut seen = BTreeSet::new();
        let earlier: Vec<(&Present, Root)> = present
            .iter()
            .filter(|other| other.account.hotkey != it.account.hotkey)
            .filter_map(|other| Some((*other, *roots.get(&other.tensors)?)))
            .filter(|(_, root)| root.claim.rank() < own.rank() || it.is_of(&root.claim))
            .filter(|(other, _)| seen.insert(other.tensors))
            .collect();
        let known: Vec<Earlier> = earlier
            .iter()
            .map(|(other, root)| Earlier {
                manifest: other.manifest,
                is_copy: !other.is_of(&root.claim),
            })
            .collect();
        let compared = match known.is_empty() {
            true => Compared::Distinct,
            false => compare(&it.manifest, &known),
        };
        let like = match compared {
            Compared::Unknown => continue,
            Compared::Distinct => None,
            Compared::SameClass(index, distances) => earlier
                .get(index)
                .filter(|(_, root)| it.is_of(&root.claim) || !may_be_older(it, root, ledger))
                .map(|(other, root)| (other, root, distances)),
        };
        let (lineage, root) = match like {
            None => (Lineage::Begins, own),
            Some((other, root, distances)) => {
                let like = Likeness {
                    manifest: other.manifest,
                    tensors: other.tensors,
                    distances: distances.bounded(),
                };
                (Lineage::Alike(like), root.claim)
            }
        };
        let root = Root {
            claim: root,
            known_before: false,
        };
        roots.insert(it.tensors, root);
        found.insert(it.account, lineage);
    }
    found
}

/// Whether a registration may have published before the claim at a root, in a way that this ledger does not know of.
fn may_be_older(it: &Present, root: &Root, ledger: &Ledger) -> bool {
    // Nobody commits to anything before it is registered.
    if it.account.registered_at >= root.claim.committed_at {
        return false;
    }
    let unseen = !root.known_before && it.has_parent;
    let missed = ledger.missed(&it.account);
    unseen || missed.is_some_and(|block| block < root.claim.committed_at)
}

#[cfg(test)]
mod tests;
