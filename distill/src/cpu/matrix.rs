//! Matrix products over strided views, and the row-wise functions that a transformer needs.

/// A read-only strided matrix.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// A dense row-major matrix.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        View::strided(data, rows, columns, columns)
    }

    /// A row-major matrix whose rows lie `row_stride` apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        View {
            data,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// The transposed matrix, over the same memory.
    pub(crate) fn t(self) -> Self {
        View {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn last(&self) -> usize {
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride
    }
}

/// What a product does to the memory it is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Overwrite,
    Add,
}

/// `out = scale * a b`, or `out += scale * a b`; the rows of `out` lie `row_stride` apart.
pub(crate) fn product(
    out: &mut [f32],
    row_stride: usize,
    write: Write,
    scale: f32,
    a: View<'_>,
    b: View<'_>,
) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    assert_eq!(k, b.rows, "inner dimensions agree");
    assert!(
        a.last() < a.data.len() && b.last() < b.data.len(),
        "operands lie within their memory"
    );
    assert!(
        (m - 1) * row_stride + n - 1 < out.len() && row_stride >= n,
        "the result fits"
    );
    // SAFETY: the assertions above bound every element that the kernel reads or writes, and `out` is borrowed mutably, so
    // it overlaps neither operand. Strides are at most the slices' lengths, which fit in isize.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            row_stride as isize,
            write == Write::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Independent partial results, so that the compiler can keep them in one vector register.
const LANES: usize = 8;

fn fold(xs: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let chunks = xs.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, x);
        }
    }
    lanes
        .into_iter()
        .chain(rest.iter().copied())
        .fold(start, step)
}

/// The sum of a slice.
pub(crate) fn sum(xs: &[f32]) -> f32 {
    fold(xs, 0.0, |a, b| a + b)
}

/// The largest element, minus infinity for none.
pub(crate) fn max(xs: &[f32]) -> f32 {
    fold(xs, f32::NEG_INFINITY, |a, b| if a > b { a } else { b })
}

/// The inner product of two slices of one length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = left
        .remainder()
        .iter()
        .zip(right.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in left.zip(right) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// `e^x` to within two units in the last place for |x| < 87, in operations that vectorise without special instructions.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let f = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * f + 1.398_199_9e-3;
    let p = p * f + 8.333_452e-3;
    let p = p * f + 4.166_579_6e-2;
    let p = p * f + 0.166_666_65;
    let p = p * f + 0.5;
    let p = p * f * f + f + 1.0;
    p * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

/// Replaces a row by its softmax.
pub(crate) fn softmax(row: &mut [f32]) {
    let top = max(row);
    for x in row.iter_mut() {
        *x = exp(*x - top);
    }
    let scale = 1.0 / sum(row);
    for x in row.iter_mut() {
        *x *= scale;
    }
}

/// `ln sum e^x` of a row.
pub(crate) fn log_sum_exp(row: &[f32]) -> f32 {
    let top = max(row);
    let mut total = [0.0; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|&x| exp(x - top)).sum();
    for chunk in chunks {
        for (lane, &x) in total.iter_mut().zip(chunk) {
            *lane += exp(x - top);
        }
    }
    (total.iter().sum::<f32>() + rest).ln() + top
}
