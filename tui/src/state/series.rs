//! A measured quantity over the whole run, in bounded memory.

/// Points kept at most: as many as the widest pane draws.
const MAX_POINTS: usize = 256;

/// All values so far, the more of them averaged into one point the longer the series: the beginning of a run is what its
/// progress is measured by, so it is never dropped.
#[derive(Clone, Debug, Default)]
pub struct Series {
    points: Vec<f64>,
    /// Values per point, as a power of two.
    halvings: u32,
    /// Sum and number of the values that do not fill a point yet.
    open: (f64, u32),
    last: Option<f64>,
}

impl Series {
    /// Adds a value. One that is not finite is left out.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.last = Some(value);
        self.open = (self.open.0 + value, self.open.1 + 1);
        if self.open.1 < 1 << self.halvings {
            return;
        }
        self.points.push(self.open.0 / f64::from(self.open.1));
        self.open = (0.0, 0);
        if self.points.len() == MAX_POINTS && self.halvings < u32::BITS - 2 {
            self.points = self.resampled(MAX_POINTS / 2);
            self.halvings += 1;
        }
    }

    /// The newest value.
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// Number of points kept.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The whole series in at most `width` points, oldest first, each the mean of its share.
    pub fn resampled(&self, width: usize) -> Vec<f64> {
        let count = self.points.len();
        if count <= width {
            return self.points.clone();
        }
        let edge = |at: usize| at * count / width;
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        (0..width)
            .map(|at| mean(&self.points[edge(at)..edge(at + 1)]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn falling(count: u32) -> Series {
        let mut series = Series::default();
        (0..count).for_each(|n| series.push(f64::from(count - n)));
        series
    }

    #[test]
    fn a_long_series_keeps_its_beginning_its_end_and_its_bound() {
        for count in [1, 255, 256, 257, 5_000, 100_000] {
            let series = falling(count);
            let points = series.resampled(MAX_POINTS);
            assert!(points.len() <= MAX_POINTS && !points.is_empty());
            let resolution = f64::from(count) / points.len() as f64;
            assert!(
                f64::from(count) - points[0] <= resolution,
                "{count}: begins at {}",
                points[0]
            );
            assert!(points.is_sorted_by(|a, b| a > b), "{count}");
            assert_eq!(series.last(), Some(1.0));
        }
    }

    #[test]
    fn resampling_averages_and_never_leaves_a_gap() {
        let series = falling(10);
        assert_eq!(series.resampled(5), [9.5, 7.5, 5.5, 3.5, 1.5]);
        assert_eq!(series.resampled(3).len(), 3);
        assert_eq!(series.resampled(0), [0.0; 0]);
        assert_eq!(series.resampled(40).len(), 10);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let mut series = falling(2);
        series.push(f64::NAN);
        series.push(f64::INFINITY);
        assert_eq!((series.len(), series.last()), (2, Some(1.0)));
    }
}
