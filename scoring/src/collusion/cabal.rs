//! Look for cabals: some validators that lift the same miners together.
//!
//! The excess of a weight is what it is beyond the consensus, as a share of it,
//! after the mean of the validator's region on the miner's region and the row's median are taken out, in units of the miner's and the validator's
//! own median excess. The consensus is the median by heads: one by stake lies nearer to whoever has much, and validators
//! would not be exchangeable. Null: within a column, which validator has which excess is exchangeable. Statistics: the largest
//! singular value of the matrix of excesses, and its densest block, max over S, T of sum / sqrt(|S| |T|) with |S| >= 2. Null distribution: entries permuted within columns; the
//! maximum of the block statistic over all S and T is compared with the maximum of each permutation, so that the search
//! pays for itself. Correction: the larger of the two p-values needs none beyond their number (Bonferroni over two). The
//! p-value cannot get below 1 / (draws + 1), so verdicts accumulate over epochs. What it does: shown, with members.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::leak::median;

/// Permutations.
pub const DRAWS: usize = 99;
/// Steps of the power iteration: enough to rank rows, and the same for the data and for each permutation.
const POWER_STEPS: usize = 8;
/// Multiples of the usual excess at which one is cut, so that no single entry decides.
const CLIP: f64 = 6.0;
/// Share of the miners that a block holds at most: a block of all of them would be no favour.
const WIDEST: usize = 2;

/// One epoch's weights with what is known of who is where.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Row per validator, one weight per miner.
    pub rows: Vec<Vec<f64>>,
    /// Region per validator.
    pub validator_regions: Vec<usize>,
    /// Region per miner.
    pub miner_regions: Vec<usize>,
}

/// The densest block, and how unusual it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cabal {
    /// Validators of the block.
    pub validators: Vec<usize>,
    /// Miners of the block.
    pub miners: Vec<usize>,
    /// Its statistic.
    pub density: f64,
    /// Largest singular value of the excesses.
    pub singular_value: f64,
    /// p-value of the block, against the maxima of the permutations.
    pub p_block: f64,
    /// p-value of the singular value.
    pub p_singular: f64,
    /// Twice the smaller one.
    pub p_value: f64,
    /// The smallest that it could be.
    pub p_smallest: f64,
}

/// Looks for the densest block; `None` with fewer than four validators or miners, or when all agree. `seed` draws the
/// permutations.
pub fn test(rows: &Rows, seed: u64) -> Option<Cabal> {
    let excess = Excess::of(rows)?;
    let (singular_value, left) = excess.leading();
    let found = excess.densest(&left);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut denser, mut larger) = (0_usize, 0_usize);
    for _ in 0..DRAWS {
        let permuted = excess.permuted(&mut rng);
        let (value, left) = permuted.leading();
        denser += usize::from(permuted.densest(&left).density >= found.density);
        larger += usize::from(value >= singular_value);
    }
    let p = |count: usize| (1 + count) as f64 / (DRAWS + 1) as f64;
    Some(Cabal {
        validators: found.validators,
        miners: found.miners,
        density: found.density,
        singular_value,
        p_block: p(denser),
        p_singular: p(larger),
        p_value: (2.0 * p(denser).min(p(larger))).min(1.0),
        p_smallest: 2.0 / (DRAWS + 1) as f64,
    })
}

/// Excesses, column by column so that permuting within columns is cheap.
struct Excess {
    validators: usize,
    columns: Vec<f32>,
}

struct Block {
    validators: Vec<usize>,
    miners: Vec<usize>,
    density: f64,
}

impl Excess {
    fn of(input: &Rows) -> Option<Self> {
        let (validators, miners) = (input.rows.len(), input.miner_regions.len());
        let whole = input.rows.iter().all(|row| row.len() == miners)
            && input.validator_regions.len() == validators;
        if validators < 4 || miners < 4 || !whole {
            return None;
        }
        let mut excess: Vec<Vec<f64>> = input
            .rows
            .iter()
            .map(|row| {
                let total: f64 = row.iter().sum();
                let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
                row.iter().map(|weight| weight * scale).collect()
            })
            .collect();
        for miner in 0..miners {
            let column: Vec<f64> = excess.iter().map(|row| row[miner]).collect();
            let consensus = median(&column);
            // As a share of the consensus, since regions and noise multiply; a tenth of the mean weight where there is none.
            let unit = consensus + 0.1 / miners as f64;
            excess
                .iter_mut()
                .for_each(|row| row[miner] = (row[miner] - consensus) / unit);
        }
        remove_regions(&mut excess, input);
        // Rows add up to one: who gives one miner much gives all others a little less, and that lifts nobody.
        for row in &mut excess {
            let usual = median(row);
            row.iter_mut().for_each(|value| *value -= usual);
        }
        // Validators and miners differ in noise: a miner of much weight would else be every row's direction.
        for miner in 0..miners {
            let scale = inverse_spread(excess.iter().map(|row| row[miner]));
            excess.iter_mut().for_each(|row| row[miner] *= scale);
        }
        for row in &mut excess {
            let scale = inverse_spread(row.iter().copied());
            row.iter_mut()
                .for_each(|value| *value = (*value * scale).clamp(-CLIP, CLIP));
        }
        let columns: Vec<f32> = (0..miners)
            .flat_map(|miner| excess.iter().map(move |row| row[miner] as f32))
            .collect();
        columns.iter().any(|value| *value != 0.0).then_some(Self {
            validators,
            columns,
        })
    }

    fn permuted(&self, rng: &mut ChaCha8Rng) -> Self {
        let mut columns = self.columns.clone();
        columns
            .chunks_exact_mut(self.validators)
            .for_each(|column| column.shuffle(rng));
        Self {
            validators: self.validators,
            columns,
        }
    }

    /// The largest singular value with its left vector, by power iteration from a fixed start.
    fn leading(&self) -> (f64, Vec<f32>) {
        let mut left: Vec<f32> = (0..self.validators)
            .map(|i| 1.0 + 0.1 * ((i * 7919) % 13) as f32)
            .collect();
        let mut value = 0.0;
        for _ in 0..POWER_STEPS {
            let mut next = vec![0.0_f32; self.validators];
            for column in self.columns.chunks_exact(self.validators) {
                let along = crate::similarity::weights::dot(column, &left);
                next.iter_mut()
                    .zip(column)
                    .for_each(|(next, entry)| *next += along * entry);
            }
            let length = next
                .iter()
                .map(|v| f64::from(*v).powi(2))
                .sum::<f64>()
                .sqrt();
            if length <= 0.0 {
                break;
            }
            let before = left
                .iter()
                .map(|v| f64::from(*v).powi(2))
                .sum::<f64>()
                .sqrt();
            value = (length / before).sqrt();
            left = next
                .iter()
                .map(|v| (f64::from(*v) / length) as f32)
                .collect();
        }
        (value, left)
    }

    /// The densest block along the left singular vector `left`: validators in the order of their entries from either end, and for
    /// each number of them the best number of miners.
    fn densest(&self, left: &[f32]) -> Block {
        let mut order: Vec<usize> = (0..self.validators).collect();
        order.sort_by(|a, b| left[*b].total_cmp(&left[*a]).then(a.cmp(b)));
        let backwards: Vec<usize> = order.iter().rev().copied().collect();
        let (one, other) = (self.densest_along(&order), self.densest_along(&backwards));
        if one.density >= other.density {
            one
        } else {
            other
        }
    }

    fn densest_along(&self, order: &[usize]) -> Block {
        let miners = self.columns.len() / self.validators;
        let mut sums = vec![0.0_f32; miners];
        let mut sorted: Vec<f32> = Vec::new();
        let (mut best, mut taken) = (f64::NEG_INFINITY, (2, 1));
        for (index, validator) in order.iter().enumerate().take(self.validators / 2) {
            for (sum, column) in sums
                .iter_mut()
                .zip(self.columns.chunks_exact(self.validators))
            {
                *sum += column[*validator];
            }
            if index == 0 {
                continue;
            }
            // Only what was lifted can be in the block.
            sorted.clear();
            sorted.extend(sums.iter().filter(|sum| **sum > 0.0));
            sorted.sort_unstable_by(|a, b| b.total_cmp(a));
            let mut total = 0.0;
            for (count, sum) in sorted.iter().enumerate().take(miners.div_ceil(WIDEST)) {
                total += f64::from(*sum);
                let density = total / ((index + 1) as f64 * (count + 1) as f64).sqrt();
                if density > best {
                    (best, taken) = (density, (index + 1, count + 1));
                }
            }
        }
        let mut validators = order[..taken.0].to_vec();
        let lifted = |column: &[f32]| validators.iter().map(|v| column[*v]).sum::<f32>();
        let by_miner: Vec<f32> = self
            .columns
            .chunks_exact(self.validators)
            .map(lifted)
            .collect();
        let mut favoured: Vec<usize> = (0..miners).collect();
        favoured.sort_by(|a, b| by_miner[*b].total_cmp(&by_miner[*a]).then(a.cmp(b)));
        favoured.truncate(taken.1);
        validators.sort_unstable();
        favoured.sort_unstable();
        Block {
            validators,
            miners: favoured,
            density: best,
        }
    }
}

/// One over the median absolute value, which a minority cannot move; 0 where there is no spread.
fn inverse_spread(values: impl Iterator<Item = f64>) -> f64 {
    let spread = median(&values.map(f64::abs).collect::<Vec<_>>());
    if spread > 1e-12 { 1.0 / spread } else { 0.0 }
}

fn remove_regions(excess: &mut [Vec<f64>], input: &Rows) {
    let regions = |list: &[usize]| 1 + list.iter().max().copied().unwrap_or(0);
    let (rows, columns) = (
        regions(&input.validator_regions),
        regions(&input.miner_regions),
    );
    let (mut sums, mut counts) = (vec![0.0; rows * columns], vec![0.0_f64; rows * columns]);
    let at = |validator: usize, miner: usize| {
        input.validator_regions[validator] * columns + input.miner_regions[miner]
    };
    for (validator, row) in excess.iter().enumerate() {
        for (miner, value) in row.iter().enumerate() {
            sums[at(validator, miner)] += value;
            counts[at(validator, miner)] += 1.0;
        }
    }
    for (validator, row) in excess.iter_mut().enumerate() {
        for (miner, value) in row.iter_mut().enumerate() {
            *value -= sums[at(validator, miner)] / counts[at(validator, miner)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collusion::population::{self, Grading};

    const HONEST: Grading = Grading {
        validators: 24,
        miners: 60,
        epochs: 2,
        noise: 0.2,
        drift: 0.15,
        copiers: 0,
        cabal: 0,
        boost: 0.0,
    };

    fn run(grading: &Grading, seed: u64) -> Cabal {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rows = population::rows(grading, &mut rng);
        test(&rows, seed).expect("there are enough validators")
    }

    #[test]
    fn a_cabal_is_found_with_its_members() {
        let found = run(
            &Grading {
                cabal: 5,
                boost: 1.5,
                ..HONEST
            },
            1,
        );
        assert_eq!(found.p_value, found.p_smallest);
        assert_eq!(found.validators, [0, 1, 2, 3, 4]);
        assert!(
            found.miners.iter().filter(|miner| **miner < 5).count() >= 4,
            "{found:?}"
        );
    }

    #[test]
    fn honest_validators_form_no_cabal_more_often_than_stated() {
        let trials = 200;
        let accused = (0..trials)
            .filter(|seed| run(&HONEST, 30 + seed).p_value <= 0.05)
            .count();
        // A test at 5 %: above 17 of 200 lies less than one part in a hundred of honest runs.
        assert!(accused <= 17, "{accused} of {trials}");
    }

    #[test]
    fn a_region_is_no_cabal() {
        let (mut explained, mut unexplained) = (0, 0);
        for seed in 0..20 {
            let mut rows = population::rows(&HONEST, &mut ChaCha8Rng::seed_from_u64(300 + seed));
            for validator in 0..8 {
                rows.validator_regions[validator] = 1;
                for miner in 0..20 {
                    rows.miner_regions[miner] = 1;
                    rows.rows[validator][miner] *= 1.6;
                }
            }
            let accused = |rows: &Rows| test(rows, seed).is_some_and(|found| found.p_value <= 0.05);
            explained += usize::from(accused(&rows));
            rows.validator_regions.fill(0);
            rows.miner_regions.fill(0);
            unexplained += usize::from(accused(&rows));
        }
        assert!(explained <= 5, "{explained} of 20");
        assert!(
            unexplained >= 15,
            "{unexplained} of 20 look like one without their regions"
        );
    }

    #[test]
    fn agreement_and_small_matrices_say_nothing() {
        let same = Rows {
            rows: vec![vec![0.25; 4]; 4],
            validator_regions: vec![0; 4],
            miner_regions: vec![0; 4],
        };
        assert_eq!(test(&same, 1), None);
        assert_eq!(
            test(
                &Rows {
                    rows: vec![vec![0.25; 4]; 3],
                    ..same
                },
                1
            ),
            None
        );
    }
}
