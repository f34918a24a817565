//! Pick the larger digit of each pair: 90 pairs, so 90^4 to 90^6 items, 6 x 10^7 at least.

use rand::Rng;

use super::{by_position, spaced, verb};

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(4..=6);
    let pairs: Vec<(u8, u8)> = (0..count)
        .map(|_| {
            let a = rng.random_range(0..10u8);
            (a, (a + rng.random_range(1..10u8)) % 10)
        })
        .collect();
    let list = pairs
        .iter()
        .map(|(a, b)| format!("{a} {b}"))
        .collect::<Vec<_>>()
        .join(" ,");
    (
        format!("{} {list}", verb(rng, &["larger", "max"])),
        spaced(pairs.iter().map(|(a, b)| a.max(b))),
    )
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
