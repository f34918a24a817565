//! The rotary embedding on rows of heads.

use super::wide;
use crate::transformer::rope::RopeTable;

/// Rotates each row of `x` (`width` values, whole heads) by its position: row `i` is at `first + i % period`.
pub(crate) fn rotate(x: &mut [f32], width: usize, table: &RopeTable, first: usize, period: usize) {
    for (row, x) in x.chunks_exact_mut(width).enumerate() {
        let (cos, sin) = table.at(first + row % period);
        turn(x, cos, sin, 1.0);
    }
}

/// The inverse of [`rotate`], which is also its gradient: a rotation's transpose.
pub(crate) fn rotate_back(x: &mut [f32], width: usize, table: &RopeTable, period: usize) {
    for (row, x) in x.chunks_exact_mut(width).enumerate() {
        let (cos, sin) = table.at(row % period);
        turn(x, cos, sin, -1.0);
    }
}

wide! {
    fn turn(x: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
        let half = cos.len();
        for head in x.chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            for i in 0..half {
                let (a, b, s) = (low[i], high[i], sin[i] * sign);
                low[i] = a * cos[i] - b * s;
                high[i] = b * cos[i] + a * s;
            }
        }
    }
}
