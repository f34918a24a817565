//! Draw normal and binomial numbers from a seeded stream.

use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A stream of random numbers.
pub(super) struct Draw {
    rng: ChaCha8Rng,
    spare: Option<f64>,
}

impl Draw {
    /// The stream that these words name.
    pub(super) fn of(words: [u64; 4]) -> Self {
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self {
            rng: ChaCha8Rng::from_seed(seed),
            spare: None,
        }
    }

    /// Uniform in (0, 1), ends excluded.
    pub(super) fn unit(&mut self) -> f64 {
        (f64::from(self.rng.next_u32()) + 0.5) / 4_294_967_296.0
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

#[cfg(test)]
mod tests {
    use super::*;

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
