//! Look up blocks and their states.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use athanor_runtime::Header;
use sp_core::H256;
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::BackendTransaction;
use thiserror::Error;

use crate::{executor::State, history::History};

/// States kept, in blocks: what clients that read a recent block need.
const STATES: usize = 256;
/// Bodies kept, in blocks: more than the longest mortal era.
const BODIES: usize = 4_096;

/// The extrinsics of a block, each with its length prefix.
pub(crate) type Body = Vec<Vec<u8>>;

/// All headers, recent bodies and recent states.
pub(crate) struct Ledger {
    headers: Vec<(H256, Header)>,
    numbers: HashMap<H256, u32>,
    bodies: VecDeque<Arc<Body>>,
    history: History,
    timestamp: u64,
}

/// A block's state cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum StateError {
    /// There is no such block.
    #[error("Header was not found in the database: {0:?}")]
    Unknown(H256),
    /// The block is too old.
    #[error("State already discarded for {0:?}")]
    Discarded(H256),
}

impl Ledger {
    /// No block yet.
    pub(crate) fn new() -> Self {
        Self {
            headers: Vec::new(),
            numbers: HashMap::new(),
            bodies: VecDeque::new(),
            history: History::new(STATES),
            timestamp: 0,
        }
    }

    /// Adds the next block.
    pub(crate) fn push(
        &mut self,
        header: Header,
        body: Arc<Body>,
        timestamp: u64,
        changes: BackendTransaction<BlakeTwo256>,
    ) -> H256 {
        let hash = header.hash();
        self.numbers.insert(hash, header.number);
        self.headers.push((hash, header));
        self.bodies.push_back(body);
        if self.bodies.len() > BODIES {
            self.bodies.pop_front();
        }
        self.history.push(changes);
        self.timestamp = timestamp;
        hash
    }

    /// A state without a block: what the genesis block is built on.
    pub(crate) fn empty_state(&self) -> State {
        self.history
            .nodes()
            .state(sp_trie::empty_trie_root::<sp_trie::LayoutV1<BlakeTwo256>>())
    }

    /// Hash and header of the newest block.
    pub(crate) fn best(&self) -> &(H256, Header) {
        self.headers
            .last()
            .expect("the genesis block is added when the chain is made")
    }

    /// Time of the newest block, in milliseconds since 1970.
    pub(crate) fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// Hash of the block with this number.
    pub(crate) fn hash(&self, number: u32) -> Option<H256> {
        self.headers
            .get(usize::try_from(number).ok()?)
            .map(|(hash, _)| *hash)
    }

    /// Header of the block with this hash.
    pub(crate) fn header(&self, hash: &H256) -> Option<&Header> {
        let number = usize::try_from(*self.numbers.get(hash)?).ok()?;
        self.headers.get(number).map(|(_, header)| header)
    }

    /// Extrinsics of the block with this hash, if they are still kept.
    pub(crate) fn body(&self, hash: &H256) -> Option<Arc<Body>> {
        let number = usize::try_from(*self.numbers.get(hash)?).ok()?;
        let first = self.headers.len().checked_sub(self.bodies.len())?;
        self.bodies.get(number.checked_sub(first)?).cloned()
    }

    /// State after the block with this hash.
    pub(crate) fn state(&self, hash: &H256) -> Result<State, StateError> {
        let header = self.header(hash).ok_or(StateError::Unknown(*hash))?;
        let age = self.headers.len() - usize::try_from(header.number).unwrap_or(0);
        if age > self.history.len() {
            return Err(StateError::Discarded(*hash));
        }
        Ok(self.history.nodes().state(header.state_root))
    }

    /// State after the newest block.
    pub(crate) fn best_state(&self) -> State {
        self.history.nodes().state(self.best().1.state_root)
    }

    /// Number of trie nodes held.
    pub(crate) fn node_count(&self) -> usize {
        self.history.nodes().len()
    }
}
