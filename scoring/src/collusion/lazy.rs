//! Open spots of a validator's transcript: did it ask and replay what it signed for?
//!
//! Null: the validator skipped at most the tolerated share of its work (its own crashes, peers that went away). Statistic: of
//! k leaves of its committed transcript, drawn after the commitment, x that do not open to what they claim. An undetected
//! skip of a share f has probability (1 - f)^k. Correction: e-BH over validators, on the e-value of the binomial
//! mixture over larger shares; openings of other epochs are fresh draws, so that their e-values multiply. Power:
//! [`openings`]; 44 openings find a skip of 10 % with probability 0.99. What it does: shown, with the leaves.

use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF};

/// Shares of skipped work that the mixture bets on, beside the tolerated one.
const SHARES: [f64; 5] = [0.03, 0.1, 0.25, 0.5, 1.0];

/// What openings say of one validator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Openings {
    /// Leaves opened.
    pub opened: u32,
    /// Leaves that did not open to what they claim.
    pub failed: u32,
    /// Upper bound of the skipped share at 99 % (Clopper-Pearson).
    pub skipped_at_most: f64,
    /// Lower bound of the skipped share at 99 %.
    pub skipped_at_least: f64,
    /// Evidence against "at most the tolerated share".
    pub e_value: f64,
}

/// Fewest openings that find a skip of the share `skipped` with probability `power`: the smallest k with
/// (1 - f)^k <= 1 - power. `None` when no number does.
pub fn openings(skipped: f64, power: f64) -> Option<u32> {
    if !(skipped > 0.0 && skipped <= 1.0 && (0.0..1.0).contains(&power)) {
        return None;
    }
    if skipped == 1.0 {
        return Some(1);
    }
    // A hair less, so that an exact power does not round up.
    let exact = (1.0 - power).ln() / (1.0 - skipped).ln() - 1e-9;
    (exact < f64::from(u32::MAX)).then(|| exact.ceil().max(0.0) as u32)
}

/// Probability that a validator who skips the share `skipped` shows no failed leaf in `opened`.
pub fn undetected(skipped: f64, opened: u32) -> f64 {
    (1.0 - skipped.clamp(0.0, 1.0)).powi(i32::try_from(opened).unwrap_or(i32::MAX))
}

/// Probability that a validator who asks a share `asked` of the miners in a round has not met one of `canaries` with a
/// known fault after `rounds`: whoever never saw it did not look.
pub fn canary_missed(asked: f64, canaries: u32, rounds: u32) -> f64 {
    let looks = canaries.saturating_mul(rounds);
    undetected(asked, looks)
}

/// Judges the openings of one validator in one epoch; `tolerated` is the share of failed leaves that honest trouble
/// explains, in [0, 1).
pub fn judge(opened: u32, failed: u32, tolerated: f64) -> Openings {
    let failed = failed.min(opened);
    let held = f64::from(opened - failed);
    let missed = f64::from(failed);
    let tolerated = tolerated.clamp(1e-6, 0.99);
    // Likelihood ratio of each larger share to the tolerated one: the worst case of the null.
    let ratio = |share: f64| -> f64 {
        let power = |base: f64, exponent: f64| {
            if exponent == 0.0 {
                1.0
            } else {
                base.powf(exponent)
            }
        };
        power((1.0 - share) / (1.0 - tolerated), held) * power(share / tolerated, missed)
    };
    let larger: Vec<f64> = SHARES
        .into_iter()
        .filter(|share| *share > tolerated)
        .collect();
    let e_value =
        larger.iter().map(|share| ratio(*share)).sum::<f64>() / larger.len().max(1) as f64;
    let quantile = |a: f64, b: f64, at: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(at));
    Openings {
        opened,
        failed,
        skipped_at_most: if failed == opened {
            1.0
        } else {
            quantile(missed + 1.0, held, 0.99).unwrap_or(1.0)
        },
        skipped_at_least: if failed == 0 {
            0.0
        } else {
            quantile(missed, held + 1.0, 0.01).unwrap_or(0.0)
        },
        e_value,
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::correction::Sequential;

    #[test]
    fn forty_four_openings_find_a_tenth() {
        assert_eq!(openings(0.1, 0.99), Some(44));
        assert_eq!(openings(0.5, 0.75), Some(2));
        assert_eq!(openings(1.0, 0.99), Some(1));
        assert_eq!(openings(0.0, 0.99), None);
        assert!(undetected(0.1, 44) <= 0.01 && undetected(0.1, 43) > 0.01);
        assert!((canary_missed(0.5, 2, 3) - 1.0 / 64.0).abs() < 1e-12);
    }

    #[test]
    fn the_simulated_power_is_the_stated_one() {
        let (mut rng, trials) = (ChaCha8Rng::seed_from_u64(1), 20_000);
        let missed = (0..trials)
            .filter(|_| (0..44).all(|_| rng.random::<f64>() >= 0.1))
            .count();
        let rate = missed as f64 / f64::from(trials);
        // (0.9)^44 = 0.0097; three standard errors.
        assert!((rate - 0.0097).abs() < 0.0021, "{rate}");
    }

    #[test]
    fn bounds_stand_on_both_sides_of_the_rate() {
        let clean = judge(44, 0, 0.01);
        assert!((clean.skipped_at_most - (1.0 - 0.01_f64.powf(1.0 / 44.0))).abs() < 1e-9);
        assert_eq!(clean.skipped_at_least, 0.0);
        let half = judge(44, 22, 0.01);
        assert!(half.skipped_at_least < 0.5 && 0.5 < half.skipped_at_most);
        assert!(half.e_value > 1e20);
        assert_eq!(judge(5, 9, 0.01).skipped_at_most, 1.0);
    }

    #[test]
    fn an_honest_validator_s_evidence_stays_low_over_hundreds_of_epochs() {
        let (mut rng, mut accused) = (ChaCha8Rng::seed_from_u64(2), 0);
        for _ in 0..500 {
            let (mut evidence, mut peak) = (Sequential::default(), 0.0_f64);
            for _ in 0..200 {
                let failed = (0..44).filter(|_| rng.random::<f64>() < 0.01).count();
                evidence.observe(judge(44, failed as u32, 0.01).e_value);
                peak = peak.max(evidence.e_value());
            }
            accused += usize::from(peak >= 100.0);
        }
        // Ville: at most 1 % of lifetimes reach 100.
        assert!(accused <= 12, "{accused} of 500");
    }

    #[test]
    fn a_lazy_one_is_found_within_epochs() {
        let (mut rng, mut evidence) = (ChaCha8Rng::seed_from_u64(3), Sequential::default());
        while evidence.e_value() < 1e6 {
            let failed = (0..44).filter(|_| rng.random::<f64>() < 0.1).count();
            evidence.observe(judge(44, failed as u32, 0.01).e_value);
            assert!(evidence.epochs() < 20);
        }
    }
}
