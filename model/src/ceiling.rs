//! Measure what the processor can do at most: multiply-adds from registers, and bytes read from memory.
//!
//! A model's speed is told as a share of these: prefill and training of the first, decode of the second.

use std::{hint::black_box, time::Instant};

use serde::Serialize;

use crate::kernels::{aligned::Aligned, lanes, wide};

/// Bytes that are read: many times what a processor's caches hold.
const BYTES: usize = 512 << 20;
/// Rounds of which the best counts: whatever disturbs a round only makes it slower.
const ROUNDS: usize = 5;

/// What the threads of the pool reach together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// Floating-point operations per second in f32, a multiply-add counting as two.
    pub flops: f64,
    /// Bytes per second read from memory.
    pub bandwidth: f64,
    /// Threads of the pool.
    pub threads: usize,
}

impl Ceiling {
    /// Measures for about a second.
    pub fn measure() -> Self {
        Self {
            flops: flops(),
            bandwidth: bandwidth(),
            threads: rayon::current_num_threads(),
        }
    }
}

fn best(mut round: impl FnMut() -> f64) -> f64 {
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}

fn flops() -> f64 {
    const STEPS: usize = 4 << 20;
    best(|| {
        let start = Instant::now();
        let per_step: Vec<usize> = rayon::broadcast(|_| {
            let mut sink = [0.0];
            black_box(multiply_add(black_box(1.0), STEPS, &mut sink))
        });
        let steps: usize = per_step.iter().sum();
        2.0 * (STEPS * steps) as f64 / start.elapsed().as_secs_f64()
    })
}

fn bandwidth() -> f64 {
    let memory = Aligned::<f32>::zeros(BYTES / size_of::<f32>());
    best(|| {
        let start = Instant::now();
        rayon::broadcast(|thread| {
            let share = memory.len() / thread.num_threads();
            let mut sink = [0.0];
            add_up(&memory[thread.index() * share..][..share], &mut sink);
            black_box(sink);
        });
        BYTES as f64 / start.elapsed().as_secs_f64()
    })
}

wide! {
    fn add_up(values: &[f32], sink: &mut [f32]) {
        // Eight sums at once, so that no addition waits for the one before it.
        let parts: [f32; 8] = std::array::from_fn(|part| {
            let share = values.len() / 8;
            lanes::sum(&values[part * share..][..share])
        });
        sink[0] = parts.iter().sum();
    }
}

/// Multiply-adds on independent registers, `steps` times; how many in one step.
fn multiply_add(value: f32, steps: usize, sink: &mut [f32; 1]) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was just detected.
            unsafe { x86::avx512(value, steps, sink) };
            return 16 * x86::CHAINS;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the features were just detected.
            unsafe { x86::avx2(value, steps, sink) };
            return 8 * x86::CHAINS;
        }
    }
    const LANES: usize = 32;
    let mut sums = [value; LANES];
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = match cfg!(target_arch = "aarch64") {
                true => sum.mul_add(value, value),
                false => *sum * value + value,
            };
        }
    }
    sink[0] = sums.iter().sum();
    LANES
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// More chains than the latency and the number of units need.
    pub(super) const CHAINS: usize = 12;

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(value: f32, steps: usize, sink: &mut [f32; 1]) {
        let factor = _mm512_set1_ps(value);
        let mut sums = [factor; CHAINS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, factor);
            }
        }
        sink[0] = sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum();
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(value: f32, steps: usize, sink: &mut [f32; 1]) {
        let factor = _mm256_set1_ps(value);
        let mut sums = [factor; CHAINS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, factor);
            }
        }
        let mut lanes = [0.0f32; 8];
        for sum in &sums {
            // SAFETY: `lanes` holds a whole vector.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), *sum) };
            sink[0] += lanes.iter().sum::<f32>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_are_those_of_a_computer() {
        let ceiling = Ceiling::measure();
        assert!(ceiling.flops > 1e8 && ceiling.flops < 1e14, "{ceiling:?}");
        assert!(
            ceiling.bandwidth > 1e8 && ceiling.bandwidth < 1e13,
            "{ceiling:?}"
        );
    }
}
