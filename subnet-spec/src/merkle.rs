//! A hash tree over a list of byte strings, so that any one of them can be shown to belong to a committed root.
//!
//! The tree has RFC 6962's shape: a list of n > 1 items is split after the largest power of two below n, and nothing is
//! ever duplicated to fill a level, so two different lists never share a root. Items, inner nodes and the root are
//! hashed by blake3 in key derivation mode, each under a context of its own: no node can be passed off as an item, and
//! the root covers the number of items and a head that is not one of them.

use codec::{Decode, DecodeWithMemTracking, Encode};

use crate::Digest;

const ITEM: &str = "athanor/merkle/item";
const NODE: &str = "athanor/merkle/node";
const ROOT: &str = "athanor/merkle/root";
/// Longest path that is looked at: no list has more than 2^64 items.
const MAX_PATH: usize = 64;

/// The hash of an item, or of a head.
pub fn item(bytes: &[u8]) -> Digest {
    Digest(blake3::derive_key(ITEM, bytes))
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest(blake3::derive_key(NODE, &(left, right).encode()))
}

fn finish(head: &Digest, count: u64, top: &Digest) -> Digest {
    Digest(blake3::derive_key(ROOT, &(head, count, top).encode()))
}

/// Items in the left part of a list of `count` > 1.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

fn top(items: &[Digest]) -> Digest {
    match items {
        [] => Digest::default(),
        [only] => *only,
        more => {
            let (left, right) = more.split_at(split(more.len() as u64) as usize);
            node(&top(left), &top(right))
        }
    }
}

/// The root over a head (see [`item`]) and the hashes of the items in their order.
pub fn root(head: &Digest, items: &[Digest]) -> Digest {
    finish(head, items.len() as u64, &top(items))
}

/// What shows that an item belongs to a root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Inclusion {
    /// Hash of the head.
    pub head: Digest,
    /// Position of the item.
    pub index: u64,
    /// Number of items.
    pub count: u64,
    /// The other halves on the way up, the nearest first.
    pub path: Vec<Digest>,
}

impl Inclusion {
    /// The proof for the item at `index`; `None` if there is none.
    pub fn of(head: &Digest, items: &[Digest], index: usize) -> Option<Self> {
        items.get(index)?;
        let mut path = Vec::new();
        let (mut part, mut at) = (items, index);
        while part.len() > 1 {
            let (left, right) = part.split_at(split(part.len() as u64) as usize);
            if at < left.len() {
                path.push(top(right));
                part = left;
            } else {
                path.push(top(left));
                at -= left.len();
                part = right;
            }
        }
        path.reverse();
        Some(Self {
            head: *head,
            index: index as u64,
            count: items.len() as u64,
            path,
        })
    }

    /// Whether the item with these bytes stands at this place of the list under `root`.
    pub fn shows(&self, bytes: &[u8], root: &Digest) -> bool {
        if self.index >= self.count || self.path.len() > MAX_PATH {
            return false;
        }
        climb(self.index, self.count, item(bytes), &self.path)
            .is_some_and(|top| finish(&self.head, self.count, &top) == *root)
    }
}

fn climb(index: u64, count: u64, item: Digest, path: &[Digest]) -> Option<Digest> {
    if count == 1 {
        return path.is_empty().then_some(item);
    }
    let (sibling, below) = path.split_last()?;
    let left = split(count);
    Some(if index < left {
        node(&climb(index, left, item, below)?, sibling)
    } else {
        node(sibling, &climb(index - left, count - left, item, below)?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(texts: &[Vec<u8>]) -> Vec<Digest> {
        texts.iter().map(|text| item(text)).collect()
    }

    proptest! {
        #[test]
        fn every_item_is_shown_at_its_place_and_at_no_other(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 1..40),
            other in any::<prop::sample::Index>(),
        ) {
            let head = item(b"head");
            let items = items(&texts);
            let root = root(&head, &items);
            for (index, text) in texts.iter().enumerate() {
                let proof = Inclusion::of(&head, &items, index).unwrap();
                prop_assert!(proof.shows(text, &root));
                let elsewhere = other.index(texts.len());
                let moved = Inclusion { index: elsewhere as u64, ..proof.clone() };
                prop_assert!(!moved.shows(text, &root) || texts[elsewhere] == *text);
                let longer = Inclusion { count: proof.count + 1, ..proof.clone() };
                prop_assert!(!longer.shows(text, &root));
                prop_assert!(!proof.shows(b"another item", &root));
            }
            prop_assert_eq!(Inclusion::of(&head, &items, texts.len()), None);
        }
    }

    #[test]
    fn repeating_the_last_item_changes_the_root() {
        let head = item(b"head");
        for count in 1..20_u8 {
            let some: Vec<Digest> = (0..count).map(|i| item(&[i])).collect();
            let mut more = some.clone();
            more.push(some[some.len() - 1]);
            assert_ne!(root(&head, &some), root(&head, &more));
        }
    }

    #[test]
    fn an_inner_node_is_no_item_and_the_head_counts() {
        let items = items(&[vec![1], vec![2]]);
        let (head, other) = (item(b"head"), item(b"another"));
        let inner = (items[0], items[1]).encode();
        assert_ne!(root(&head, &items), root(&head, &[item(&inner)]));
        assert_ne!(root(&head, &items), root(&other, &items));
        assert_ne!(root(&head, &[]), root(&other, &[]));
    }

    #[test]
    fn the_root_is_fixed() {
        let items: Vec<Digest> = (0..5_u8).map(|i| item(&[i; 3])).collect();
        let root = root(&item(b"head"), &items);
        assert_eq!(
            root.to_string(),
            "73a1a61c510f1e269a951cacf9668f4a714999c0d812568f7994ca2dbe6d1d49"
        );
    }
}
