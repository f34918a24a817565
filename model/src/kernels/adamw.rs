//! One update of AdamW in one pass over memory.

use super::wide;

/// What an update depends on beside the numbers that it changes (Loshchilov and Hutter, 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// Decays of the two moments.
    pub betas: (f32, f32),
    /// `1 - beta^t` of each, `t` counting updates from one.
    pub corrections: (f32, f32),
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// What the weights are multiplied by.
    pub keep: f32,
    /// The rate of the step.
    pub rate: f32,
}

impl Update {
    /// One new weight and its new moments, in the order in which burn's own operations round.
    #[inline(always)]
    fn apply(self, weight: f32, gradient: f32, first: &mut f32, second: &mut f32) -> f32 {
        let (b1, b2) = self.betas;
        let (c1, c2) = self.corrections;
        *first = *first * b1 + gradient * (1.0 - b1);
        *second = *second * b2 + gradient * gradient * (1.0 - b2);
        weight * self.keep - *first / c1 / ((*second / c2).sqrt() + self.epsilon) * self.rate
    }
}

wide! {
    /// The weights from `from` to `to`, the moments where they are.
    pub(crate) fn step(update: Update, from: &[f32], gradient: &[f32], to: &mut [f32], first: &mut [f32], second: &mut [f32]) {
        let len = to.len();
        let (from, gradient) = (&from[..len], &gradient[..len]);
        let (first, second) = (&mut first[..len], &mut second[..len]);
        for i in 0..len {
            to[i] = update.apply(from[i], gradient[i], &mut first[i], &mut second[i]);
        }
    }
}

wide! {
    /// The same where the weights are changed in place.
    pub(crate) fn step_in_place(update: Update, weights: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let len = weights.len();
        let gradient = &gradient[..len];
        let (first, second) = (&mut first[..len], &mut second[..len]);
        for i in 0..len {
            weights[i] = update.apply(weights[i], gradient[i], &mut first[i], &mut second[i]);
        }
    }
}
