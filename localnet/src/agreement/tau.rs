//! How far two rankings agree, and how sure that is.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Times that the rounds are drawn anew.
const RESAMPLES: usize = 4000;
/// Rounds that are drawn together: grades fade slowly, so that rounds next to each other resemble each other.
const BLOCK: usize = 4;
/// Share of the resamples that lies below the bound.
const BELOW: f64 = 0.05;

/// One round's qualities by each of two validators, miner by miner in one order.
pub type Pair = (Vec<f64>, Vec<f64>);

/// Kendall's tau-b of two lists of values of the same things: 1 where every pair is ordered alike, -1 where none is. Pairs
/// that are tied in one list count for neither and make the scale smaller (Kendall 1945). `None` if either list has no order.
pub fn kendall(a: &[f64], b: &[f64]) -> Option<f64> {
    let (mut sum, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    let sign = |x: f64, y: f64| f64::from(i8::from(x > y) - i8::from(x < y));
    for i in 0..a.len().min(b.len()) {
        for j in 0..i {
            let (x, y) = (sign(a[i], a[j]), sign(b[i], b[j]));
            sum += x * y;
            in_a += x * x;
            in_b += y * y;
        }
    }
    let scale = f64::sqrt(in_a * in_b);
    (scale > 0.0).then(|| sum / scale)
}

/// Mean quality of each miner over rounds, by each of the two validators.
pub fn means<'a>(rounds: impl IntoIterator<Item = &'a Pair>) -> Pair {
    let mut sums: Pair = (Vec::new(), Vec::new());
    let mut count = 0.0;
    for (a, b) in rounds {
        count += 1.0;
        for (sums, values) in [(&mut sums.0, a), (&mut sums.1, b)] {
            sums.resize(values.len().max(sums.len()), 0.0);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value;
            }
        }
    }
    for sum in sums.0.iter_mut().chain(&mut sums.1) {
        *sum /= f64::max(count, 1.0);
    }
    sums
}

/// Agreement of two validators on the ranking of miners.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// tau-b of the mean qualities over all rounds.
    pub tau: f64,
    /// Lower bound of it with 95 % confidence.
    pub low: f64,
}

/// The agreement over rounds; `None` if there is no order to agree on. The bound is a percentile of the moving-block
/// bootstrap over rounds (Künsch 1989), drawn from `seed`.
pub fn agreement(rounds: &[Pair], seed: u64) -> Option<Agreement> {
    let (a, b) = means(rounds);
    let tau = kendall(&a, &b)?;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let block = BLOCK.min(rounds.len());
    let starts = rounds.len() - block + 1;
    let mut taus: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let mut drawn = Vec::with_capacity(rounds.len() + block);
            while drawn.len() < rounds.len() {
                let start = rng.random_range(0..starts);
                drawn.extend(&rounds[start..start + block]);
            }
            drawn.truncate(rounds.len());
            let (a, b) = means(drawn);
            kendall(&a, &b)
        })
        .collect();
    taus.sort_by(f64::total_cmp);
    let low = taus.get((BELOW * taus.len() as f64) as usize);
    Some(Agreement {
        tau,
        low: low.copied().unwrap_or(tau),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tau_is_that_of_the_books() {
        let order = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(kendall(&order, &order), Some(1.0));
        assert_eq!(kendall(&order, &[5.0, 4.0, 3.0, 2.0, 1.0]), Some(-1.0));
        // One pair of ten is swapped: (9 - 1) / 10.
        assert_eq!(kendall(&order, &[2.0, 1.0, 3.0, 4.0, 5.0]), Some(0.8));
        // As scipy.stats.kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) gives it.
        let tied = kendall(&[12.0, 2.0, 1.0, 12.0, 2.0], &[1.0, 4.0, 7.0, 1.0, 0.0]).unwrap();
        assert!((tied + 0.471_404_520_791_031_7).abs() < 1e-12, "{tied}");
        assert_eq!(kendall(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(kendall(&[], &[]), None);
    }

    /// Rounds of miners whose true qualities lie `gap` apart, seen with noise of a deviation of about 0.03.
    fn rounds(gap: f64, seed: u64) -> Vec<Pair> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut seen = move || -> Vec<f64> {
            (0..8)
                .map(|miner| {
                    let noise: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
                    gap * f64::from(miner) + 0.03 * noise
                })
                .collect()
        };
        (0..20).map(|_| (seen(), seen())).collect()
    }

    #[test]
    fn wide_gaps_are_agreed_on_for_certain_and_none_are_not() {
        let wide = agreement(&rounds(0.1, 1), 7).unwrap();
        assert_eq!(wide, Agreement { tau: 1.0, low: 1.0 });
        let none = agreement(&rounds(0.0, 1), 7).unwrap();
        assert!(none.low < 0.5, "{none:?}");
        assert!(none.low <= none.tau);
    }

    #[test]
    fn the_seed_fixes_the_bound() {
        let rounds = rounds(0.01, 3);
        assert_eq!(agreement(&rounds, 5), agreement(&rounds, 5));
    }
}
