//! What a record has measured, with counts and bounds: for people who ask why a miner is paid what it is.

use athanor_spec::{
    SubnetSpec,
    params::AuditParams,
    telemetry::{Interval, RecordSummary},
};
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF as _};

use super::{Mean, Record};

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// A mean of values in [0, 1], how many (faded) values it is of, and the interval that holds the true mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Values, each weighed by how much of it has not faded yet.
    pub count: f64,
}

impl Estimate {
    /// Of `sum` out of `count`: the central interval of the Beta posterior under Jeffreys' prior. Values between 0 and 1
    /// count as parts of a success; their variance is at most that of a coin with the same mean, so the interval is no
    /// narrower than it should be.
    fn of(sum: f64, count: f64) -> Option<Self> {
        if !(count > 0.0 && sum >= 0.0 && sum <= count) {
            return None;
        }
        let posterior = Beta::new(0.5 + sum, 0.5 + count - sum).ok()?;
        let value = sum / count;
        Some(Self {
            value,
            low: posterior.inverse_cdf((1.0 - CONFIDENCE) / 2.0).min(value),
            high: posterior.inverse_cdf((1.0 + CONFIDENCE) / 2.0).max(value),
            count,
        })
    }
}

impl Mean {
    fn estimate(&self) -> Option<Estimate> {
        Estimate::of(self.sum, self.weight)
    }
}

/// Everything that a record knows; `None` where nothing was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Asks, each weighed by how much of it has not faded yet.
    pub asked: f64,
    /// Of those, the ones that were opened: audited and graded. The others count for their time alone.
    pub opened: f64,
    /// Equally weighted opened asks that would say as much: what the width of the paid bound comes from.
    pub effective_asks: f64,
    /// Share of asks that were answered.
    pub answered: Option<Estimate>,
    /// exp(-d/d0) of the worse of the two divergences.
    pub fidelity: Option<f64>,
    /// Divergence on the miner's own rollouts, in nats per nat of the teacher's entropy.
    pub own_divergence: Option<f64>,
    /// Divergence on the teacher's continuations, in the same unit.
    pub forced_divergence: Option<f64>,
    /// Credit on checkable items.
    pub correctness: Option<Estimate>,
    /// Worth of the time of the answers, before availability.
    pub service: Option<Estimate>,
    /// Repetition and missing ends; caps the quality.
    pub liveliness: Option<Estimate>,
    /// The audit's e-value, over the whole lifetime; infinite once it is too large to write.
    pub e_value: f64,
    /// At which it condemns.
    pub condemned_at: f64,
    /// Requests that the audit has seen.
    pub audited: u64,
    /// Quality Q.
    pub quality: f64,
    /// What is subtracted from it for want of evidence: z s / sqrt(n).
    pub width: f64,
    /// What is paid: never below 0.
    pub quality_low: f64,
}

impl Measured {
    /// What watchers are told of it.
    pub fn telemetry(&self) -> RecordSummary {
        let interval = |estimate: Estimate| Interval {
            value: estimate.value,
            low: estimate.low,
            high: estimate.high,
            count: estimate.count,
        };
        RecordSummary {
            effective_asks: self.effective_asks,
            answered: self.answered.map(interval),
            correctness: self.correctness.map(interval),
            service: self.service.map(interval),
            liveliness: self.liveliness.map(interval),
            width: self.width,
            e_value: self.e_value,
            condemned_at: self.condemned_at,
            audited: self.audited,
        }
    }
}

impl Record {
    /// See [`Measured`].
    pub fn measured(&self, spec: &SubnetSpec) -> Measured {
        let summary = self.summary(spec);
        let axes = self.axes(&spec.grade);
        let allocation = &spec.allocation;
        let effective = self.effective_asks().min(allocation.max_effective_asks);
        let width = match effective > 0.0 {
            true => allocation.confidence_z * allocation.pool_sd / effective.sqrt(),
            false => summary.quality,
        };
        Measured {
            asked: self.asked,
            opened: self.opened,
            effective_asks: self.effective_asks(),
            answered: Estimate::of(self.answered, self.asked),
            fidelity: axes.fidelity,
            own_divergence: self.fidelity.own_divergence(),
            forced_divergence: self.fidelity.forced_divergence(),
            correctness: self.correctness.estimate(),
            service: self.service.estimate(),
            liveliness: self.liveliness.estimate(),
            e_value: self.e_value(&spec.audit),
            condemned_at: 1.0 / spec.audit.alpha,
            audited: self.evidence.requests(),
            quality: summary.quality,
            width,
            quality_low: summary.quality_low,
        }
    }

    /// JSON has no infinity.
    fn e_value(&self, params: &AuditParams) -> f64 {
        self.evidence.e_value(params).min(f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        // Exact coverage of the Jeffreys interval for every true share: never far below its nominal 95 %.
        let n = 40_u64;
        let estimates: Vec<Estimate> = (0..=n)
            .map(|k| Estimate::of(k as f64, n as f64).unwrap())
            .collect();
        for share in [0.05, 0.2, 0.5, 0.8, 0.95] {
            let mut log_choose = 0.0;
            let mut coverage = 0.0;
            for k in 0..=n {
                if k > 0 {
                    log_choose += ((n - k + 1) as f64 / k as f64).ln();
                }
                let estimate = &estimates[k as usize];
                if estimate.low <= share && share <= estimate.high {
                    let (hits, misses) = (k as f64, (n - k) as f64);
                    coverage +=
                        (log_choose + hits * f64::ln(share) + misses * f64::ln(1.0 - share)).exp();
                }
            }
            assert!(coverage > 0.9, "{share}: {coverage}");
        }
    }

    proptest! {
        #[test]
        fn an_estimate_lies_within_its_interval(sum in 0.0..1.0_f64, count in 0.01..500.0_f64) {
            let estimate = Estimate::of(sum * count, count).unwrap();
            prop_assert!(0.0 <= estimate.low && estimate.low <= estimate.value);
            prop_assert!(estimate.value <= estimate.high && estimate.high <= 1.0);
        }
    }

    #[test]
    fn nothing_is_estimated_of_nothing() {
        assert_eq!(Estimate::of(0.0, 0.0), None);
        let empty = Record::default().measured(&SubnetSpec::local());
        assert_eq!((empty.answered, empty.correctness), (None, None));
        assert_eq!((empty.quality_low, empty.audited), (0.0, 0));
    }
}
