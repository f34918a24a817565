//! Draw normal and binomial numbers from a seeded stream.

/// A stream of random numbers: xoshiro256++ (Blackman and Vigna, 2021), whose state SplitMix64 makes of the words that name it. It
/// decides nothing that anybody could want to guess, and is drawn from a dozen times for every miner and validator.
pub(super) struct Draw {
    state: [u64; 4],
    spare: Option<f64>,
}

impl Draw {
    /// The stream that these words name.
    pub(super) fn of(words: [u64; 4]) -> Self {
        let mut hash = 0;
        let state = words.map(|word| {
            hash = splitmix(hash ^ word);
            hash
        });
        Self { state, spare: None }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }

    /// Uniform in (0, 1), ends excluded.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Uniform between two numbers.
    pub(super) fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Standard normal (Box-Muller, both of the pair).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.unit().ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * self.unit() as f32).sin_cos();
        self.spare = Some(radius * f64::from(sin));
        radius * f64::from(cos)
    }

    /// How many of `n` trials succeed, each with probability `p`: jumps from success to success, so rare ones cost little.
    pub(super) fn binomial(&mut self, n: u32, p: f64) -> u32 {
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        if p <= 0.0 || n == 0 {
            return 0;
        }
        let log_miss = (-p).ln_1p();
        let (mut at, mut successes) = (0.0, 0);
        loop {
            at += (self.unit().ln() / log_miss).floor() + 1.0;
            if at > f64::from(n) {
                return successes;
            }
            successes += 1;
        }
    }
}

/// One step of SplitMix64.
fn splitmix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generators_are_those_that_were_published() {
        // The first numbers of the authors' code: SplitMix64 from 0, and xoshiro256++ from the state 1, 2, 3, 4.
        assert_eq!(splitmix(0), 0xe220_a839_7b1d_cdaf);
        let mut draw = Draw {
            state: [1, 2, 3, 4],
            spare: None,
        };
        let first: Vec<u64> = (0..4).map(|_| draw.next()).collect();
        assert_eq!(
            first,
            [
                41_943_041,
                58_720_359,
                3_588_806_011_781_223,
                3_591_011_842_654_386
            ]
        );
    }

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..20_000).map(|_| draw()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20_000.0;
        (mean, variance)
    }

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        let mut draw = Draw::of([1, 2, 3, 4]);
        let (mean, variance) = moments(|| draw.normal());
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05);
        for (n, p) in [(24, 0.01), (24, 0.4), (60, 0.97)] {
            let (mean, variance) = moments(|| f64::from(draw.binomial(n, p)));
            let expected = f64::from(n) * p;
            assert!((mean - expected).abs() < 0.06, "{n} {p}: {mean}");
            assert!((variance - expected * (1.0 - p)).abs() < 0.1 * expected.max(1.0));
        }
        assert_eq!((draw.binomial(9, 0.0), draw.binomial(9, 1.0)), (0, 9));
    }
}
