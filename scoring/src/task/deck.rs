//! Deal items of which no two are the same: a keyed permutation of each family's numbers, read at a counter.
//!
//! The permutation is a Feistel network over the smallest even number of bits that holds the family's space, walked until
//! it lands inside. Its key is drawn from the round's seed, so nobody can tell what will be dealt before the round; that
//! it is no strong cipher does not matter, as each item is seen once and its number is no secret afterwards.

use athanor_spec::params::TaskParams;
use rand::{Rng, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::{Family, Item, draw_length, item};

const ROUNDS: usize = 8;

/// A source of items for one round, each of them dealt at most once.
#[derive(Clone, Debug)]
pub struct Deck {
    keys: [u64; ROUNDS],
}

impl Deck {
    /// The deck of a round; the same seed gives the same deck.
    pub fn new(seed: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        Self {
            keys: std::array::from_fn(|_| rng.random()),
        }
    }

    /// The item of a counter: two counters below the family's space never give the same. `rng` chooses the length and
    /// what surrounds the question.
    pub fn deal(
        &self,
        family: Family,
        tasks: &TaskParams,
        counter: u64,
        rng: &mut impl Rng,
    ) -> Item {
        let (length, space) = draw_length(family, tasks, rng);
        let tweak = (family as u64) << 32 | u64::from(length);
        let number = self.permute(u128::from(counter) % space, space, tweak);
        item(family, length, number, tasks, rng)
    }

    /// A bijection of the numbers below `space`.
    fn permute(&self, number: u128, space: u128, tweak: u64) -> u128 {
        let bits = u128::BITS - space.saturating_sub(1).leading_zeros();
        let half = bits.div_ceil(2).max(1);
        let mask = if half >= 64 {
            u64::MAX
        } else {
            (1 << half) - 1
        };
        let mut number = number;
        loop {
            // Both halves are below 2^half, which is at most 2^64.
            let (mut left, mut right) = ((number >> half) as u64 & mask, number as u64 & mask);
            for key in self.keys {
                (left, right) = (right, left ^ (mix(right ^ key, tweak) & mask));
            }
            number = u128::from(left) << half | u128::from(right);
            if number < space {
                return number;
            }
        }
    }
}

/// A hash of 64 bits: two rounds of multiplication and shifts, as in the finalisers of common hash functions.
fn mix(value: u64, tweak: u64) -> u64 {
    let mut hash = value.wrapping_add(tweak.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..2 {
        hash = (hash ^ (hash >> 31)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^= hash >> 29;
    }
    hash
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_permutation_takes_every_place_once_and_differs_by_key_and_tweak() {
        let deck = Deck::new([1; 32]);
        for space in [1, 2, 3, 64, 65, 1_000] {
            let dealt: BTreeSet<u128> = (0..space).map(|n| deck.permute(n, space, 7)).collect();
            assert_eq!(dealt, (0..space).collect());
        }
        let order = |deck: &Deck, tweak| -> Vec<u128> {
            (0..1_000).map(|n| deck.permute(n, 1_000, tweak)).collect()
        };
        assert_ne!(order(&deck, 7), order(&deck, 8));
        assert_ne!(order(&deck, 7), order(&Deck::new([2; 32]), 7));
    }

    #[test]
    fn a_permutation_scatters() {
        let deck = Deck::new([3; 32]);
        let space = 1_u128 << 40;
        let halves = (0..4_000)
            .filter(|n| deck.permute(*n, space, 1) < space / 2)
            .count();
        // Five standard deviations of a fair coin.
        assert!((1_842..=2_158).contains(&halves), "{halves}");
        assert!(deck.permute(u128::from(u64::MAX), u128::MAX, 1) < u128::MAX);
    }
}
