//! What a run showed: earnings, detection, concentration.

use serde::Serialize;

/// One run of a population under a spec.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Seed of the run.
    pub seed: u64,
    /// Epochs.
    pub epochs: u64,
    /// What every group got, miners first.
    pub groups: Vec<GroupOutcome>,
    /// Honest miners that an honest validator accused of anything: pairs of accuser and accused.
    pub false_accusations: u64,
    /// Gini coefficient of miners' pay.
    pub gini: f64,
    /// Fewest miners that got more than half of all miners' pay.
    pub nakamoto: u32,
    /// Share of miners' pay that went to the owner's UID, which the chain burns.
    pub burned: f64,
    /// Smallest and mean validator trust of honest validators over the second half of the run.
    pub honest_trust: f64,
}

/// What a group got in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupOutcome {
    /// Its name.
    pub name: String,
    /// Its behaviour.
    pub behaviour: String,
    /// `miner` or `validator`.
    pub side: &'static str,
    /// Members.
    pub members: u32,
    /// Alpha earned, over all members and epochs.
    pub earned: f64,
    /// What it cost, in GPU-seconds.
    pub cost: f64,
    /// Alpha for a thousand GPU-seconds.
    pub rate: f64,
    /// Registrations paid.
    pub registrations: u32,
    /// Members that most of the honest stake accused.
    pub accused: u32,
    /// Epochs from the registration to that, at the median of those that were accused.
    pub detection: Option<f64>,
    /// Epochs from the registration of the group to the first in which a member of it was paid like the median honest
    /// miner; only for groups that join later.
    pub paid_after: Option<f64>,
    /// Share of all miners' (or all validators') pay, epoch by epoch.
    pub shares: Vec<f32>,
}

/// Gini coefficient of amounts that are not negative: 0 where all are alike, near 1 where one has everything.
pub fn gini(amounts: &[f64]) -> f64 {
    let mut sorted = amounts.to_vec();
    sorted.sort_by(f64::total_cmp);
    let total: f64 = sorted.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let n = sorted.len() as f64;
    let ranked: f64 = sorted
        .iter()
        .zip(1_u32..)
        .map(|(amount, rank)| f64::from(rank) * amount)
        .sum();
    2.0 * ranked / (n * total) - (n + 1.0) / n
}

/// Fewest that together have more than half of everything; 0 where there is nothing.
pub fn nakamoto(amounts: &[f64]) -> u32 {
    let mut sorted = amounts.to_vec();
    sorted.sort_by(|left, right| right.total_cmp(left));
    let total: f64 = sorted.iter().sum();
    let mut sum = 0.0;
    for (amount, number) in sorted.iter().zip(1_u32..) {
        sum += amount;
        if sum > total / 2.0 {
            return number;
        }
    }
    0
}
