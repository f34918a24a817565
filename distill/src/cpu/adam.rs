//! AdamW over one flat vector of parameters.

use super::{layout::Layout, matrix::dot};

/// The optimiser's constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdamSettings {
    /// Decay of the first moment.
    pub(crate) beta1: f32,
    /// Decay of the second moment; 0.99 follows a small batch's gradient faster than the usual 0.999.
    pub(crate) beta2: f32,
    /// Added to the root of the second moment.
    pub(crate) epsilon: f32,
    /// Decoupled decay of matrices; norms are not decayed.
    pub(crate) weight_decay: f32,
    /// Upper bound of the gradient's Euclidean norm.
    pub(crate) clip: f32,
}

impl Default for AdamSettings {
    fn default() -> Self {
        AdamSettings {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.05,
            clip: 1.0,
        }
    }
}

/// The moments of all parameters.
pub(crate) struct Adam {
    settings: AdamSettings,
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
    decayed: Vec<std::ops::Range<usize>>,
}

impl Adam {
    /// Fresh moments for a layout.
    pub(crate) fn new(settings: AdamSettings, layout: &Layout) -> Adam {
        let matrices = layout.slots.iter().filter(|slot| slot.dims.len() > 1);
        Adam::decaying(
            settings,
            layout.len(),
            matrices.map(|slot| slot.range.clone()).collect(),
        )
    }

    /// Fresh moments of `count` parameters, of which only those in `decayed` decay.
    pub(super) fn decaying(
        settings: AdamSettings,
        count: usize,
        decayed: Vec<std::ops::Range<usize>>,
    ) -> Adam {
        Adam {
            settings,
            first: vec![0.0; count],
            second: vec![0.0; count],
            steps: 0,
            decayed,
        }
    }

    /// One update; returns the gradient's norm before clipping.
    pub(crate) fn step(&mut self, parameters: &mut [f32], gradients: &[f32], rate: f32) -> f32 {
        let AdamSettings {
            beta1,
            beta2,
            epsilon,
            weight_decay,
            clip,
        } = self.settings;
        self.steps += 1;
        let norm = dot(gradients, gradients).sqrt();
        let shrink = if norm > clip { clip / norm } else { 1.0 };
        for range in &self.decayed {
            for parameter in &mut parameters[range.clone()] {
                *parameter -= rate * weight_decay * *parameter;
            }
        }
        let first_scale = 1.0 / (1.0 - beta1.powi(self.steps));
        let second_scale = 1.0 / (1.0 - beta2.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for (((first, second), parameter), &gradient) in moments.zip(parameters).zip(gradients) {
            let gradient = gradient * shrink;
            *first = beta1 * *first + (1.0 - beta1) * gradient;
            *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
            *parameter -= rate * *first * first_scale / ((*second * second_scale).sqrt() + epsilon);
        }
        norm
    }
}
