//! Tests of classes and priorities.

use super::*;

fn artifact(manifest: u8, tensors: u8) -> Artifact {
    Artifact {
        manifest: Digest([manifest; 32]),
        tensors: Digest([tensors; 32]),
    }
}

fn check(artifacts: &[Artifact], expected: &[u8]) {
    let names: Vec<u8> = classes(artifacts).iter().map(|class| class.0[0]).collect();
    assert_eq!(names, expected);
}

#[test]
fn equal_tensors_are_one_class_whatever_their_manifest() {
    check(
        &[artifact(1, 10), artifact(2, 10), artifact(3, 11)],
        &[10, 10, 11],
    );
}

#[test]
fn classes_join_through_others_in_any_order() {
    let chain = [
        artifact(1, 12),
        artifact(1, 11),
        artifact(2, 11),
        artifact(2, 10),
        artifact(3, 9),
    ];
    check(&chain, &[10, 10, 10, 10, 9]);
    let reversed: Vec<Artifact> = chain.into_iter().rev().collect();
    check(&reversed, &[9, 10, 10, 10, 10]);
    check(&[], &[]);
}

#[test]
fn committing_again_keeps_the_authors_priority() {
    let (author, copycat) = (Hotkey([1; 32]), Hotkey([2; 32]));
    let tensors = Digest([7; 32]);
    let mut priorities = Priorities::default();
    let mut note = |hotkey, committed, now| {
        priorities
            .note(hotkey, tensors, BlockNumber(committed), BlockNumber(now))
            .0
    };
    assert_eq!(note(author, 10, 15), 10);
    assert_eq!(note(copycat, 20, 25), 20);
    assert_eq!(note(author, 30, 35), 10);
}

#[test]
fn priority_lapses_with_service() {
    let tensors = Digest([7; 32]);
    let mut priorities = Priorities::default();
    let (gone, served) = (Hotkey([1; 32]), Hotkey([2; 32]));
    priorities.note(gone, tensors, BlockNumber(10), BlockNumber(15));
    priorities.note(served, tensors, BlockNumber(12), BlockNumber(40));
    priorities.forget_before(BlockNumber(30));
    assert_eq!(priorities.len(), 1);
    let again = priorities.note(gone, tensors, BlockNumber(45), BlockNumber(50));
    assert_eq!(again, BlockNumber(45));
    let restored = Priorities::decode(&mut &priorities.encode()[..]);
    assert_eq!(restored, Ok(priorities));
}
