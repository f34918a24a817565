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

wide! {
    /// The weights from `from` to `to`, the moments where they are, in the order in which burn's own operations round.
    pub(crate) fn step(update: Update, from: &[f32], gradient: &[f32], to: &mut [f32], first: &mut [f32], second: &mut [f32]) {
        let Update { betas: (b1, b2), corrections: (c1, c2), epsilon, keep, rate } = update;
        let (f1, f2) = (1.0 - b1, 1.0 - b2);
        let len = to.len();
        let (from, gradient) = (&from[..len], &gradient[..len]);
        let (first, second) = (&mut first[..len], &mut second[..len]);
        for i in 0..len {
            let g = gradient[i];
            let m = first[i] * b1 + g * f1;
            let v = second[i] * b2 + g * g * f2;
            first[i] = m;
            second[i] = v;
            to[i] = from[i] * keep - m / c1 / ((v / c2).sqrt() + epsilon) * rate;
        }
    }
}

wide! {
    /// The same where the weights are changed in place.
    pub(crate) fn step_in_place(update: Update, weights: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let Update { betas: (b1, b2), corrections: (c1, c2), epsilon, keep, rate } = update;
        let (f1, f2) = (1.0 - b1, 1.0 - b2);
        let len = weights.len();
        let gradient = &gradient[..len];
        let (first, second) = (&mut first[..len], &mut second[..len]);
        for i in 0..len {
            let g = gradient[i];
            let m = first[i] * b1 + g * f1;
            let v = second[i] * b2 + g * g * f2;
            first[i] = m;
            second[i] = v;
            weights[i] = weights[i] * keep - m / c1 / ((v / c2).sqrt() + epsilon) * rate;
        }
    }
}
