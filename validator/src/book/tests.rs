//! Tests of the ledger: durability, idempotence, priority, and refusals.

use athanor_scoring::{fidelity::FidelitySums, ledger::AskId};
use athanor_spec::SubnetSpec;

use super::*;

fn account(id: u8) -> Account {
    Account {
        hotkey: Hotkey([id; 32]),
        registered_at: BlockNumber(u32::from(id)),
    }
}

fn failed() -> AskOutcome {
    AskOutcome::Failed {
        fidelity: FidelitySums::default(),
        checkable: true,
    }
}

fn append(book: &Book, account: Account, round: u64, indices: &[u32]) -> (Record, usize) {
    let outcomes: Vec<_> = indices.iter().map(|index| (*index, failed())).collect();
    let audit = SubnetSpec::local().audit;
    book.append(
        account,
        Round(round),
        &outcomes,
        |record, index, outcome| {
            record.apply(
                AskId {
                    round: Round(round),
                    index,
                },
                outcome,
                &audit,
            );
        },
    )
    .unwrap()
}

#[test]
fn what_was_appended_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.redb");
    let book = Book::open(&path).unwrap();
    let (record, new) = append(&book, account(1), 3, &[0, 2]);
    assert_eq!(new, 2);
    drop(book);
    let book = Book::open(&path).unwrap();
    assert_eq!(book.record(&account(1)).unwrap(), record);
    assert_eq!(
        book.recorded(&account(1), Round(3)).unwrap(),
        BTreeSet::from([0, 2])
    );
    assert!(book.recorded(&account(1), Round(2)).unwrap().is_empty());
    assert_eq!(book.outcomes().unwrap().len(), 2);
}

#[test]
fn an_outcome_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let book = Book::open(&dir.path().join("ledger.redb")).unwrap();
    let (first, _) = append(&book, account(1), 3, &[0, 1]);
    let (second, new) = append(&book, account(1), 3, &[0, 1]);
    assert_eq!(new, 0);
    assert_eq!(first, second);
    assert_eq!(append(&book, account(1), 3, &[1, 2]).1, 1);
}

#[test]
fn a_new_registration_of_the_same_hotkey_starts_empty() {
    let dir = tempfile::tempdir().unwrap();
    let book = Book::open(&dir.path().join("ledger.redb")).unwrap();
    append(&book, account(1), 3, &[0]);
    let again = Account {
        registered_at: BlockNumber(99),
        ..account(1)
    };
    assert_eq!(book.record(&again).unwrap(), Record::default());
}

#[test]
fn the_earliest_commitment_owns_the_tensors() {
    let dir = tempfile::tempdir().unwrap();
    let book = Book::open(&dir.path().join("ledger.redb")).unwrap();
    let tensors = Digest([5; 32]);
    let claim = |id: u8, block: u32| Claim {
        account: account(id),
        committed_at: BlockNumber(block),
        manifest: Digest([id; 32]),
    };
    assert_eq!(book.claim(&tensors, claim(2, 20)).unwrap(), claim(2, 20));
    assert_eq!(book.claim(&tensors, claim(1, 10)).unwrap(), claim(1, 10));
    assert_eq!(book.claim(&tensors, claim(3, 30)).unwrap(), claim(1, 10));
    assert_eq!(book.claim(&tensors, claim(2, 20)).unwrap(), claim(1, 10));
}

#[test]
fn pruning_drops_old_outcomes_and_keeps_records() {
    let dir = tempfile::tempdir().unwrap();
    let book = Book::open(&dir.path().join("ledger.redb")).unwrap();
    append(&book, account(1), 3, &[0]);
    let (record, _) = append(&book, account(1), 4, &[0]);
    book.prune(Round(4)).unwrap();
    assert_eq!(book.outcomes().unwrap().len(), 1);
    assert_eq!(book.record(&account(1)).unwrap(), record);
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
