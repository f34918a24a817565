//! What the pool takes, in which order it gives it away, and what it tells who watches.

use codec::Encode;
use sp_runtime::transaction_validity::InvalidTransaction;
use tokio::sync::mpsc;

use super::{Status, SubmitError, WATCH_CAPACITY};
use crate::{
    chain::Chain,
    development::{development_account, development_pair},
    testing::*,
};

fn transfer_to_the_void(chain: &Chain, nonce: u32, tip: u64, tao: u64) -> Vec<u8> {
    signed(
        chain,
        &development_pair("Alice"),
        nonce,
        tip,
        add_stake("Bob//hotkey", tao),
    )
}

fn refused(chain: &Chain, bytes: Vec<u8>) -> SubmitError {
    chain.submit(bytes, None).unwrap_err()
}

fn watch(chain: &Chain, bytes: Vec<u8>) -> mpsc::Receiver<Status> {
    let (watcher, statuses) = mpsc::channel(WATCH_CAPACITY);
    chain.submit(bytes, Some(watcher)).unwrap();
    statuses
}

fn all(mut statuses: mpsc::Receiver<Status>) -> Vec<Status> {
    std::iter::from_fn(|| statuses.try_recv().ok()).collect()
}

#[test]
fn an_extrinsic_goes_from_ready_into_a_block_that_is_final_at_once() {
    let chain = chain();
    let statuses = watch(&chain, transfer_to_the_void(&chain, 0, 0, 1));
    let block = chain.seal().unwrap().hash;
    assert_eq!(
        all(statuses),
        [
            Status::Ready,
            Status::InBlock(block),
            Status::Finalized(block)
        ]
    );
    assert_eq!(chain.pool().len(), 0);
}

#[test]
fn nonces_that_come_in_the_wrong_order_are_included_in_the_right_one() {
    let chain = chain();
    let late = watch(&chain, transfer_to_the_void(&chain, 1, 0, 2));
    assert_eq!(
        chain
            .pool()
            .pending_nonces(&development_account("Alice"), 0),
        0
    );
    chain.seal().unwrap();
    let early = watch(&chain, transfer_to_the_void(&chain, 0, 0, 1));
    assert_eq!(
        chain
            .pool()
            .pending_nonces(&development_account("Alice"), 0),
        2
    );
    let block = chain.seal().unwrap().hash;
    let included = [Status::InBlock(block), Status::Finalized(block)];
    assert_eq!(all(early)[1..], included);
    let late = all(late);
    assert_eq!(late[0], Status::Future);
    assert_eq!(late[late.len() - 2..], included);
}

#[test]
fn one_that_waits_for_an_included_nonce_becomes_ready() {
    let chain = chain();
    let second = transfer_to_the_void(&chain, 1, 0, 2);
    chain
        .submit(transfer_to_the_void(&chain, 0, 0, 1), None)
        .unwrap();
    chain.seal().unwrap();
    chain.submit(second, None).unwrap();
    chain.seal().unwrap();
    assert_eq!(chain.pool().len(), 0);
}

#[test]
fn a_higher_tip_takes_the_place_of_the_same_nonce_and_an_equal_one_does_not() {
    let chain = chain();
    let first = watch(&chain, transfer_to_the_void(&chain, 0, 0, 1));
    let rival = refused(&chain, transfer_to_the_void(&chain, 0, 0, 2));
    assert!(
        matches!(rival, SubmitError::PriorityTooLow { .. }),
        "{rival:?}"
    );
    let tipped = transfer_to_the_void(&chain, 0, 1_000_000_000, 3);
    let hash = chain.submit(tipped, None).unwrap();
    assert_eq!(all(first), [Status::Ready, Status::Usurped(hash)]);
    let length = chain.seal().unwrap().hash;
    assert_eq!(
        chain.read(|ledger| ledger.block(&length).unwrap().body.len()),
        2
    );
}

#[test]
fn the_pool_refuses_what_no_block_may_include() {
    let chain = chain();
    let check =
        |bytes: Vec<u8>, expected: SubmitError| assert_eq!(refused(&chain, bytes), expected);
    let invalid = SubmitError::Invalid;
    let good = transfer_to_the_void(&chain, 0, 0, 1);

    check(vec![1, 2, 3], SubmitError::Format);
    check(good[..good.len() - 1].to_vec(), SubmitError::Format);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    check(forged, invalid(InvalidTransaction::BadProof));
    // Without a signature: the same call as a bare extrinsic.
    let call: athanor_runtime::RuntimeCall = add_stake("Bob//hotkey", 1).into();
    let bare = [vec![4], call.encode()].concat().encode();
    let unsigned = refused(&chain, bare);
    assert!(
        matches!(unsigned, SubmitError::Unknown(_) | SubmitError::Invalid(_)),
        "an unsigned call was taken: {unsigned:?}"
    );
    let garbage = refused(&chain, vec![0xff_u8; 40].encode());
    assert!(
        matches!(garbage, SubmitError::Verification(_)),
        "{garbage:?}"
    );

    let hash = chain.submit(good.clone(), None).unwrap();
    check(good.clone(), SubmitError::AlreadyImported(hash));
    chain.seal().unwrap();
    check(good, invalid(InvalidTransaction::Stale));
}

#[test]
fn weights_without_the_right_to_set_them_do_not_enter_the_pool() {
    let mut description = genesis();
    description.stake_threshold = 10 * crate::TAO;
    description.subnets[0].weights_rate_limit = 5;
    let chain = Chain::new(crate::Clock::Virtual, &description).unwrap();
    let pool = |name: &str, nonce: u32| {
        let weights = set_weights(&[(0, 1)]);
        chain.submit(
            signed(&chain, &development_pair(name), nonce, 0, weights),
            None,
        )
    };
    let custom = |code| Err(SubmitError::Invalid(InvalidTransaction::Custom(code)));
    assert_eq!(pool("Eve", 0), custom(1));
    assert!(pool("Bob//hotkey", 0).is_ok());
    chain.seal().unwrap();
    assert_eq!(pool("Bob//hotkey", 1), custom(6));
    seal_to(&chain, 6);
    assert!(pool("Bob//hotkey", 1).is_ok());
}

#[test]
fn an_account_without_a_balance_pays_for_nothing_and_may_send_only_what_is_free() {
    let chain = chain();
    let pauper = development_pair("Bob//hotkey");
    let paid = signed(&chain, &pauper, 0, 0, add_stake("Bob//hotkey", 1));
    assert_eq!(
        refused(&chain, paid),
        SubmitError::Invalid(InvalidTransaction::Payment)
    );
    let statuses = watch(
        &chain,
        signed(&chain, &pauper, 0, 0, set_weights(&[(0, 1)])),
    );
    let block = chain.seal().unwrap().hash;
    assert_eq!(all(statuses).last(), Some(&Status::Finalized(block)));
}
