//! Keep a sparse matrix as rows in one flat array.

use alloc::vec::Vec;

use crate::fixed::Fixed;

/// Sparse rows: which columns a row has, in stored order, and their values. An absent column counts as 0, yet some
/// steps tell it from a value of 0.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// Where each row ends in `columns` and `values`; the first entry is 0.
    ends: Vec<usize>,
    columns: Vec<u16>,
    values: Vec<Fixed>,
}

impl Rows {
    /// No rows, with room for so many rows and entries.
    pub(crate) fn with_capacity(rows: usize, entries: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self {
            ends,
            columns: Vec::with_capacity(entries),
            values: Vec::with_capacity(entries),
        }
    }

    /// Appends an entry to the row that is being written.
    pub(crate) fn push(&mut self, column: u16, value: Fixed) {
        self.columns.push(column);
        self.values.push(value);
    }

    /// Ends the row that is being written and returns it.
    pub(crate) fn end_row(&mut self) -> (&mut [u16], &mut [Fixed]) {
        let start = self.start();
        self.ends.push(self.columns.len());
        (&mut self.columns[start..], &mut self.values[start..])
    }

    /// How many entries there are in all rows.
    pub(crate) fn entries(&self) -> usize {
        self.columns.len()
    }

    /// Columns and values of one row.
    pub(crate) fn row(&self, row: usize) -> (&[u16], &[Fixed]) {
        let range = self.ends[row]..self.ends[row + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// The entries of one row.
    pub(crate) fn iter(&self, row: usize) -> impl Iterator<Item = (u16, Fixed)> + '_ {
        let (columns, values) = self.row(row);
        columns.iter().copied().zip(values.iter().copied())
    }

    /// The entries of one row, to change their values.
    pub(crate) fn iter_mut(&mut self, row: usize) -> impl Iterator<Item = (u16, &mut Fixed)> + '_ {
        let range = self.ends[row]..self.ends[row + 1];
        let columns = self.columns[range.clone()].iter().copied();
        columns.zip(&mut self.values[range])
    }

    /// Replaces the values of one row after the other, in order, and drops the entries for which there is `None`.
    pub(crate) fn replace(&mut self, mut value: impl FnMut(usize, u16, Fixed) -> Option<Fixed>) {
        let mut kept = 0;
        let mut start = 0;
        for (row, end) in self.ends.iter_mut().skip(1).enumerate() {
            for entry in core::mem::replace(&mut start, *end)..*end {
                let column = self.columns[entry];
                if let Some(value) = value(row, column, self.values[entry]) {
                    self.columns[kept] = column;
                    self.values[kept] = value;
                    kept += 1;
                }
            }
            *end = kept;
        }
        self.columns.truncate(kept);
        self.values.truncate(kept);
    }

    /// Whether all rows have their columns in order.
    pub(crate) fn is_sorted(&self) -> bool {
        self.ends
            .windows(2)
            .all(|row| self.columns[row[0]..row[1]].is_sorted())
    }

    /// Brings the columns of each row in order.
    pub(crate) fn sort(&mut self) {
        let mut sorted = Vec::new();
        for row in self.ends.windows(2) {
            let columns = &mut self.columns[row[0]..row[1]];
            let values = &mut self.values[row[0]..row[1]];
            if columns.is_sorted() {
                continue;
            }
            sorted.clear();
            sorted.extend(columns.iter().copied().zip(values.iter().copied()));
            sorted.sort_by_key(|&(column, _)| column);
            for ((column, value), &entry) in columns.iter_mut().zip(values).zip(&sorted) {
                (*column, *value) = entry;
            }
        }
    }

    fn start(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}
