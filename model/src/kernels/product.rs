//! Products of any two matrices, for training: the second is packed into panels on the way.

use std::cell::RefCell;

use super::{
    aligned::Aligned,
    parallel::{Shared, over},
    tile::{self, COLUMNS, Left, Panel, Target},
};

/// Rows of the second matrix that are packed at once: a panel of them, and what the first matrix multiplies it with, fit
/// the second cache.
const DEPTH: usize = 512;

/// Rows that are packed at once where neighbours in a row are far apart.
const SHARE: usize = 16;

/// A matrix inside a slice that starts at its first value; neighbours in a column are `row` apart, in a row `column`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

thread_local! {
    static PACKED: RefCell<Aligned<f32>> = RefCell::new(Aligned::zeros(DEPTH * COLUMNS));
}

impl<'a> Matrix<'a> {
    /// Rows of that many columns inside rows that lie `stride` apart.
    pub(crate) fn new(data: &'a [f32], [rows, columns]: [usize; 2], stride: usize) -> Self {
        Self {
            data,
            rows,
            columns,
            row: stride,
            column: 1,
        }
    }

    pub(crate) fn transpose(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row: self.column,
            column: self.row,
            ..self
        }
    }

    /// Some of the rows of 32 columns from `column` on, one after the other, zeros where there are no more columns.
    fn pack(&self, rows: std::ops::Range<usize>, column: usize, out: &mut [f32]) {
        let columns = COLUMNS.min(self.columns - column);
        if columns < COLUMNS {
            out.fill(0.0);
        }
        if self.column == 1 && columns == COLUMNS {
            for (row, out) in rows.zip(out.as_chunks_mut::<COLUMNS>().0) {
                if let Some((from, _)) = self.data[row * self.row..][column..].split_first_chunk() {
                    *out = *from;
                }
            }
        } else {
            // A few rows of all columns before the next ones: what is written stays in the nearest cache meanwhile.
            for first in rows.clone().step_by(SHARE) {
                let share = first..rows.end.min(first + SHARE);
                let out = &mut out[(first - rows.start) * COLUMNS..];
                for at in 0..columns {
                    let start = share.start * self.row + (column + at) * self.column;
                    let from = self.data[start..].iter().step_by(self.row);
                    let places = out[at..].iter_mut().step_by(COLUMNS).take(share.len());
                    places.zip(from).for_each(|(place, value)| *place = *value);
                }
            }
        }
    }
}

/// `out = a b` with rows of `out` one after the other, divided among the threads of the pool.
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) {
    assert_eq!(
        a.columns, b.rows,
        "a column of one for each row of the other"
    );
    assert_eq!(
        out.len(),
        a.rows * b.columns,
        "a result for every row and column"
    );
    let cost = a.rows * a.columns * b.columns;
    let out = Shared::new(out);
    over(b.columns.div_ceil(COLUMNS), cost, |panels| {
        // SAFETY: `out` was checked, and only this thread has these panels.
        unsafe { multiply(a, b, panels, (out.at(0), b.columns), false) };
    });
}

/// `out = a b` or, with `add`, `out += a b`, on the caller's thread; rows of `out` lie `stride` apart.
pub(crate) fn product_into(
    a: Matrix<'_>,
    b: Matrix<'_>,
    (out, stride): (&mut [f32], usize),
    add: bool,
) {
    assert_eq!(
        a.columns, b.rows,
        "a column of one for each row of the other"
    );
    assert!(a.rows == 0 || (a.rows - 1) * stride + b.columns <= out.len());
    let panels = 0..b.columns.div_ceil(COLUMNS);
    // SAFETY: the assertion bounds the rows and columns of `out`, which is borrowed mutably.
    unsafe { multiply(a, b, panels, (out.as_mut_ptr(), stride), add) };
}

/// Some panels of 32 columns of the product.
///
/// # Safety
/// `out` must be valid for `[a.rows, b.columns]` with rows `stride` apart, and nobody else may use these columns meanwhile.
pub(crate) unsafe fn multiply(
    a: Matrix<'_>,
    b: Matrix<'_>,
    panels: std::ops::Range<usize>,
    (out, stride): (*mut f32, usize),
    add: bool,
) {
    let left = Left {
        data: a.data,
        rows: a.rows,
        stride: a.row,
        step: a.column,
    };
    PACKED.with_borrow_mut(|packed| {
        for column in panels.map(|panel| panel * COLUMNS) {
            let target = Target {
                // SAFETY: the column is one of `b`.
                start: unsafe { out.add(column) },
                stride,
                columns: COLUMNS.min(b.columns - column),
            };
            for first in (0..b.rows).step_by(DEPTH) {
                let rows = first..b.rows.min(first + DEPTH);
                let depth = rows.len();
                let packed = &mut packed[..depth * COLUMNS];
                b.pack(rows, column, packed);
                let panel = Panel {
                    data: packed,
                    stride: COLUMNS,
                };
                // SAFETY: the caller's promise.
                unsafe { tile::multiply(left.skip(first), panel, depth, target, add || first > 0) };
            }
        }
    });
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

    proptest! {
        #[test]
        fn a_product_is_that_of_the_definition(
            m in 1usize..30, n in 1usize..80, k in prop_oneof![1usize..40, 500usize..1100], a_turned: bool, b_turned: bool,
        ) {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let view = |data, rows, columns, turned| match turned {
                false => Matrix::new(data, [rows, columns], columns),
                true => Matrix::new(data, [columns, rows], rows).transpose(),
            };
            let (a, b) = (view(&a, m, k, a_turned), view(&b, k, n, b_turned));
            let mut out = vec![f32::NAN; m * n];
            product(a, b, &mut out);
            let mut twice = out.clone();
            product_into(a, b, (&mut twice, n), true);
            for i in 0..m {
                for j in 0..n {
                    let exact: f64 = (0..k)
                        .map(|t| {
                            let (a, b) = (a.data[i * a.row + t * a.column], b.data[t * b.row + j * b.column]);
                            f64::from(a) * f64::from(b)
                        })
                        .sum();
                    prop_assert!((exact - f64::from(out[i * n + j])).abs() < 1e-2);
                    prop_assert!((2.0 * exact - f64::from(twice[i * n + j])).abs() < 2e-2);
                }
            }
        }
    }
}
