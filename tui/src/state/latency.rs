//! How long answers take, as a distribution in constant memory.

/// Buckets: four per doubling, from one millisecond to more than an hour.
const BUCKETS: usize = 88;

/// Times in milliseconds, sorted into buckets whose edges are a factor of 2^(1/4) apart.
#[derive(Clone, Debug)]
pub struct Latency {
    counts: [u32; BUCKETS],
    count: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            count: 0,
        }
    }
}

impl Latency {
    /// Counts a time.
    pub fn add(&mut self, millis: u32) {
        let at = (f64::from(millis.max(1)).log2() * 4.0).floor() as usize;
        let bucket = &mut self.counts[at.min(BUCKETS - 1)];
        *bucket = bucket.saturating_add(1);
        self.count += 1;
    }

    /// Number of times.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time that a share `part` of all stays below, in milliseconds, to within a fifth of its value; `None` without
    /// times.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = (part.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut sum = 0;
        self.counts
            .iter()
            .enumerate()
            .find(|(_, count)| {
                sum += u64::from(**count);
                sum >= wanted
            })
            .map(|(at, _)| 2f64.powf((at as f64 + 0.5) / 4.0))
    }

    /// The buckets from the first to the last that is not empty, brought together into at most `width`: lower edge in
    /// milliseconds, count.
    pub fn bars(&self, width: usize) -> Vec<(f64, u64)> {
        let used = |count: &u32| *count > 0;
        let (Some(first), Some(last)) = (
            self.counts.iter().position(used),
            self.counts.iter().rposition(used),
        ) else {
            return Vec::new();
        };
        let together = (last - first + 1).div_ceil(width.max(1));
        self.counts[first..=last]
            .chunks(together)
            .zip((first..).step_by(together))
            .map(|(chunk, at)| {
                let sum = chunk.iter().map(|count| u64::from(*count)).sum();
                (2f64.powf(at as f64 / 4.0), sum)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_within_a_bucket() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        (1..=1000).for_each(|millis| latency.add(millis));
        for (part, exact) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0)] {
            let told = latency.quantile(part).unwrap();
            assert!((told / exact).log2().abs() < 0.25, "{part}: {told}");
        }
        latency.add(0);
        latency.add(u32::MAX);
        assert_eq!(latency.count(), 1002);
    }

    #[test]
    fn bars_lose_nothing() {
        let mut latency = Latency::default();
        for millis in [3, 3, 50, 51, 1200, 90_000] {
            latency.add(millis);
        }
        for width in [1, 5, 17, 200] {
            let bars = latency.bars(width);
            assert!(bars.len() <= width);
            assert_eq!(bars.iter().map(|(_, count)| count).sum::<u64>(), 6);
        }
        assert!(Latency::default().bars(9).is_empty());
    }
}
