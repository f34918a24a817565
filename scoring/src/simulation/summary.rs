//! Bounds on means over runs.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// A mean over independent runs, and the interval that holds the true one with a confidence of 95 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// Mean of the runs.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Runs.
    pub runs: u32,
}

/// Student's interval for the mean of independent values; of a single one the interval is everything. `None` of none.
pub fn interval(values: &[f64]) -> Option<Interval> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let runs = u32::try_from(values.len()).unwrap_or(u32::MAX);
    let half = match StudentsT::new(0.0, 1.0, n - 1.0) {
        Ok(t) => {
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            t.inverse_cdf(0.5 + CONFIDENCE / 2.0) * (variance / n).sqrt()
        }
        // One value has no degree of freedom.
        Err(_) => f64::INFINITY,
    };
    Some(Interval {
        mean,
        low: mean - half,
        high: mean + half,
        runs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_student_s() {
        let found = interval(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        // t(3, 0.975) = 3.182, standard error 0.6455.
        assert!((found.mean - 2.5).abs() < 1e-12);
        assert!((found.high - 2.5 - 3.182_446 * 0.645_497).abs() < 1e-4);
        assert_eq!(interval(&[]), None);
        assert!(interval(&[3.0]).unwrap().high.is_infinite());
    }
}
