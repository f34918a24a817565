//! A state reads back as it was written; what is damaged, or another's, does not.

use super::*;
use crate::{
    gate::{Gate, GateSettings},
    tests::shard,
};

fn state() -> Resume {
    let mut gate = Gate::new(GateSettings::default()).unwrap();
    gate.next();
    gate.observe(1.0, 0.7);
    Resume {
        place: Place {
            run_steps: 7,
            pass: 1,
            order: vec![2, 0, 1],
            next: 2,
            oldest: 3,
            judged: 4,
            gate: gate.evidence(),
        },
        optimiser: vec![1, 2, 3],
        pool: (*shard()).clone(),
    }
}

#[test]
fn a_state_reads_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    state().write(dir.path(), [7; 32]).unwrap();
    assert_eq!(Resume::read(dir.path(), [7; 32]).unwrap(), state());
}

#[test]
fn a_state_that_is_missing_damaged_or_another_checkpoints_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let read = || Resume::read(dir.path(), [7; 32]);
    assert!(matches!(read(), Err(ResumeError::Io(_))));
    state().write(dir.path(), [8; 32]).unwrap();
    assert!(matches!(read(), Err(ResumeError::Checkpoint)));
    state().write(dir.path(), [7; 32]).unwrap();
    let whole = fs::read(dir.path().join(FILE)).unwrap();
    let check = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(dir.path().join(FILE), bytes).unwrap();
        assert!(matches!(read(), Err(ResumeError::Damaged)));
    };
    check(&|bytes| bytes.clear());
    check(&|bytes| bytes.truncate(100));
    check(&|bytes| bytes[60] ^= 1);
    // Well hashed, and yet its places lie outside the examples.
    let mut odd = state();
    odd.place.order = vec![100_000];
    odd.write(dir.path(), [7; 32]).unwrap();
    assert!(matches!(read(), Err(ResumeError::Damaged)));
}
