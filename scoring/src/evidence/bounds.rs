//! Confidence bounds of proportions, means and quantiles, none of which assumes a shape of the distribution.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

/// Upper Clopper-Pearson bound of a proportion of `count` in `total` that is too low with probability `delta`; 1 where
/// nothing was observed.
pub fn clopper_pearson_upper(count: u64, total: u64, delta: f64) -> f64 {
    if count >= total {
        return 1.0;
    }
    if count == 0 {
        return 1.0 - delta.powf(1.0 / total as f64);
    }
    // Both shapes are at least 1 here, so the distribution exists.
    Beta::new(count as f64 + 1.0, (total - count) as f64).map_or(1.0, |beta| {
        beta.inverse_cdf(1.0 - delta).clamp(f64::MIN_POSITIVE, 1.0)
    })
}

/// Lower Clopper-Pearson bound of a proportion of `count` in `total` that is too high with probability `delta`; 0 where
/// nothing was observed.
pub fn clopper_pearson_lower(count: u64, total: u64, delta: f64) -> f64 {
    match total {
        0 => 0.0,
        _ => 1.0 - clopper_pearson_upper(total - count.min(total), total, delta),
    }
}

/// Upper confidence bound of the mean of values in [0, `range`] that is too low with probability `delta`
/// (Maurer and Pontil 2009, theorem 4); `range` where there are fewer than two values.
pub fn empirical_bernstein(values: &[f64], range: f64, delta: f64) -> f64 {
    if values.len() < 2 {
        return range;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let log = (2.0 / delta).ln();
    mean + (2.0 * variance * log / n).sqrt() + 7.0 * range * log / (3.0 * (n - 1.0))
}

/// A quantile with the interval that holds it at the confidence asked for. `None` where the runs did not go so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantile {
    /// The sample's own quantile.
    pub value: Option<u64>,
    /// Lower end.
    pub low: Option<u64>,
    /// Upper end: so many are enough for a share `q` of all runs, at the confidence asked for.
    pub high: Option<u64>,
}

/// The `q`-quantile of independent runs, each as long as it took, or `None` for one that ended before it was done. The
/// ends are order statistics (David and Nagaraja 2003, section 7.1), each wrong with probability `delta`.
pub fn quantile(runs: &[Option<u64>], q: f64, delta: f64) -> Quantile {
    let mut sorted: Vec<u64> = runs.iter().map(|run| run.unwrap_or(u64::MAX)).collect();
    sorted.sort_unstable();
    let n = sorted.len() as u64;
    // The k-th smallest, counted from 1.
    let at = |k: u64| {
        let index = usize::try_from(k.checked_sub(1)?).ok()?;
        sorted.get(index).copied().filter(|run| *run < u64::MAX)
    };
    let Ok(below) = Binomial::new(q, n) else {
        return Quantile {
            value: None,
            low: None,
            high: None,
        };
    };
    // X(k) lies above the quantile unless k or more runs lie at or below it.
    let high = (1..=n).find(|k| below.cdf(k - 1) >= 1.0 - delta);
    // X(k) lies at or below the quantile if k or more runs do.
    let low = (1..=n).rev().find(|k| below.cdf(k - 1) <= delta);
    Quantile {
        value: at((q * n as f64).ceil() as u64),
        low: low.map_or(Some(0), at),
        high: high.and_then(at),
    }
}
