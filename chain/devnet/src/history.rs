//! Keep the state of recent blocks in memory, and drop older ones exactly.
//!
//! One store holds the trie nodes of all states, each with a count of how many hold it. A block adds nodes at once and
//! releases those that it replaced only when the last state before it leaves the window.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
};

use hash_db::Prefix;
use parking_lot::RwLock;
use sp_core::H256;
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{
    BackendTransaction, DBValue, DefaultError, TrieBackendBuilder, TrieBackendStorage,
};
use sp_trie::prefixed_key;

use crate::executor::State;

type Key = Vec<u8>;

/// The trie nodes of all states in the window. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Nodes(Arc<RwLock<HashMap<Key, (DBValue, i64)>>>);

impl TrieBackendStorage<BlakeTwo256> for Nodes {
    fn get(&self, key: &H256, prefix: Prefix) -> Result<Option<DBValue>, DefaultError> {
        let key = prefixed_key::<BlakeTwo256>(key, prefix);
        Ok(self.0.read().get(&key).map(|(value, _)| value.clone()))
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

    /// Adds to the counts of nodes, and forgets those that nothing holds any more.
    fn count(&self, changes: impl IntoIterator<Item = (Key, (DBValue, i64))>) {
        let mut nodes = self.0.write();
        for (key, (value, by)) in changes {
            match nodes.entry(key) {
                Entry::Occupied(mut entry) => {
                    entry.get_mut().1 += by;
                    if entry.get().1 <= 0 {
                        entry.remove();
                    }
                }
                Entry::Vacant(entry) if by > 0 => {
                    entry.insert((value, by));
                }
                Entry::Vacant(_) => {}
            }
        }
    }
}

/// The window: which blocks' states are still complete.
pub(crate) struct History {
    nodes: Nodes,
    keep: usize,
    /// What each block in the window released, oldest first.
    released: VecDeque<Vec<(Key, (DBValue, i64))>>,
}

impl History {
    /// A window of `keep` states.
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            nodes: Nodes::default(),
            keep,
            released: VecDeque::new(),
        }
    }

    /// The nodes.
    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Number of states in the window.
    pub(crate) fn len(&self) -> usize {
        self.released.len()
    }

    /// Adds the next block's changes, and drops the oldest state if there are too many.
    pub(crate) fn push(&mut self, mut changes: BackendTransaction<BlakeTwo256>) {
        let (added, released): (Vec<_>, Vec<_>) = changes
            .drain()
            .into_iter()
            .map(|(key, (value, count))| (key, (value, i64::from(count))))
            .filter(|(_, (_, count))| *count != 0)
            .partition(|(_, (_, count))| *count > 0);
        self.nodes.count(added);
        self.released.push_back(released);
        if self.released.len() > self.keep {
            // What the oldest block itself released is gone already; what the next one released goes with its state.
            self.released.pop_front();
            let released = self
                .released
                .front_mut()
                .map(std::mem::take)
                .unwrap_or_default();
            self.nodes.count(released);
        }
    }
}
