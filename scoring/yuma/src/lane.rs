//! Look up two sparse rows by column at once.

use alloc::vec;
use alloc::vec::Vec;

use crate::fixed::Fixed;

/// Two dense rows, of new and old values, that remember which columns were set. Between uses all of it is 0.
pub(crate) struct Lane {
    new: Vec<Fixed>,
    old: Vec<Fixed>,
    /// One bit per column that was set.
    touched: Vec<u64>,
}

impl Lane {
    /// Rows of so many columns.
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            new: vec![Fixed::ZERO; columns],
            old: vec![Fixed::ZERO; columns],
            touched: vec![0; columns.div_ceil(64)],
        }
    }

    /// Sets the new value of a column.
    pub(crate) fn set_new(&mut self, column: u16, value: Fixed) {
        self.touch(column);
        self.new[usize::from(column)] = value;
    }

    /// Sets the old value of a column.
    pub(crate) fn set_old(&mut self, column: u16, value: Fixed) {
        self.touch(column);
        self.old[usize::from(column)] = value;
    }

    /// Hands out `(column, new, old)` of every column that was set, in order, and sets all back to 0.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(u16, Fixed, Fixed)) {
        for (word, touched) in self.touched.iter_mut().enumerate() {
            let mut bits = core::mem::take(touched);
            while bits != 0 {
                let column = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let new = core::mem::take(&mut self.new[column]);
                let old = core::mem::take(&mut self.old[column]);
                each(column as u16, new, old);
            }
        }
    }

    fn touch(&mut self, column: u16) {
        self.touched[usize::from(column) / 64] |= 1 << (column % 64);
    }
}
