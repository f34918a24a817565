//! Keep many tests at once honest: e-values and p-values of a family, and what evidence of many epochs adds up to.
//!
//! The pairs of a subnet share members, so their tests depend on each other in every way. Verdicts use e-values with the
//! e-BH procedure, which holds the false discovery rate under any dependence; p-values use Benjamini-Yekutieli, which
//! does so too; Benjamini-Hochberg has no guarantee here and is for display. A hypothesis that a screen left out counts
//! with e = 0 and p = 1: leaving out can only lose power.

use codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Indices of the hypotheses that e-BH rejects at false discovery rate `q`, out of `family` hypotheses of which
/// `e_values` are those that were looked at: the k largest, with e_(k) >= family / (q k) (Wang and Ramdas 2022).
pub fn e_bh(e_values: &[f64], family: u64, q: f64) -> Vec<usize> {
    let order = sorted(e_values, |a, b| b.total_cmp(&a));
    let enough = |k: usize| e_values[order[k]] >= family as f64 / (q * (k + 1) as f64);
    first(&order, (0..order.len()).rev().find(|k| enough(*k)))
}

/// Indices that the procedure of Benjamini and Yekutieli (2001) rejects: valid under any dependence.
pub fn benjamini_yekutieli(p_values: &[f64], family: u64, q: f64) -> Vec<usize> {
    step_up(p_values, family, q / harmonic(family))
}

/// Indices that the procedure of Benjamini and Hochberg (1995) rejects. For display: tests that share members break it.
pub fn benjamini_hochberg(p_values: &[f64], family: u64, q: f64) -> Vec<usize> {
    step_up(p_values, family, q)
}

/// An e-value from a p-value: (1 - p + p ln p) / (p ln^2 p), the mixture of all power calibrators k p^(k-1)
/// (Vovk and Wang 2021). At most about 1 / (p ln^2 p), so a p-value that cannot get small gives an e-value that cannot
/// get large.
pub fn e_of_p(p: f64) -> f64 {
    if p.is_nan() {
        return 0.0;
    }
    let p = p.clamp(f64::MIN_POSITIVE, 1.0);
    // Near 1 the formula is 0 / 0; its limit is a half.
    if 1.0 - p < 1e-4 {
        return 0.5;
    }
    let log = p.ln();
    (1.0 - p + p * log) / (p * log * log)
}

/// Evidence that is new in every epoch: the product of e-values each of which is one given all that went before.
/// By Ville's inequality it ever reaches 1 / alpha with probability at most alpha.
#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode, Serialize, Deserialize)]
pub struct Sequential {
    log: f64,
    epochs: u32,
}

impl Sequential {
    /// Takes an epoch's e-value; something that is no number counts as no evidence.
    pub fn observe(&mut self, e_value: f64) {
        if e_value.is_finite() {
            self.log = (self.log + e_value.max(f64::MIN_POSITIVE).ln()).max(f64::MIN_POSITIVE.ln());
        }
        self.epochs = self.epochs.saturating_add(1);
    }

    /// The product; 1 before the first epoch.
    pub fn e_value(&self) -> f64 {
        self.log.exp()
    }

    /// Epochs observed.
    pub fn epochs(&self) -> u32 {
        self.epochs
    }
}

/// Evidence that looks at the same thing in every epoch (two models that barely change): the mean of the e-values, which
/// is an e-value under any dependence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode, Serialize, Deserialize)]
pub struct Average {
    sum: f64,
    epochs: u32,
}

impl Average {
    /// Takes an epoch's e-value; something that is no number counts as none.
    pub fn observe(&mut self, e_value: f64) {
        self.sum += if e_value.is_finite() {
            e_value.max(0.0)
        } else {
            0.0
        };
        self.epochs = self.epochs.saturating_add(1);
    }

    /// The mean; 1 before the first epoch.
    pub fn e_value(&self) -> f64 {
        match self.epochs {
            0 => 1.0,
            epochs => self.sum / f64::from(epochs),
        }
    }

    /// Epochs observed.
    pub fn epochs(&self) -> u32 {
        self.epochs
    }
}

fn step_up(p_values: &[f64], family: u64, q: f64) -> Vec<usize> {
    let order = sorted(p_values, |a, b| a.total_cmp(&b));
    let small = |k: usize| p_values[order[k]] <= q * (k + 1) as f64 / family.max(1) as f64;
    first(&order, (0..order.len()).rev().find(|k| small(*k)))
}

fn sorted(values: &[f64], compare: impl Fn(f64, f64) -> std::cmp::Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).filter(|i| !values[*i].is_nan()).collect();
    order.sort_by(|a, b| compare(values[*a], values[*b]).then(a.cmp(b)));
    order
}

fn first(order: &[usize], last: Option<usize>) -> Vec<usize> {
    let mut rejected = last.map_or_else(Vec::new, |last| order[..=last].to_vec());
    rejected.sort_unstable();
    rejected
}

/// The sum of 1 / k up to `n`; beyond the first hundred terms by its expansion, to within 1e-10.
pub(crate) fn harmonic(n: u64) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    if n <= 100 {
        return (1..=n.max(1)).map(|k| 1.0 / k as f64).sum();
    }
    let n = n as f64;
    n.ln() + EULER + 1.0 / (2.0 * n) - 1.0 / (12.0 * n * n)
}

#[cfg(test)]
mod tests;
