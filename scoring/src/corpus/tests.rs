//! The corpus is what its documentation says.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

#[test]
fn the_corpus_is_ascii_prose_of_at_most_one_megabyte() {
    assert!(TEXT.is_ascii());
    assert!(
        (500_000..=1_000_000).contains(&TEXT.len()),
        "{}",
        TEXT.len()
    );
    assert!(TEXT.lines().all(|line| line.split(' ').count() >= 8));
}

#[test]
fn training_and_held_out_paragraphs_share_nothing_and_miss_nothing() {
    let training: std::collections::HashSet<_> = training().collect();
    assert!(held_out().all(|line| !training.contains(line)));
    assert_eq!(training.len() + held_out().count(), TEXT.lines().count());
}

#[test]
fn passages_respect_their_bound_and_start_at_a_word() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..2_000 {
        let text = passage(&mut rng, 120);
        assert!(!text.is_empty() && text.len() <= 120, "{text:?}");
        let at = text.as_ptr() as usize - TEXT.as_ptr() as usize;
        assert!(
            at == 0 || [b' ', b'\n'].contains(&TEXT.as_bytes()[at - 1]),
            "{text:?}"
        );
    }
}
