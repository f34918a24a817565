//! Whether a chain continues where it was, and a directory that is not its own is left alone.

use std::{path::Path, sync::Arc};

use super::*;
use crate::{
    chain::{Chain, OpenError},
    config::{Clock, Keep},
    genesis::Genesis,
    ledger::StateError,
    testing::*,
};

const FEW: Keep = Keep {
    states: 8,
    blocks: 16,
};

fn open_with(path: &Path, genesis: &Genesis, keep: Keep) -> Result<Chain, OpenError> {
    Chain::open(Clock::Virtual, genesis, keep, Some(path), Arc::default())
}

fn open(path: &Path) -> Chain {
    open_with(path, &genesis(), FEW).unwrap()
}

/// What a client can see of the chain's present.
fn picture(chain: &Chain) -> (Block, usize, usize) {
    chain.read(|ledger| {
        (
            ledger.best().clone(),
            ledger.node_count(),
            ledger.block_count(),
        )
    })
}

#[track_caller]
fn assert_same(chain: &Chain, expected: &(Block, usize, usize)) {
    let found = picture(chain);
    assert_eq!(found.0.hash, expected.0.hash);
    assert_eq!((found.1, found.2), (expected.1, expected.2));
}

/// A chain that was never stopped.
fn in_memory(keep: Keep, blocks: u32) -> Chain {
    let chain = Chain::open(Clock::Virtual, &genesis(), keep, None, Arc::default()).unwrap();
    seal_to(&chain, blocks);
    chain
}

#[test]
fn a_chain_continues_where_it_was_closed() {
    let directory = tempfile::tempdir().unwrap();
    for to in [3, 7, 20, 21, 60] {
        let chain = open(directory.path());
        seal_to(&chain, to);
        chain.close();
    }
    let reference = picture(&in_memory(FEW, 60));
    assert_same(&open(directory.path()), &reference);
}

#[test]
fn extrinsics_and_what_they_changed_are_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    send(&chain, "Charlie", burned_register("Charlie//hotkey"));
    let hash = chain.seal().unwrap().hash;
    send(&chain, "Charlie", add_stake("Charlie//hotkey", 100));
    chain.seal().unwrap();
    let before = picture(&chain);
    drop(chain);
    let chain = open(directory.path());
    assert_same(&chain, &before);
    let block = chain.read(|ledger| ledger.block(&hash)).unwrap();
    assert_eq!((block.header.number, block.body.len()), (1, 2));
    let nonce: u32 = query(
        &chain,
        "AccountNonceApi_account_nonce",
        account("Charlie").encode(),
    );
    assert_eq!(nonce, 2);
}

#[test]
fn old_blocks_come_from_disk_and_old_states_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    let first = chain.seal().unwrap().hash;
    seal_to(&chain, 50);
    let state = chain.read(|ledger| ledger.state(&first).map(|_| ()));
    assert_eq!(state, Err(StateError::Discarded(first)));
    let block = chain.read(|ledger| ledger.block(&first)).unwrap();
    assert_eq!((block.hash, block.header.number), (first, 1));
    assert_eq!(chain.read(|ledger| ledger.hash(1)), Some(first));

    // Without a disk, nothing is left of it but the genesis.
    let forgetful = in_memory(FEW, 50);
    let state = forgetful.read(|ledger| ledger.state(&first).map(|_| ()));
    assert_eq!(state, Err(StateError::Unknown(first)));
    assert!(forgetful.read(|ledger| ledger.hash(1)).is_none());
    for chain in [chain, forgetful] {
        let genesis = chain.read(|ledger| ledger.genesis_hash());
        assert_eq!(chain.read(|ledger| ledger.hash(0)), Some(genesis));
        assert_eq!(chain.read(|ledger| ledger.block_count()), 16);
    }
}

#[test]
fn the_window_of_states_can_be_another_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let with = |states| Keep { states, ..FEW };
    for (states, to) in [(8, 30), (3, 40), (1, 45), (12, 80)] {
        let chain = open_with(directory.path(), &genesis(), with(states)).unwrap();
        seal_to(&chain, to);
        let reference = picture(&in_memory(with(states), to));
        assert_same(&chain, &reference);
    }
}

#[test]
fn another_genesis_is_refused_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    seal_to(&chain, 5);
    let before = picture(&chain);
    drop(chain);
    let mut other = genesis();
    other.owner_cut = 1;
    let error = open_with(directory.path(), &other, FEW).err().unwrap();
    assert!(
        matches!(error, OpenError::Store(StoreError::Genesis { .. })),
        "{error}"
    );
    assert_same(&open(directory.path()), &before);
}

#[test]
fn a_directory_in_use_and_a_damaged_one_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    seal_to(&chain, 5);
    let error = open_with(directory.path(), &genesis(), FEW).err().unwrap();
    assert!(error.to_string().contains("in use"), "{error}");
    chain.close();

    let store = Store::open(directory.path(), athanor_runtime::VERSION.spec_version).unwrap();
    let transaction = store.database.begin_write().unwrap();
    {
        let root = picture(&chain).0.header.state_root;
        let mut nodes = transaction.open_table(NODES).unwrap();
        assert!(nodes.remove(root.as_bytes()).unwrap().is_some());
    }
    transaction.commit().unwrap();
    drop(store);
    let error = open_with(directory.path(), &genesis(), FEW).err().unwrap();
    assert!(error.to_string().contains("damaged"), "{error}");

    let version = Store::open(directory.path(), 1).err().unwrap();
    assert!(version.to_string().contains("spec_version"), "{version}");
}
