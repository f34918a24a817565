//! Tables of the rotary position embedding.

/// Cosines and sines of every position's angles, on the host.
///
/// Angle `i` of position `p` is `p * theta^(-2 i / head_dim)`, for `i` in `0..head_dim / 2`.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeTable {
    head_dim: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// The table for positions `0..positions`.
    pub fn new(head_dim: usize, theta: f32, positions: usize) -> Self {
        let half = head_dim / 2;
        let angles = (0..positions).flat_map(|position| {
            (0..half).map(move |i| {
                let exponent = -2.0 * i as f64 / head_dim as f64;
                position as f64 * f64::from(theta).powf(exponent)
            })
        });
        let (sin, cos) = angles
            .map(|angle| (angle.sin() as f32, angle.cos() as f32))
            .unzip();
        Self { head_dim, cos, sin }
    }

    /// Width of the heads that the table rotates.
    pub fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// Number of positions in the table.
    pub fn positions(&self) -> usize {
        self.cos.len() / (self.head_dim / 2)
    }

    /// Cosines and sines of one position, `head_dim / 2` each.
    pub fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let half = self.head_dim / 2;
        let range = position * half..(position + 1) * half;
        (&self.cos[range.clone()], &self.sin[range])
    }

    /// Cosines and sines of positions `0..time` laid out as `[time, heads, head_dim]`, both halves alike.
    pub(crate) fn expanded(&self, time: usize, heads: usize) -> (Vec<f32>, Vec<f32>) {
        let repeat = |table: &[f32]| {
            table[..time * self.head_dim / 2]
                .chunks_exact(self.head_dim / 2)
                .flat_map(|row| std::iter::repeat_n(row, 2 * heads).flatten().copied())
                .collect()
        };
        (repeat(&self.cos), repeat(&self.sin))
    }
}
