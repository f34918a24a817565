//! The decoder's arithmetic on slices of f32, one file per step.
//!
//! Each kernel computes a row in an order that does not depend on the other rows of the call, and comes in three
//! builds, for any processor, for one with AVX2 and FMA, and for one with AVX-512; which one runs is decided at run time.

use std::ops::Range;

use rayon::prelude::*;

use crate::transformer::sequences::Sequences;

pub(crate) mod adamw;
pub(crate) mod aligned;
pub(crate) mod attention;
pub(crate) mod cached;
pub(crate) mod lanes;
pub(crate) mod log_softmax;
pub(crate) mod norm;
pub(crate) mod packed;
pub(crate) mod parallel;
pub(crate) mod product;
pub(crate) mod rope;
pub(crate) mod swiglu;
pub(crate) mod tile;

/// Defines a kernel once for each kind of processor, and a function that picks one at run time.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $ty),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($arg: $ty),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $ty),*) {
                    body($($arg),*);
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $ty),*) {
                    body($($arg),*);
                }
                if is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                {
                    // SAFETY: the features were just detected; each of them brings avx512f.
                    return unsafe { avx512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: both features were just detected.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*);
        }
    };
}
pub(crate) use wide;

/// Below this much work, in nanoseconds, waking another thread costs more than it gains.
const WORTH_SPLITTING: usize = 100_000;

/// Runs `work` on all rows at once or, when there is enough to do, on a share of them in each thread of the pool.
///
/// Each of `outs` is divided evenly into that many rows; `cost` is an estimate of one row's nanoseconds. `work` gets
/// the range of rows and its part of every output.
pub(crate) fn over_rows<const N: usize>(
    rows: usize,
    cost: usize,
    outs: [&mut [f32]; N],
    work: impl Fn(Range<usize>, [&mut [f32]; N]) + Sync,
) {
    let threads = rayon::current_num_threads();
    if threads == 1 || rows < 2 || rows * cost < WORTH_SPLITTING {
        return work(0..rows, outs);
    }
    let share = rows.div_ceil(2 * threads);
    let widths = outs.each_ref().map(|out| out.len() / rows);
    let mut rest = outs;
    let mut parts = Vec::with_capacity(2 * threads);
    for first in (0..rows).step_by(share) {
        let taken = share.min(rows - first);
        let mut split = rest
            .into_iter()
            .zip(widths)
            .map(|(out, width)| out.split_at_mut(taken * width));
        let pairs: [(&mut [f32], &mut [f32]); N] =
            std::array::from_fn(|_| split.next().expect("one pair for each of the N outputs"));
        let mut tails = Vec::with_capacity(N);
        let heads = pairs.map(|(head, tail)| {
            tails.push(tail);
            head
        });
        let mut tails = tails.into_iter();
        rest = std::array::from_fn(|_| tails.next().expect("one tail for each of the N outputs"));
        parts.push((first..first + taken, heads));
    }
    parts
        .into_par_iter()
        .for_each(|(range, outs)| work(range, outs));
}

/// Runs `work` on every sequence, shared between the threads of the pool when there is enough to do.
///
/// Each of `outs` holds the sequences' parts one after the other, `sizes(tokens)` values for a sequence of that many
/// tokens; `cost` is an estimate of all the work in nanoseconds. `work` gets the sequence's rows and its parts.
pub(crate) fn over_sequences<const N: usize>(
    sequences: &Sequences,
    cost: usize,
    outs: [&mut [f32]; N],
    sizes: impl Fn(usize) -> [usize; N],
    work: impl Fn(Range<usize>, [&mut [f32]; N]) + Sync,
) {
    let mut rest = outs;
    let mut parts = Vec::with_capacity(sequences.count());
    for range in sequences.ranges() {
        let mut sizes = sizes(range.len()).into_iter();
        let mut heads = Vec::with_capacity(N);
        rest = rest.map(|out| {
            let (head, tail) = out.split_at_mut(sizes.next().unwrap_or_default());
            heads.push(head);
            tail
        });
        let mut heads = heads.into_iter();
        let heads: [&mut [f32]; N] =
            std::array::from_fn(|_| heads.next().expect("one part of each of the N outputs"));
        parts.push((range, heads));
    }
    if rayon::current_num_threads() == 1 || parts.len() < 2 || cost < WORTH_SPLITTING {
        return parts
            .into_iter()
            .for_each(|(range, outs)| work(range, outs));
    }
    parts
        .into_par_iter()
        .for_each(|(range, outs)| work(range, outs));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_worked_on_once_however_the_rows_are_shared() {
        for rows in [1, 2, 5, 64, 1001] {
            for cost in [1, 1_000_000] {
                let (mut a, mut b) = (vec![0.0; rows * 3], vec![0.0; rows]);
                over_rows(rows, cost, [&mut a, &mut b], |range, [a, b]| {
                    assert_eq!((a.len(), b.len()), (3 * range.len(), range.len()));
                    for (row, (a, b)) in range.zip(a.chunks_exact_mut(3).zip(b)) {
                        a.fill(row as f32);
                        *b += row as f32;
                    }
                });
                assert!(a.iter().enumerate().all(|(i, &a)| a == (i / 3) as f32));
                assert!(b.iter().enumerate().all(|(i, &b)| b == i as f32));
            }
        }
    }

    #[test]
    fn every_sequence_is_worked_on_once_with_its_own_parts() {
        let sequences = Sequences::new(vec![3, 1, 4, 0, 2]);
        for cost in [1, 1_000_000] {
            let (mut a, mut b) = (vec![0.0; 20], vec![0.0; 30]);
            let sizes = |tokens| [2 * tokens, tokens * tokens];
            over_sequences(
                &sequences,
                cost,
                [&mut a, &mut b],
                sizes,
                |range, [a, b]| {
                    assert_eq!([a.len(), b.len()], sizes(range.len()));
                    a.iter_mut().chain(b).for_each(|x| *x += range.end as f32);
                },
            );
            let expected = |sizes: [usize; 4]| -> Vec<f32> {
                let ends = [3.0, 4.0, 8.0, 10.0].into_iter().zip(sizes);
                ends.flat_map(|(end, size)| vec![end; size]).collect()
            };
            assert_eq!(a, expected([6, 2, 8, 4]));
            assert_eq!(b, expected([9, 1, 16, 4]));
        }
    }
}
