//! A ledger of the layout before is taken over whole, one of a later layout is left alone, and space is given back.

use athanor_spec::Epoch;
use redb::ReadableTableMetadata as _;

use super::*;

/// The tables as versions 1 and 2 had them. In version 1 outcomes were folded into records as they came.
fn write_older(path: &Path, schema: u32, record: &[u8], claim: &Claim) {
    const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
    const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
    const OUTCOMES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("outcomes");
    const ARTIFACTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("artifacts");
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("schema", schema).unwrap();
        let mut records = transaction.open_table(RECORDS).unwrap();
        let key = account(1).encode();
        records.insert(key.as_slice(), record).unwrap();
        let mut outcomes = transaction.open_table(OUTCOMES).unwrap();
        if schema == 1 {
            let mut key = account(1).encode();
            key.extend_from_slice(&7_u64.to_be_bytes());
            key.extend_from_slice(&3_u32.to_be_bytes());
            outcomes
                .insert(key.as_slice(), [0xff; 7].as_slice())
                .unwrap();
        }
        let mut artifacts = transaction.open_table(ARTIFACTS).unwrap();
        artifacts
            .insert([5; 32].as_slice(), claim.encode().as_slice())
            .unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn a_ledger_of_version_1_is_taken_over_whole() {
    is_taken_over_whole(1);
}

#[test]
fn a_ledger_of_version_2_is_taken_over_whole() {
    is_taken_over_whole(2);
}

fn is_taken_over_whole(schema: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    // A record of version 1, field by field: it had neither a goodput nor a number of checkpoints.
    let mean = (3.5_f64, 4.0_f64);
    let fields = (
        (Epoch(9), Round(9), vec![0b1111_u64], Some(Digest([4; 32]))),
        (4.0_f64, 4.0_f64, 4.0_f64, FidelitySums::default()),
        (mean, mean, mean),
        (
            Vec::<(f64, f64)>::new(),
            3_u64,
            0.5_f64,
            None::<athanor_scoring::ledger::Fault>,
        ),
    );
    let bytes = (1_u8, fields).encode();
    let claim = Claim {
        account: account(1),
        committed_at: BlockNumber(4),
        manifest: Digest([4; 32]),
    };
    write_older(&path, schema, &bytes, &claim);
    // Twice: what is taken over stays so.
    for _ in 0..2 {
        let book = Book::open(&path).unwrap();
        let ledger = book.ledger().unwrap();
        let record = &ledger.records()[&account(1)];
        assert_eq!(record.effective_asks(), 4.0);
        assert_eq!(
            record.axes(&SubnetSpec::local().grade).correctness,
            Some(0.875)
        );
        assert_eq!(record.evidence().requests(), 3);
        assert_eq!(record.attempts(), 1);
        assert_eq!(ledger.claim_to(&Digest([5; 32])), Some(&claim));
        // It serves what it was the first to commit to: that is its own from here on.
        let chain = ledger.chain(&account(1)).unwrap();
        assert_eq!((chain.tensors, chain.root), (Digest([5; 32]), claim));
        assert_eq!(ledger.last(), None);
        assert_eq!(book.outcomes().unwrap().len(), 0);
    }
    // It is a ledger like any other from then on.
    let book = Book::open(&path).unwrap();
    book.begin(head(8)).unwrap();
    book.append(Round(8), &[leaf(1, 0)]).unwrap();
    assert_eq!(book.leaves(Round(8)).unwrap().len(), 1);
}

#[test]
fn a_ledger_of_a_later_version_is_refused_by_number_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    drop(Book::open(&path).unwrap());
    let set = |schema: u32| {
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(META)
            .unwrap()
            .insert("schema", schema)
            .unwrap();
        transaction.commit().unwrap();
    };
    set(99);
    let error = Book::open(&path).map(drop).unwrap_err().to_string();
    assert!(error.contains("99"), "{error}");
    set(SCHEMA);
    Book::open(&path).unwrap();
}

#[test]
fn compacting_gives_space_back_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let mut book = Book::open(&path).unwrap();
    for round in 0..12 {
        book.begin(head(round)).unwrap();
        let leaves: Vec<Leaf> = (0..400).map(|index| leaf(1, index)).collect();
        book.append(Round(round), &leaves).unwrap();
        close(&book, round);
    }
    book.prune(Round(11)).unwrap();
    let (ledger, outcomes) = (book.ledger().unwrap(), book.outcomes().unwrap());
    let before = std::fs::metadata(&path).unwrap().len();
    assert!(book.compact().unwrap());
    // Too small to be worth it at a start.
    assert!(!book.tidy().unwrap());
    assert_eq!(book.ledger().unwrap(), ledger);
    assert_eq!(book.outcomes().unwrap(), outcomes);
    drop(book);
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(after < before, "{before} bytes before, {after} after");
    let transaction = Database::open(&path).unwrap().begin_read().unwrap();
    assert_eq!(transaction.open_table(LEAVES).unwrap().len().unwrap(), 0);
}
