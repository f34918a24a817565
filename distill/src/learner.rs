//! A decoder in training: weights and optimiser, and one update from one or more batches.

use athanor_model::{Tensors, TrainBackend, Transformer};
use burn::{
    module::AutodiffModule,
    optim::{GradientsAccumulator, GradientsParams},
    record::RecorderError,
    tensor::Tensor,
};

use crate::{
    batch::Batch,
    optimiser::{Optimiser, Rule},
};

/// A decoder in training.
pub(crate) struct Learner<B: TrainBackend> {
    model: Transformer<B>,
    optimiser: Optimiser<B>,
}

/// One batch with the layers that it runs through.
pub(crate) struct Part {
    /// What is run.
    pub(crate) batch: Batch,
    /// The layers, ascending; `None` for all of them.
    pub(crate) layers: Option<Vec<usize>>,
}

impl<B: TrainBackend> Learner<B> {
    /// Takes up a decoder, with fresh optimiser state; the norm of the gradient is bounded by `clip`.
    pub(crate) fn new(model: Transformer<B>, rule: Rule, clip: f32) -> Self {
        Self {
            optimiser: Optimiser::new(rule, model.config(), clip),
            model,
        }
    }

    /// The decoder, to be measured or to generate with.
    pub(crate) fn decoder(&self) -> Transformer<B::InnerBackend> {
        self.model.valid()
    }

    /// The decoder's weights on the host.
    pub(crate) fn tensors(&self) -> Tensors {
        self.decoder().to_tensors()
    }

    /// The optimiser's state, exactly.
    pub(crate) fn moments(&self) -> Result<Vec<u8>, RecorderError> {
        self.optimiser.to_bytes()
    }

    /// Goes on with an optimiser's state.
    pub(crate) fn resume(&mut self, moments: &[u8]) -> Result<(), RecorderError> {
        self.optimiser.load(moments, &self.model.device())
    }

    /// Adds up the gradients of the parts' losses and makes one update.
    ///
    /// `loss` gets a part's number and the logits at its rows, and returns what is to fall.
    pub(crate) fn update(
        &mut self,
        parts: &[Part],
        rate: f64,
        mut loss: impl FnMut(usize, Tensor<B, 2>) -> Tensor<B, 1>,
    ) {
        let mut sum = GradientsAccumulator::new();
        for (index, part) in parts.iter().enumerate() {
            let model = match &part.layers {
                Some(layers) => self.model.with_layers(layers),
                None => self.model.clone(),
            };
            let logits = part.batch.logits(&model);
            let gradients = loss(index, logits).backward();
            sum.accumulate(
                &self.model,
                GradientsParams::from_grads(gradients, &self.model),
            );
        }
        self.model = self.optimiser.step(self.model.clone(), sum.grads(), rate);
    }
}
