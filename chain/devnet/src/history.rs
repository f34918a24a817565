//! Keep the state of recent blocks in memory, and drop older ones exactly.
//!
//! One store holds the trie nodes of all states, each with a count of how many hold it. A block adds nodes at once and
//! releases those that it replaced only when the last state before it leaves the window.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
};

use codec::{Decode, Encode};
use hash_db::Prefix;
use parking_lot::RwLock;
use sp_core::H256;
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{
    BackendTransaction, DBValue, DefaultError, TrieBackendBuilder, TrieBackendStorage,
};
use sp_trie::prefixed_key;

use crate::executor::State;

/// Key of a node: its place in the trie and its hash.
pub(crate) type Key = Vec<u8>;

/// A trie node.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Node {
    /// Its bytes.
    pub(crate) value: DBValue,
    /// How many hold it.
    pub(crate) count: i64,
}

/// A node that is held less often.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Release {
    /// Which.
    pub(crate) key: Key,
    /// What is added to its count, below zero.
    pub(crate) count: i64,
}

/// The trie nodes of all states in the window. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Nodes(Arc<RwLock<HashMap<Key, Node>>>);

impl TrieBackendStorage<BlakeTwo256> for Nodes {
    fn get(&self, key: &H256, prefix: Prefix) -> Result<Option<DBValue>, DefaultError> {
        let key = prefixed_key::<BlakeTwo256>(key, prefix);
        Ok(self.0.read().get(&key).map(|node| node.value.clone()))
    }
}

impl Nodes {
    /// The state with this root; reading it fails once the root has left the window.
    pub(crate) fn state(&self, root: H256) -> State {
        TrieBackendBuilder::new(self.clone(), root).build()
    }

    /// Number of nodes held.
    pub(crate) fn len(&self) -> usize {
        self.0.read().len()
    }

    fn add(&self, added: Vec<(Key, Node)>) {
        let mut nodes = self.0.write();
        for (key, node) in added {
            match nodes.entry(key) {
                Entry::Occupied(mut entry) => entry.get_mut().count += node.count,
                Entry::Vacant(entry) => {
                    entry.insert(node);
                }
            }
        }
    }

    /// Lowers counts, and forgets the nodes that nothing holds any more.
    fn release(&self, released: Vec<Release>) {
        let mut nodes = self.0.write();
        for Release { key, count } in released {
            if let Entry::Occupied(mut entry) = nodes.entry(key) {
                entry.get_mut().count += count;
                if entry.get().count <= 0 {
                    entry.remove();
                }
            }
        }
    }
}

/// What the next block changes of the window.
pub(crate) struct StateChange {
    /// Nodes that it adds.
    pub(crate) added: Vec<(Key, Node)>,
    /// Nodes that it releases when the state before it leaves.
    pub(crate) released: Vec<Release>,
    /// Nodes that leave now.
    pub(crate) expired: Vec<Release>,
    /// Whether a state leaves now.
    pub(crate) expires: bool,
    /// How many blocks before this one the oldest state that stays is.
    pub(crate) depth: u32,
}

/// The window: which blocks' states are still complete.
pub(crate) struct History {
    nodes: Nodes,
    keep: usize,
    /// What each block in the window released, oldest first.
    released: VecDeque<Vec<Release>>,
}

impl History {
    /// A window of `keep` states, at least one.
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            nodes: Nodes::default(),
            keep: keep.max(1),
            released: VecDeque::new(),
        }
    }

    /// A window with the nodes and releases that another had.
    pub(crate) fn restore(
        keep: usize,
        nodes: Vec<(Key, Node)>,
        released: Vec<Vec<Release>>,
    ) -> Self {
        let history = Self {
            released: released.into(),
            ..Self::new(keep)
        };
        history.nodes.add(nodes);
        history
    }

    /// The nodes.
    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Number of states in the window.
    pub(crate) fn len(&self) -> usize {
        self.released.len()
    }

    /// What adding the next block's changes means for the window.
    pub(crate) fn plan(&self, mut changes: BackendTransaction<BlakeTwo256>) -> StateChange {
        let mut added = Vec::new();
        let mut released = Vec::new();
        for (key, (value, count)) in changes.drain() {
            let count = i64::from(count);
            match count.signum() {
                1 => added.push((key, Node { value, count })),
                -1 => released.push(Release { key, count }),
                _ => {}
            }
        }
        // What the oldest block itself released is gone already; what the next one released goes with its state. A
        // window that was made smaller than it was loses several states at once.
        let leaving = (self.released.len() + 1).saturating_sub(self.keep);
        let staying = self.released.len() - leaving;
        let mut expired: Vec<Release> = Vec::new();
        for index in 1..=leaving {
            match self.released.get(index) {
                Some(later) => expired.extend_from_slice(later),
                // No state but the new block's stays.
                None => expired.append(&mut released),
            }
        }
        StateChange {
            added,
            released,
            expired,
            expires: leaving > 0,
            depth: u32::try_from(staying).unwrap_or(u32::MAX),
        }
    }

    /// Adds the next block's changes, and drops the oldest states if there are too many.
    pub(crate) fn apply(&mut self, change: StateChange) {
        self.nodes.add(change.added);
        self.released.push_back(change.released);
        self.nodes.release(change.expired);
        while self.released.len() > self.keep {
            self.released.pop_front();
            if let Some(oldest) = self.released.front_mut() {
                oldest.clear();
            }
        }
    }
}
