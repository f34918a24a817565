//! Shards survive the way through a file, and damage does not.

use super::*;
use crate::tests::{shard, source};

#[test]
fn a_shard_reads_back_as_it_was_written() {
    let shard = shard();
    assert_eq!(Shard::from_bytes(&shard.to_bytes()).unwrap(), *shard);
}

#[test]
fn a_damaged_file_is_refused() {
    let bytes = shard().to_bytes();
    let check = |change: &dyn Fn(&mut Vec<u8>), expected| {
        let mut damaged = bytes.clone();
        change(&mut damaged);
        assert_eq!(Shard::from_bytes(&damaged).unwrap_err(), expected);
    };
    check(&|bytes| bytes.clear(), ShardError::Damaged);
    check(&|bytes| bytes[0] ^= 1, ShardError::Magic);
    check(&|bytes| bytes[100] ^= 1, ShardError::Hash);
    check(&|bytes| bytes.truncate(bytes.len() - 1), ShardError::Hash);
    // A well-hashed file that ends early.
    let short = &bytes[..200];
    let rehashed = [short, blake3::hash(short).as_bytes()].concat();
    assert_eq!(
        Shard::from_bytes(&rehashed).unwrap_err(),
        ShardError::Damaged
    );
}

#[test]
fn the_same_plan_records_the_same_shard_and_every_row_is_a_distribution() {
    let plan = ShardPlan {
        seed: 9,
        items: 3,
        passages: 1,
        continuations: 2,
    };
    let source = source();
    let record = |seed| {
        let plan = ShardPlan { seed, ..plan };
        Shard::record(&source, &source.held_out, &plan, DeviceChoice::Cpu).unwrap()
    };
    assert_eq!(record(9), record(9));
    assert_ne!(record(9), record(10));
    for row in record(9)
        .examples
        .iter()
        .flat_map(|recorded| &recorded.rows)
    {
        assert!(row.probabilities.windows(2).all(|pair| pair[0] >= pair[1]));
        assert!((0.0..1.0001).contains(&row.probabilities.iter().sum::<f32>()));
    }
}
