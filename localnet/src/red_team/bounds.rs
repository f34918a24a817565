//! How sure a figure of a short run is.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use statrs::distribution::{Beta, ContinuousCDF as _};

/// Confidence of every bound.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Times that epochs and honest participants are drawn anew.
const RESAMPLES: usize = 4000;

/// Upper bound of a probability of which `k` of `n` trials came true (Clopper and Pearson 1934, one-sided).
pub(super) fn proportion_high(k: u64, n: u64) -> f64 {
    if k >= n {
        return 1.0;
    }
    // Both parameters are at least one, so the distribution exists.
    match Beta::new(k as f64 + 1.0, (n - k) as f64) {
        Ok(beta) => beta.inverse_cdf(CONFIDENCE),
        Err(_) => 1.0,
    }
}

/// What an attack earned over what one honest participant earned, summed over epochs. `honest` has a row for each honest
/// participant with what it earned in each epoch. `None` if they earned nothing.
pub(super) fn ratio(attack: &[f64], honest: &[Vec<f64>]) -> Option<f64> {
    let epochs: Vec<usize> = (0..attack.len()).collect();
    let rows: Vec<usize> = (0..honest.len()).collect();
    ratio_of(attack, honest, &epochs, &rows)
}

/// Lower and upper bound of [`ratio`]: percentiles of its values where epochs and, apart from them, honest participants are drawn
/// anew with replacement, as if each were one of many (the pigeonhole bootstrap of Owen 2007, which errs on the wide side).
/// Epochs that follow each other resemble each other, so what a subnet would show after weeks is not bounded by it.
pub(super) fn ratio_bounds(attack: &[f64], honest: &[Vec<f64>], seed: u64) -> Option<(f64, f64)> {
    let known = ratio(attack, honest)?;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let mut draw =
                |n: usize| -> Vec<usize> { (0..n).map(|_| rng.random_range(0..n)).collect() };
            let (epochs, rows) = (draw(attack.len()), draw(honest.len()));
            ratio_of(attack, honest, &epochs, &rows)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * ratios.len() as f64).ceil() as usize;
        ratios.get(rank.saturating_sub(1)).copied().unwrap_or(known)
    };
    Some((at(1.0 - CONFIDENCE).min(known), at(CONFIDENCE).max(known)))
}

fn ratio_of(attack: &[f64], honest: &[Vec<f64>], epochs: &[usize], rows: &[usize]) -> Option<f64> {
    let earned: f64 = epochs.iter().map(|epoch| attack[*epoch]).sum();
    let sum: f64 = rows
        .iter()
        .flat_map(|row| epochs.iter().map(|epoch| honest[*row][*epoch]))
        .sum();
    (sum > 0.0).then(|| earned / (sum / rows.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_out_of_n_is_bounded_by_the_rule_of_three() {
        // 1 - 0.05^(1/n), which is near 3 / n.
        assert!((proportion_high(0, 30) - (1.0 - 0.05_f64.powf(1.0 / 30.0))).abs() < 1e-9);
        assert!(proportion_high(1, 30) > proportion_high(0, 30));
        assert_eq!(proportion_high(0, 0), 1.0);
        assert_eq!(proportion_high(4, 4), 1.0);
    }

    #[test]
    fn a_ratio_is_of_sums_and_lies_within_its_bounds() {
        let honest = vec![vec![1.0, 3.0], vec![3.0, 5.0]];
        assert_eq!(ratio(&[3.0, 3.0], &honest), Some(1.0));
        let (low, high) = ratio_bounds(&[3.0, 3.0], &honest, 1).unwrap();
        assert!(low < 1.0 && 1.0 < high, "{low}, {high}");
        assert_eq!(ratio_bounds(&[3.0, 3.0], &honest, 1), Some((low, high)));
        assert_eq!(ratio_bounds(&[0.0, 0.0], &honest, 1), Some((0.0, 0.0)));
        assert_eq!(ratio(&[1.0], &[vec![0.0]]), None);
    }

    #[test]
    fn where_nothing_varies_the_bounds_are_the_ratio() {
        let (low, high) = ratio_bounds(&[1.0; 4], &[vec![2.0; 4], vec![2.0; 4]], 1).unwrap();
        assert!((low - 0.5).abs() < 1e-12 && (high - 0.5).abs() < 1e-12);
    }
}
