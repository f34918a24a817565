//! Add digits pair by pair, each sum at most nine: 55 pairs, so 55^4 to 55^6 items, 9 x 10^6 at least.

use rand::Rng;

use super::{by_position, spaced, verb};

pub(super) fn generate(rng: &mut impl Rng) -> (String, String) {
    let count = rng.random_range(4..=6);
    let pairs: Vec<(u8, u8)> = (0..count)
        .map(|_| {
            // Uniform over the 55 pairs: fold the upper triangle of a square onto the lower one.
            let (a, b) = (rng.random_range(0..11u8), rng.random_range(0..10u8));
            if a + b <= 9 { (a, b) } else { (10 - a, 9 - b) }
        })
        .collect();
    let list = pairs
        .iter()
        .map(|(a, b)| format!("{a} {b}"))
        .collect::<Vec<_>>()
        .join(" ,");
    (
        format!("{} {list}", verb(rng, &["add", "plus"])),
        spaced(pairs.iter().map(|(a, b)| a + b)),
    )
}

/// Partial credit by position.
pub(super) fn grade(expected: &str, answer: &str) -> f64 {
    by_position(expected, answer)
}
