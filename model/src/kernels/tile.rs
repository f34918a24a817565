//! The innermost product: rows of one matrix with 32 columns of another.
//!
//! Every output is summed over the inputs in their order, one fused step each, whatever the number of rows and the
//! width of the processor's vectors: a row's result is the same bits alone, in a batch, in a prefill and in a decode
//! step. A processor without fused steps rounds twice, and differs.

/// Columns that are computed together.
pub(crate) const COLUMNS: usize = 32;

/// A matrix that is read one value at a time: `rows` rows `stride` apart, whose values lie `step` apart.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) stride: usize,
    pub(crate) step: usize,
}

/// Rows of 32 neighbouring values, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

/// Where results go: rows `stride` apart, of which the first `columns` are wanted, at most 32.
///
/// A pointer, because threads write to different columns of the same rows.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) start: *mut f32,
    pub(crate) stride: usize,
    pub(crate) columns: usize,
}

impl<'a> Left<'a> {
    /// Rows that lie one after the other.
    pub(crate) fn rows(data: &'a [f32], width: usize) -> Self {
        Self {
            data,
            rows: data.len() / width,
            stride: width,
            step: 1,
        }
    }

    /// The part of every row that begins at that value.
    pub(crate) fn skip(self, values: usize) -> Self {
        Self {
            data: &self.data[values * self.step..],
            ..self
        }
    }
}

/// `out = a b` or, with `add`, `out += a b`, over the first `depth` values of `a`'s rows and as many rows of `b`.
///
/// # Safety
/// `out` must be valid for its columns of `a.rows` rows, and nobody else may use them meanwhile.
pub(crate) unsafe fn multiply(a: Left<'_>, b: Panel<'_>, depth: usize, out: Target, add: bool) {
    if a.rows == 0 {
        return;
    }
    let (deepest, columns) = (depth.max(1) - 1, out.columns);
    assert!((a.rows - 1) * a.stride + deepest * a.step < a.data.len() && columns <= COLUMNS);
    assert!(depth == 0 || deepest * b.stride + COLUMNS <= b.data.len());
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was just detected, and the assertions bound what is read.
            return unsafe { x86::avx512::multiply(a, b, depth, out, add) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: both features were just detected; as above.
            return unsafe { x86::avx2::multiply(a, b, depth, out, add) };
        }
    }
    // SAFETY: as the caller's.
    unsafe { portable(a, b, depth, out, add) };
}

/// # Safety
/// As [`multiply`].
unsafe fn portable(a: Left<'_>, b: Panel<'_>, depth: usize, out: Target, add: bool) {
    for row in 0..a.rows {
        // SAFETY: the caller's promise.
        let out =
            unsafe { std::slice::from_raw_parts_mut(out.start.add(row * out.stride), out.columns) };
        let mut sums = [0.0f32; COLUMNS];
        if add {
            sums[..out.len()].copy_from_slice(out);
        }
        for k in 0..depth {
            let x = a.data[row * a.stride + k * a.step];
            let weights = &b.data[k * b.stride..][..COLUMNS];
            for (sum, weight) in sums.iter_mut().zip(weights) {
                // Without the instruction a fused step is a slow call.
                *sum = match cfg!(target_arch = "aarch64") {
                    true => x.mul_add(*weight, *sum),
                    false => x * weight + *sum,
                };
            }
        }
        out.copy_from_slice(&sums[..out.len()]);
    }
}

/// The same product with vectors of eight and of sixteen: each lane is one output, so both give the same bits.
#[cfg(target_arch = "x86_64")]
mod x86 {
    /// Defines a product: the feature, the vector's type and width, its instructions, and the rows of one pass, at
    /// most as many as leave registers for the weights and the broadcast value.
    macro_rules! tiles {
        (
            $module:ident, $feature:literal, $vector:ty, $lanes:literal,
            $zero:ident, $load:ident, $splat:ident, $fused:ident, $store:ident, [$most:literal $($rows:literal)*]
        ) => {
            pub(super) mod $module {
                use std::arch::x86_64::*;

                use super::super::{COLUMNS, Left, Panel, Target};

                const VECTORS: usize = COLUMNS / $lanes;

                /// # Safety
                /// The processor has the feature, and every operand holds what the shapes say.
                #[target_feature(enable = $feature)]
                pub(crate) unsafe fn multiply(a: Left<'_>, b: Panel<'_>, depth: usize, out: Target, add: bool) {
                    let mut first = 0;
                    // Blocks of nearly the same size: a last block of one row would waste a pass over the weights.
                    for left in (1..=a.rows.div_ceil($most)).rev() {
                        let rows = (a.rows - first).div_ceil(left);
                        // SAFETY: the caller's promise holds of every row.
                        unsafe {
                            let x = a.data.as_ptr().add(first * a.stride);
                            let out = Target {
                                start: out.start.add(first * out.stride),
                                ..out
                            };
                            match rows {
                                $most => tile::<$most>((x, a.stride, a.step), b, depth, out, add),
                                $($rows => tile::<$rows>((x, a.stride, a.step), b, depth, out, add),)*
                                _ => {}
                            }
                        }
                        first += rows;
                    }
                }

                #[target_feature(enable = $feature)]
                unsafe fn tile<const R: usize>(
                    (x, stride, step): (*const f32, usize, usize),
                    b: Panel<'_>,
                    depth: usize,
                    out: Target,
                    add: bool,
                ) {
                    // Every loop over rows and vectors has a constant length and no check in it, so that it is unrolled
                    // and every sum stays in a register of its own.
                    let mut sums: [[$vector; VECTORS]; R] = [[$zero(); VECTORS]; R];
                    let mut values = [0.0f32; COLUMNS];
                    let whole = out.columns == COLUMNS;
                    // SAFETY: the caller bounded rows, depth and columns.
                    unsafe {
                        if add {
                            for row in 0..R {
                                let mut from = out.start.cast_const().wrapping_add(out.stride.wrapping_mul(row));
                                if !whole {
                                    from.copy_to_nonoverlapping(values.as_mut_ptr(), out.columns);
                                    from = values.as_ptr();
                                }
                                for v in 0..VECTORS {
                                    sums[row][v] = $load(from.wrapping_add(v * $lanes));
                                }
                            }
                        }
                        let (mut x, mut weights) = (x, b.data.as_ptr());
                        for _ in 0..depth {
                            let mut vectors = [$zero(); VECTORS];
                            for v in 0..VECTORS {
                                vectors[v] = $load(weights.wrapping_add(v * $lanes));
                            }
                            for row in 0..R {
                                let x = $splat(*x.wrapping_add(stride.wrapping_mul(row)));
                                for v in 0..VECTORS {
                                    sums[row][v] = $fused(x, vectors[v], sums[row][v]);
                                }
                            }
                            x = x.wrapping_add(step);
                            weights = weights.wrapping_add(b.stride);
                        }
                        for row in 0..R {
                            let to = out.start.wrapping_add(out.stride.wrapping_mul(row));
                            let target = if whole { to } else { values.as_mut_ptr() };
                            for v in 0..VECTORS {
                                $store(target.wrapping_add(v * $lanes), sums[row][v]);
                            }
                            if !whole {
                                values.as_ptr().copy_to_nonoverlapping(to, out.columns);
                            }
                        }
                    }
                }
            }
        };
    }

    tiles!(
        avx512, "avx512f", __m512, 16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps,
        _mm512_storeu_ps, [12 1 2 3 4 5 6 7 8 9 10 11]
    );
    tiles!(
        avx2, "avx2,fma", __m256, 8, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps,
        _mm256_storeu_ps, [3 1 2]
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(count: usize, salt: usize) -> Vec<f32> {
        (0..count)
            .map(|i| (((i + salt) * 7919 % 1000) as f32 - 500.0) / 300.0)
            .collect()
    }

    fn product(
        a: Left<'_>,
        b: Panel<'_>,
        depth: usize,
        columns: usize,
        out: &mut [f32],
        add: bool,
    ) {
        assert_eq!(out.len(), a.rows * columns);
        let target = Target {
            start: out.as_mut_ptr(),
            stride: columns,
            columns,
        };
        // SAFETY: `out` has exactly the rows and columns.
        unsafe { multiply(a, b, depth, target, add) };
    }

    proptest! {
        #[test]
        fn a_row_has_the_same_bits_alone_among_others_and_in_two_parts(
            rows in 1usize..30, depth in 1usize..70, columns in 1usize..=32, cut in 0usize..70, transposed: bool,
        ) {
            let data = numbers(rows * depth, 3);
            let (stride, step) = if transposed { (1, rows) } else { (depth, 1) };
            let a = Left { data: &data, rows, stride, step };
            let weights = numbers(depth * COLUMNS, 11);
            let b = Panel { data: &weights, stride: COLUMNS };
            let mut all = vec![f32::NAN; rows * columns];
            product(a, b, depth, columns, &mut all, false);
            let cut = cut.min(depth - 1);
            let mut parts = vec![f32::NAN; rows * columns];
            product(a, b, cut, columns, &mut parts, false);
            let rest = Panel { data: &weights[cut * COLUMNS..], stride: COLUMNS };
            product(a.skip(cut), rest, depth - cut, columns, &mut parts, true);
            prop_assert_eq!(&all, &parts);
            for row in 0..rows {
                let one = Left { data: &data[row * stride..], rows: 1, stride, step };
                let mut alone = vec![f32::NAN; columns];
                product(one, b, depth, columns, &mut alone, false);
                prop_assert_eq!(&all[row * columns..][..columns], &alone);
                for column in 0..columns {
                    let exact: f64 = (0..depth)
                        .map(|k| f64::from(data[row * stride + k * step]) * f64::from(weights[k * COLUMNS + column]))
                        .sum();
                    prop_assert!((exact - f64::from(alone[column])).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_width_of_the_vectors_does_not_show() {
        if !(is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma")) {
            return;
        }
        let (rows, depth) = (17, 53);
        let (data, weights) = (numbers(rows * depth, 1), numbers(depth * COLUMNS, 2));
        let (a, b) = (
            Left::rows(&data, depth),
            Panel {
                data: &weights,
                stride: COLUMNS,
            },
        );
        let run = |wide: bool| {
            let mut out = vec![0.0f32; rows * COLUMNS];
            let target = Target {
                start: out.as_mut_ptr(),
                stride: COLUMNS,
                columns: COLUMNS,
            };
            // SAFETY: the features were just detected, and `out` has the rows and columns.
            unsafe {
                match wide {
                    true => x86::avx512::multiply(a, b, depth, target, false),
                    false => x86::avx2::multiply(a, b, depth, target, false),
                }
            }
            out
        };
        assert_eq!(run(true), run(false));
    }
}
