//! Test for overfitting to leaked prompts: is a miner better on public prompts than on private ones of the same kind?
//!
//! Null: a miner's gap between public and private score is the population's. Prompts differ in difficulty, so the gap is not
//! judged against 0 but against the median gap of all miners, on pairs of a public and a private prompt of one family
//! that all miners got. Statistic: t = excess / se, the excess over the median gap in units of its standard error, which
//! comes from a paired bootstrap that draws prompt pairs for all miners at once: a hard prompt is hard for everybody, and the
//! median moves with it. Null distribution: Student's t with one degree of freedom less than prompt pairs (a bootstrap's
//! own rank cannot get below 1 / draws, which no correction over many miners lets through). Correction:
//! Benjamini-Yekutieli over miners. What it does: a flag. Honest domain shift moves the median, not the excess.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{correction, similarity::weights::dot};

/// Draws of the bootstrap.
const DRAWS: usize = 500;
/// Fewest prompt pairs that are tested.
pub const MIN_PAIRS: usize = 20;

/// A miner's excess gap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Leak {
    /// Index of the miner.
    pub miner: usize,
    /// Mean public minus private score, beyond the population's median.
    pub excess: f64,
    /// One-sided p-value.
    pub p_value: f64,
    /// Whether Benjamini-Yekutieli flags it.
    pub flagged: bool,
}

/// Tests every miner at false discovery rate `q`. `gaps` holds for each miner the public minus the private score of every
/// prompt pair, in [-1, 1], the same pairs in the same order for all. Empty with fewer than [`MIN_PAIRS`] pairs or three
/// miners. Cost: 500 dot products per miner.
pub fn test(gaps: &[&[f32]], q: f64, seed: u64) -> Vec<Leak> {
    let count = gaps.iter().map(|gaps| gaps.len()).min().unwrap_or(0);
    if count < MIN_PAIRS || gaps.len() < 3 {
        return Vec::new();
    }
    let means: Vec<f64> = gaps.iter().map(|gaps| mean(&gaps[..count])).collect();
    let centre = median(&means);
    let excess: Vec<f64> = means.iter().map(|mean| mean - centre).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = vec![0.0_f64; gaps.len()];
    let mut squares = vec![0.0_f64; gaps.len()];
    for _ in 0..DRAWS {
        let mut times = vec![0.0_f32; count];
        for _ in 0..count {
            times[rng.random_range(0..count)] += 1.0;
        }
        for (drawn, gaps) in drawn.iter_mut().zip(gaps) {
            *drawn = f64::from(dot(&gaps[..count], &times)) / count as f64;
        }
        let drawn_centre = median(&drawn);
        for ((square, drawn), excess) in squares.iter_mut().zip(&drawn).zip(&excess) {
            *square += (drawn - drawn_centre - excess).powi(2);
        }
    }
    let student = StudentsT::new(0.0, 1.0, (count - 1) as f64);
    let p_values: Vec<f64> = excess
        .iter()
        .zip(&squares)
        .map(|(excess, square)| {
            let error = (square / DRAWS as f64).sqrt().max(1e-9);
            student
                .as_ref()
                .map_or(1.0, |student| student.sf(excess / error))
        })
        .collect();
    let flagged = correction::benjamini_yekutieli(&p_values, gaps.len() as u64, q);
    (0..gaps.len())
        .map(|miner| Leak {
            miner,
            excess: excess[miner],
            p_value: p_values[miner],
            flagged: flagged.binary_search(&miner).is_ok(),
        })
        .collect()
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64
}

/// The middle value, the upper one of two.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collusion::population::{self, Gaps};

    fn run(gaps: &Gaps, seed: u64) -> Vec<usize> {
        let all = population::gaps(gaps, &mut ChaCha8Rng::seed_from_u64(seed));
        let views: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
        test(&views, 0.05, seed)
            .iter()
            .filter(|leak| leak.flagged)
            .map(|leak| leak.miner)
            .collect()
    }

    #[test]
    fn a_memoriser_is_flagged_and_a_domain_shift_is_not() {
        let gaps = Gaps {
            miners: 24,
            pairs: 200,
            shift: 0.2,
            noise: 0.3,
            memorisers: 2,
            gain: 0.3,
        };
        assert_eq!(run(&gaps, 1), [0, 1]);
    }

    #[test]
    fn honest_miners_are_rarely_flagged_whatever_the_shift() {
        let gaps = Gaps {
            miners: 24,
            pairs: 100,
            shift: -0.3,
            noise: 0.3,
            memorisers: 0,
            gain: 0.0,
        };
        let flagged = (0..100)
            .filter(|seed| !run(&gaps, 50 + seed).is_empty())
            .count();
        assert!(flagged <= 6, "{flagged} of 100");
    }

    #[test]
    fn little_data_says_nothing() {
        let few = vec![0.5_f32; MIN_PAIRS - 1];
        assert_eq!(test(&[&few, &few, &few], 0.05, 1), []);
        assert_eq!(test(&[], 0.05, 1), []);
    }
}
