//! Measure, on requests of servers that are known, how soon the audit finds cheats and how far honest servers stay from a
//! verdict. What is printed of a table of calibration comes from here, each figure with its confidence bound.

use athanor_spec::params::AuditParams;
use rand::{Rng, seq::IndexedRandom as _};
use serde::{Deserialize, Serialize};

use super::{
    Bins, Calibration, HotkeyEvidence, TokenObservation,
    bounds::{
        Quantile, clopper_pearson_lower, clopper_pearson_upper, empirical_bernstein, quantile,
    },
};

/// Each bound of this file is wrong with at most this probability, one-sided.
pub const DELTA: f64 = 0.05;

/// How long it took in each of many runs, in tokens or in openings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Runs longer than this were not followed.
    pub limit: u64,
    /// One entry for each run; `None` where the limit was reached first.
    pub runs: Vec<Option<u64>>,
}

/// What [`Waits`] say together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// Runs longer than this were not followed.
    pub limit: u64,
    /// Number of runs.
    pub runs: u64,
    /// Runs that were over within the limit.
    pub done: u64,
    /// Power within the limit: lower confidence bound of the share of runs that are over by then.
    pub power_low: f64,
    /// The middle run, with its confidence interval.
    pub median: Quantile,
    /// The 99th of a hundred; its upper end is where the power is 0.99, at the confidence of [`DELTA`].
    pub p99: Quantile,
}

impl Waits {
    /// Median, 99th percentile and power.
    pub fn summary(&self) -> Wait {
        let (runs, done) = (
            self.runs.len() as u64,
            self.runs.iter().flatten().count() as u64,
        );
        Wait {
            limit: self.limit,
            runs,
            done,
            power_low: clopper_pearson_lower(done, runs, DELTA),
            median: quantile(&self.runs, 0.5, DELTA),
            p99: quantile(&self.runs, 0.99, DELTA),
        }
    }
}

/// Tokens until the raw mixture e-value over a server's concatenated answers reaches `evidence`. Runs are disjoint and
/// within one server. None starts with less than `limit` tokens ahead: so every run can be followed to the limit, and where
/// the last one starts depends on the past only, which leaves the lengths unbiased (Wald).
pub fn tokens_to_evidence<'a>(
    calibration: &Calibration,
    servers: impl IntoIterator<Item = &'a [Vec<TokenObservation>]>,
    evidence: f64,
    limit: usize,
) -> Waits {
    let mut runs = Vec::new();
    for requests in servers {
        let tokens: Vec<TokenObservation> = requests.iter().flatten().copied().collect();
        let mut rest = tokens.as_slice();
        while rest.len() >= limit && limit > 0 {
            let mut products = calibration.products();
            let reached = rest[..limit].iter().position(|token| {
                products.push(*token);
                products.log_e_value() >= evidence.ln()
            });
            let length = reached.map(|last| last + 1);
            runs.push(length.map(|length| length as u64));
            rest = &rest[length.unwrap_or(limit)..];
        }
    }
    Waits {
        limit: limit as u64,
        runs,
    }
}

/// Normalised e-values of requests, honest and forged, of which a simulated hotkey's openings are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Pools<'a> {
    /// Of honest answers.
    pub honest: &'a [f64],
    /// Of the cheat's answers.
    pub forged: &'a [f64],
}

/// What a cheat does over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habit {
    /// Openings that it answers honestly before it begins to cheat: 0 for all but a turncoat.
    pub honest_first: u64,
    /// Share of the openings that it then forges.
    pub share: f64,
}

/// Openings, counted from the first one in which the cheat may cheat, until the hotkey is condemned. A pool is drawn from
/// with replacement, so the bounds of the result are those of the runs, on these pools.
pub fn openings_to_verdict(
    params: &AuditParams,
    pools: Pools<'_>,
    habit: Habit,
    (runs, limit): (usize, u64),
    rng: &mut impl Rng,
) -> Waits {
    let draw = |pool: &[f64], rng: &mut _| pool.choose(rng).copied().unwrap_or(1.0);
    let one = |_| {
        let mut evidence = HotkeyEvidence::default();
        for _ in 0..habit.honest_first {
            evidence.observe(params, draw(pools.honest, rng));
        }
        (1..=limit).find(|_| {
            let pool = match rng.random_bool(habit.share) {
                true => pools.forged,
                false => pools.honest,
            };
            evidence.observe(params, draw(pool, rng));
            evidence.condemned(params)
        })
    };
    Waits {
        limit,
        runs: (0..runs).map(one).collect(),
    }
}

/// What the audit says of honest servers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Honest {
    /// Requests, independent given the servers.
    pub requests: u64,
    /// Tokens in them.
    pub tokens: u64,
    /// Share of tokens that are not the replay's own draw.
    pub mismatched: f64,
    /// Mean normalised e-value of a request; at most 1 is promised.
    pub mean_e_value: f64,
    /// Its upper confidence bound (empirical Bernstein).
    pub mean_high: f64,
    /// The largest normalised e-value of a request.
    pub largest_e_value: f64,
    /// Requests whose own raw e-value, uncapped, reached 1 / alpha.
    pub flagged: u64,
    /// Upper confidence bound of their share (Clopper-Pearson).
    pub flagged_high: f64,
    /// Lives of a hotkey that the requests were divided into.
    pub lives: u64,
    /// Lives that were condemned at any request.
    pub condemned: u64,
    /// Upper confidence bound of their share (Clopper-Pearson).
    pub condemned_high: f64,
    /// The highest value of W at any request of any life.
    pub highest: f64,
}

/// Measures honest requests, each server's divided into lives of `life` requests; a shorter rest is a life as well.
pub fn honest<'a>(
    calibration: &Calibration,
    params: &AuditParams,
    servers: impl IntoIterator<Item = &'a [Vec<TokenObservation>]>,
    life: usize,
) -> Honest {
    let (mut values, mut tokens, mut mismatched) = (Vec::new(), 0_u64, 0_u64);
    let (mut flagged, mut lives, mut condemned, mut highest) = (0, 0, 0, 0.0_f64);
    for requests in servers {
        for life in requests.chunks(life.max(1)) {
            let mut evidence = HotkeyEvidence::default();
            for request in life {
                let e_value = calibration.request_e_value(request);
                values.push(e_value);
                tokens += request.len() as u64;
                mismatched += request.iter().filter(|token| token.margin > 0.0).count() as u64;
                flagged += u64::from(calibration.log_e_value(request) >= -params.alpha.ln());
                evidence.observe(params, e_value);
                highest = highest.max(evidence.e_value(params));
            }
            lives += 1;
            condemned += u64::from(evidence.condemned(params));
        }
    }
    let requests = values.len() as u64;
    Honest {
        requests,
        tokens,
        mismatched: mismatched as f64 / tokens.max(1) as f64,
        mean_e_value: values.iter().sum::<f64>() / requests.max(1) as f64,
        mean_high: empirical_bernstein(&values, calibration.cap / calibration.normaliser, DELTA),
        largest_e_value: values.iter().copied().fold(0.0, f64::max),
        flagged,
        flagged_high: clopper_pearson_upper(flagged, requests, DELTA),
        lives,
        condemned,
        condemned_high: clopper_pearson_upper(condemned, lives, DELTA),
        highest,
    }
}

/// Share of the tokens of each gap cell that honest noise turned into another one; 0 where none was seen.
pub fn flip_rates<'a>(
    bins: &Bins,
    requests: impl IntoIterator<Item = &'a Vec<TokenObservation>>,
) -> Vec<f64> {
    let mut counts = vec![(0_u64, 0_u64); bins.gap.len()];
    for token in requests.into_iter().flatten() {
        if let Some(cell) = bins.cell(*token) {
            counts[cell.gap].0 += u64::from(token.margin > 0.0);
            counts[cell.gap].1 += 1;
        }
    }
    let rate = |(flipped, all): (u64, u64)| flipped as f64 / all.max(1) as f64;
    counts.into_iter().map(rate).collect()
}

/// Honest answers as a server would give them that chooses between the two best tokens where they are close: it takes the
/// second best at the rate that `rates` names for each gap cell. With them, the bits per token that it can so hide: the mean
/// entropy of its choices.
pub fn steered(
    bins: &Bins,
    requests: &[Vec<TokenObservation>],
    rates: &[f64],
    rng: &mut impl Rng,
) -> (Vec<Vec<TokenObservation>>, f64) {
    let (mut bits, mut tokens) = (0.0, 0_u64);
    let mut steer = |token: &TokenObservation| {
        tokens += 1;
        let cell = bins.cell(*token);
        let rate = cell.and_then(|cell| rates.get(cell.gap)).copied();
        let rate = rate.unwrap_or(0.0).clamp(0.0, 1.0);
        bits += entropy(rate);
        let margin = match rng.random_bool(rate) {
            true => token.gap,
            false => token.margin,
        };
        TokenObservation { margin, ..*token }
    };
    let all = requests
        .iter()
        .map(|request| request.iter().map(&mut steer).collect())
        .collect();
    (all, bits / tokens.max(1) as f64)
}

/// Entropy of a choice between two, in bits.
fn entropy(rate: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    term(rate) + term(1.0 - rate)
}

#[cfg(test)]
mod tests;
