//! Tables of the rotary position embedding.

use crate::config::Config;

/// Cosines and sines of every position's angles, on the host.
///
/// Angle `i` of position `p` is `p` times frequency `i`, for `i` in `0..head_dim / 2`: `theta^(-2 i / head_dim)`, changed
/// as the configuration's scaling says. YaRN also multiplies cosines and sines by a factor.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeTable {
    head_dim: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// The table for all positions that the model was made for.
    pub fn new(config: &Config) -> Self {
        let theta = f64::from(config.rope_theta);
        let scaling = &config.variant.rope_scaling;
        let (frequencies, factor) = scaling.frequencies(config.head_dim, theta);
        let positions = 0..config.max_position_embeddings;
        let (sin, cos) = positions
            .flat_map(|position| frequencies.iter().map(move |f| position as f64 * f))
            .map(|angle| {
                let (sin, cos) = angle.sin_cos();
                ((sin * factor) as f32, (cos * factor) as f32)
            })
            .unzip();
        Self {
            head_dim: config.head_dim,
            cos,
            sin,
        }
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
