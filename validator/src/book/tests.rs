//! Tests of the ledger: durability, idempotence, closing, and refusals.

use athanor_scoring::{
    allocate::ChainLimits,
    fidelity::FidelitySums,
    round::SeenMiner,
    transcript::{Continuation, Failure, Sight, Times, Transcript},
};
use athanor_spec::{Ask, BlockNumber, Finish, Hotkey, NetUid, Signed, SubnetSpec};

use super::*;

mod upkeep;

fn account(id: u8) -> Account {
    Account {
        hotkey: Hotkey([id; 32]),
        registered_at: BlockNumber(u32::from(id)),
    }
}

fn leaf(id: u8, index: u32) -> Leaf {
    let ask = Ask {
        prompt: vec![1],
        max_new_tokens: 2,
        temperature_milli: 1000,
        seed: 3,
    };
    Leaf {
        account: account(id),
        purpose: Purpose::Audit,
        index,
        shared: None,
        sight: Sight::Failed {
            ask: Signed {
                payload: ask,
                signer: Hotkey([9; 32]),
                issued_ms: 1,
                expires_ms: 2,
                nonce: index.into(),
                signature: [0; 64],
            },
            failure: Failure {
                reason: "no answer".to_owned(),
                fault: None,
                answer: None,
            },
            times: Times::default(),
            reference: Continuation {
                tokens: vec![4],
                finish: Finish::Stop,
            },
            outcome: AskOutcome::Failed {
                fidelity: FidelitySums::default(),
                checkable: true,
                load: None,
            },
        },
    }
}

/// The head of a round with two miners.
pub(crate) fn head(round: u64) -> Head {
    let miner = |id: u8| SeenMiner {
        account: account(id),
        uid: Uid(id.into()),
        peer_key: Digest([id; 32]),
        checkpoint: Digest([id; 32]),
        committed_at: BlockNumber(u32::from(id)),
        previous: None,
        asks: 1,
        artifact: Artifact::Fetched {
            tensors: Digest([7; 32]),
        },
    };
    Head {
        genesis: Digest([1; 32]),
        netuid: NetUid(1),
        spec: Digest([2; 32]),
        calibration: Digest([3; 32]),
        validator: Hotkey([4; 32]),
        round: Round(round),
        first_block: BlockNumber(5),
        block_hash: Digest([6; 32]),
        ask_blocks: 7,
        seed: [8; 32],
        proof: vec![9; 96],
        limits: ChainLimits::NONE,
        previous: None,
        ledger: Digest([10; 32]),
        miners: vec![miner(1), miner(2)],
    }
}

/// Closes a round with what the book holds of it.
fn close(book: &Book, round: u64) -> ClosedRound {
    let transcript = Transcript::new(head(round), book.leaves(Round(round)).unwrap());
    let before = book.ledger().unwrap();
    let closed = transcript.close(before.clone(), &SubnetSpec::local());
    let row = ClosedRound {
        root: transcript.root(),
        blob: Digest::of(&transcript.to_bytes()),
        weights: closed.weights,
        ledger: closed.ledger.digest(),
    };
    book.close(Round(round), (&before, &closed.ledger), &row)
        .unwrap();
    row
}

fn opened(dir: &Path) -> Book {
    Book::open(&dir.join("ledger.redb")).unwrap()
}

#[test]
fn what_was_appended_is_there_after_reopening_and_changes_no_record_yet() {
    let dir = tempfile::tempdir().unwrap();
    let book = opened(dir.path());
    let leaves = [leaf(1, 0), leaf(1, 2), leaf(2, 0)];
    assert_eq!(book.append(Round(3), &leaves).unwrap(), Some(3));
    drop(book);
    let book = opened(dir.path());
    assert_eq!(book.append(Round(3), &leaves[1..]).unwrap(), Some(0));
    assert_eq!(book.leaves(Round(3)).unwrap(), leaves);
    let recorded = |id, round| book.recorded(&account(id), Round(round)).unwrap();
    assert_eq!(recorded(1, 3), BTreeSet::from([0, 2]));
    assert!(recorded(1, 2).is_empty());
    assert_eq!(book.outcomes().unwrap().len(), 3);
    assert_eq!(book.record(&account(1)).unwrap(), Record::default());
}

#[test]
fn a_closed_round_is_whole_and_takes_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let book = opened(dir.path());
    book.begin(head(3)).unwrap();
    book.append(Round(3), &[leaf(1, 0), leaf(2, 0)]).unwrap();
    let row = close(&book, 3);
    drop(book);
    let book = opened(dir.path());
    assert_eq!(book.closed(Round(3)).unwrap(), Some(row.clone()));
    assert_eq!(book.rounds().unwrap(), [(head(3), Some(row.clone()))]);
    // What was stored one by one is the ledger that the fold gave, to the bit.
    let ledger = book.ledger().unwrap();
    assert_eq!(ledger.digest(), row.ledger);
    assert_eq!(ledger.last(), Some(Round(3)));
    assert_eq!(
        book.record(&account(1)).unwrap(),
        ledger.records()[&account(1)]
    );
    assert_eq!(book.append(Round(3), &[leaf(1, 1)]).unwrap(), None);
    assert!(book.leaves(Round(3)).unwrap().is_empty());
    assert_eq!(book.outcomes().unwrap().len(), 2);
    let next = book.append(Round(4), &[leaf(1, 0)]).unwrap();
    assert_eq!(next, Some(1));
    close(&book, 4);
    assert_eq!(book.outcomes().unwrap().len(), 3);
}

#[test]
fn a_round_that_was_begun_keeps_its_head() {
    let dir = tempfile::tempdir().unwrap();
    let book = opened(dir.path());
    let again = Head {
        proof: vec![0; 96],
        ..head(3)
    };
    assert_eq!(book.begin(head(3)).unwrap(), head(3));
    assert_eq!(book.begin(again).unwrap(), head(3));
}

#[test]
fn what_was_fetched_once_stays_fetched_until_the_round_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let book = opened(dir.path());
    let fetched = Artifact::Fetched {
        tensors: Digest([7; 32]),
    };
    let seen = |round| book.seen(Round(round)).unwrap();
    book.saw(Round(3), &account(1), &Artifact::Missing).unwrap();
    book.saw(Round(3), &account(1), &fetched).unwrap();
    book.saw(Round(3), &account(1), &Artifact::Missing).unwrap();
    assert_eq!(seen(3), BTreeMap::from([(account(1), fetched.clone())]));
    assert!(seen(2).is_empty() && seen(4).is_empty());
    close(&book, 3);
    book.saw(Round(3), &account(1), &fetched).unwrap();
    assert!(seen(3).is_empty());
}

#[test]
fn a_new_registration_of_the_same_hotkey_starts_empty() {
    let dir = tempfile::tempdir().unwrap();
    let book = opened(dir.path());
    book.append(Round(3), &[leaf(1, 0)]).unwrap();
    close(&book, 3);
    let again = Account {
        registered_at: BlockNumber(99),
        ..account(1)
    };
    assert_ne!(book.record(&account(1)).unwrap(), Record::default());
    assert_eq!(book.record(&again).unwrap(), Record::default());
}

#[test]
fn nonces_never_come_twice_whatever_the_clock_says() {
    let dir = tempfile::tempdir().unwrap();
    let book = opened(dir.path());
    assert_eq!(book.reserve_nonces(1_000, 100).unwrap(), 1_000);
    drop(book);
    let book = opened(dir.path());
    assert_eq!(book.reserve_nonces(900, 100).unwrap(), 1_100);
    assert_eq!(book.reserve_nonces(5_000, 100).unwrap(), 5_000);
}

#[test]
fn pruning_drops_old_rounds_and_keeps_records_and_what_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let book = opened(dir.path());
    for round in 3..6 {
        book.begin(head(round)).unwrap();
        book.append(Round(round), &[leaf(1, 0)]).unwrap();
        if round != 4 {
            close(&book, round);
        }
    }
    let before = book.ledger().unwrap();
    book.prune(Round(5)).unwrap();
    let kept: Vec<u64> = book
        .rounds()
        .unwrap()
        .iter()
        .map(|(head, _)| head.round.0)
        .collect();
    assert_eq!(kept, [4, 5]);
    assert_eq!(book.outcomes().unwrap().len(), 2);
    assert_eq!(book.ledger().unwrap(), before);
}

#[test]
fn a_second_process_is_told_that_the_ledger_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.redb");
    let _book = Book::open(&path).unwrap();
    let error = Book::open(&path).err().unwrap();
    assert!(matches!(error, BookError::Locked { .. }), "{error}");
}

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.redb");
    std::fs::write(&path, b"not a ledger at all, but somebody's notes").unwrap();
    let error = Book::open(&path).err().unwrap();
    assert!(error.to_string().contains("ledger.redb"), "{error}");
    assert_eq!(
        std::fs::read(&path).unwrap(),
        b"not a ledger at all, but somebody's notes"
    );
}
