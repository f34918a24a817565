//! Test whether two miners share a machine: does one slow down when the other is loaded with it?
//!
//! Load comes in blocks of four phases: a random half of all miners, the other half twice, the first half again (ABBA, so
//! that a drift cancels). A miner's contrast is its mean log-rate while its own half was loaded minus while the other one was.
//!
//! Null: a miner's contrast does not depend on whether a certain other miner was in its half. The halves are the
//! validator's own draw, so that all pairs are random control pairs of each other under the same load. Statistic: a bet
//! on every block, e = mean over lambda of prod ( 1 + lambda (x - E x) g ), with x = 1 for the same half and -1
//! otherwise, and g in [-1, 1] how far both contrasts lie below what the blocks before let expect. Under the null E[e] = 1
//! whatever the distribution of rates, so the products of epochs are e-values too ([`crate::correction::Sequential`]).
//! A third miner that shares a machine with one of the two shifts x by at most 1 / (n - 2).
//! Correction: e-BH over all pairs. What it does: display; pay follows from goodput under joint load, which adds up
//! physically whether or not anybody detects it.

use serde::Serialize;

use super::{Pair, pairs};
use crate::{correction, similarity::weights::dot};

/// Bets of the mixture.
const BETS: [f64; 4] = [0.1, 0.25, 0.5, 0.9];
/// Blocks from which a miner's own level and spread are known well enough to bet on.
const WARM_UP: usize = 4;
/// A pair whose slowdown is below so many of its standard deviations under the null is not looked at: its e-value is
/// below what any procedure rejects.
const SCREEN: f32 = 2.0;

/// One block of load.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadBlock {
    /// For every miner whether it was in the half that was loaded first.
    pub first_half: Vec<bool>,
    /// For every miner its contrast, see [`abba`]; not a number where it was not measured.
    pub contrasts: Vec<f32>,
}

/// A pair that slows down together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SharedBackend {
    /// Who.
    pub pair: Pair,
    /// The e-value of these blocks.
    pub e_value: f64,
    /// Mean change of the log-rate of the two when they are loaded together; -0.69 is a halving.
    pub log_rate_change: f64,
    /// Whether e-BH rejects the null for this pair on these blocks alone.
    pub rejected: bool,
}

/// A miner's contrast from its mean log-rates in the four phases of a block.
pub fn abba(log_rates: [f32; 4], in_first_half: bool) -> f32 {
    let contrast = 0.5 * (log_rates[0] - log_rates[1] - log_rates[2] + log_rates[3]);
    if in_first_half { contrast } else { -contrast }
}

/// The pairs with evidence, at false discovery rate `q`; those below the screen are left out with e = 0. Blocks are in
/// the order in which they were run. Cost: a dot product per pair.
pub fn test(blocks: &[LoadBlock], q: f64) -> Vec<SharedBackend> {
    found(blocks, q, |block, miners| {
        expected_side(&block.first_half[..miners])
    })
}

/// The same where every miner's side is a fair coin of its own and only those on the first side were loaded: whatever is
/// known of one miner, the other one's side is +1 or -1 alike. `contrasts` are log-rates of those that were loaded.
pub fn test_by_coins(blocks: &[LoadBlock], q: f64) -> Vec<SharedBackend> {
    let mut found = found(blocks, q, |_, _| 0.0);
    for pair in &mut found {
        // Apart, neither loses in a phase of the other's: what both lose together is the whole of it.
        pair.log_rate_change *= 2.0;
    }
    found
}

fn found(
    blocks: &[LoadBlock],
    q: f64,
    expected: impl Fn(&LoadBlock, usize) -> f64,
) -> Vec<SharedBackend> {
    let miners = blocks
        .iter()
        .map(|block| block.contrasts.len())
        .min()
        .unwrap_or(0);
    if miners < 3 {
        return Vec::new();
    }
    let sides: Vec<Vec<f32>> = (0..miners)
        .map(|miner| {
            let side = |block: &LoadBlock| if block.first_half[miner] { 1.0 } else { -1.0 };
            blocks.iter().map(side).collect()
        })
        .collect();
    let stakes: Vec<Vec<f32>> = (0..miners).map(|miner| stakes(blocks, miner)).collect();
    let expected: Vec<f64> = blocks.iter().map(|block| expected(block, miners)).collect();
    // x = side_a side_b, so that the sum of x g over blocks is a dot product of vectors of one miner each.
    let staked: Vec<Vec<f32>> = (0..miners)
        .map(|miner| {
            stakes[miner]
                .iter()
                .zip(&sides[miner])
                .map(|(g, s)| g * s)
                .collect()
        })
        .collect();
    let power: Vec<f32> = stakes.iter().map(|stakes| dot(stakes, stakes)).collect();
    let mut found = Vec::new();
    for b in 1..miners {
        for a in 0..b {
            let slowdown = dot(&staked[a], &sides[b]) + dot(&staked[b], &sides[a]);
            if slowdown <= SCREEN * (power[a] + power[b]).sqrt() {
                continue;
            }
            let e_value = bet(&sides[a], &sides[b], &stakes[a], &stakes[b], &expected);
            found.push(SharedBackend {
                pair: Pair { a, b },
                e_value,
                log_rate_change: change(blocks, a, b),
                rejected: false,
            });
        }
    }
    let e_values: Vec<f64> = found.iter().map(|found| found.e_value).collect();
    for index in correction::e_bh(&e_values, pairs(miners), q) {
        found[index].rejected = true;
    }
    found
}

fn bet(side_a: &[f32], side_b: &[f32], g_a: &[f32], g_b: &[f32], expected: &[f64]) -> f64 {
    let mut wealth = [1.0_f64; BETS.len()];
    for block in 0..expected.len() {
        let x = f64::from(side_a[block] * side_b[block]) - expected[block];
        // |x - E x| is at most 1 + |E x|: so scaled, no bet can go bankrupt.
        let gain = x * f64::from(0.5 * (g_a[block] + g_b[block])) / (1.0 + expected[block].abs());
        for (wealth, bet) in wealth.iter_mut().zip(BETS) {
            *wealth *= 1.0 + bet * gain;
        }
    }
    wealth.iter().sum::<f64>() / BETS.len() as f64
}

/// How far each contrast lies below what the earlier blocks let expect, in [-1, 1]; 0 while too little is known.
fn stakes(blocks: &[LoadBlock], miner: usize) -> Vec<f32> {
    let (mut count, mut mean, mut squares) = (0_usize, 0.0_f64, 0.0_f64);
    blocks
        .iter()
        .map(|block| {
            let contrast = f64::from(block.contrasts[miner]);
            if !contrast.is_finite() {
                return 0.0;
            }
            let stake = if count >= WARM_UP {
                let sd = (squares / (count - 1) as f64).sqrt().max(1e-6);
                ((mean - contrast) / (1.5 * sd)).clamp(-1.0, 1.0)
            } else {
                0.0
            };
            count += 1;
            let before = contrast - mean;
            mean += before / count as f64;
            squares += before * (contrast - mean);
            stake as f32
        })
        .collect()
}

/// E x of a random split into halves of these sizes.
fn expected_side(first_half: &[bool]) -> f64 {
    let n = first_half.len() as f64;
    let first = first_half.iter().filter(|first| **first).count() as f64;
    let same = first * (first - 1.0) + (n - first) * (n - first - 1.0);
    2.0 * same / (n * (n - 1.0)) - 1.0
}

/// Mean contrast of the two in the same half minus in different ones.
fn change(blocks: &[LoadBlock], a: usize, b: usize) -> f64 {
    let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
    for block in blocks {
        let together = usize::from(block.first_half[a] == block.first_half[b]);
        for miner in [a, b] {
            let contrast = f64::from(block.contrasts[miner]);
            if contrast.is_finite() {
                sums[together] += contrast;
                counts[together] += 1.0;
            }
        }
    }
    // Half of it: loaded together both lose, loaded apart each loses in the other's phase.
    0.5 * (sums[1] / f64::max(counts[1], 1.0) - sums[0] / f64::max(counts[0], 1.0))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::collusion::population::{self, Load};

    fn run(load: Load, seed: u64) -> Vec<SharedBackend> {
        test(
            &population::load_blocks(&load, &mut ChaCha8Rng::seed_from_u64(seed)),
            0.05,
        )
    }

    #[test]
    fn a_drift_cancels_in_abba_order() {
        assert!(abba([1.0, 2.0, 3.0, 4.0], true).abs() < 1e-6);
        assert_eq!(abba([1.0, 0.0, 0.0, 1.0], true), 1.0);
        assert_eq!(abba([1.0, 0.0, 0.0, 1.0], false), -1.0);
    }

    #[test]
    fn two_hotkeys_on_one_card_are_found_and_nobody_else() {
        let load = Load {
            miners: 64,
            blocks: 80,
            noise: 0.2,
            shared: 4,
            slowdown: 0.69,
        };
        let found = run(load, 1);
        let rejected: Vec<Pair> = found
            .iter()
            .filter(|f| f.rejected)
            .map(|f| f.pair)
            .collect();
        assert_eq!(rejected, [0, 2, 4, 6].map(|a| Pair { a, b: a + 1 }));
        assert!(
            found
                .iter()
                .filter(|f| f.rejected)
                .all(|f| f.log_rate_change < -0.4)
        );
    }

    #[test]
    fn honest_miners_are_hardly_ever_paired() {
        let trials = 200;
        let accused = (0..trials)
            .filter(|seed| {
                let load = Load {
                    miners: 32,
                    blocks: 60,
                    noise: 0.3,
                    shared: 0,
                    slowdown: 0.0,
                };
                run(load, 100 + seed).iter().any(|found| found.rejected)
            })
            .count();
        assert!(accused <= 10, "{accused} of {trials}");
    }

    #[test]
    fn the_mean_of_the_bet_is_one_whatever_the_rates() {
        // Heavy tails: one contrast in ten is ten times as large.
        let (mut sum, trials) = (0.0, 4000_u64);
        for seed in 0..trials {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let load = Load {
                miners: 8,
                blocks: 20,
                noise: 0.3,
                shared: 0,
                slowdown: 0.0,
            };
            let mut blocks = population::load_blocks(&load, &mut rng);
            for (index, block) in blocks.iter_mut().enumerate() {
                if index % 10 == 0 {
                    block
                        .contrasts
                        .iter_mut()
                        .for_each(|contrast| *contrast *= 10.0);
                }
            }
            let side = |miner: usize| -> Vec<f32> {
                blocks
                    .iter()
                    .map(|b| if b.first_half[miner] { 1.0 } else { -1.0 })
                    .collect()
            };
            let expected: Vec<f64> = blocks
                .iter()
                .map(|b| expected_side(&b.first_half))
                .collect();
            sum += bet(
                &side(0),
                &side(1),
                &stakes(&blocks, 0),
                &stakes(&blocks, 1),
                &expected,
            );
        }
        let mean = sum / trials as f64;
        assert!((0.9..1.1).contains(&mean), "{mean}");
    }

    #[test]
    fn too_few_miners_or_blocks_say_nothing() {
        assert_eq!(test(&[], 0.05), []);
        let load = Load {
            miners: 2,
            blocks: 10,
            noise: 0.1,
            shared: 1,
            slowdown: 0.69,
        };
        assert_eq!(run(load, 1), []);
    }
}
