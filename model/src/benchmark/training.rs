//! The speed of a training step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use burn::optim::{GradientsParams, Optimizer, adaptor::OptimizerAdaptor};
use burn::tensor::{Int, Tensor, TensorData};
use thiserror::Error;

use super::{ids, median};
use crate::{
    backend::TrainBackend,
    config::Config,
    device::{DeviceChoice, DeviceError, OnDevice},
    optimiser::AdamW,
    tensors::{Tensors, TensorsError},
    transformer::Transformer,
};

/// Why a training step could not be measured.
#[derive(Debug, Error)]
pub(super) enum TrainingError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// Most likely that the memory does not hold weights, gradients and moments.
    #[error("{0}")]
    Panicked(String),
}

/// Tokens per second of steps over `[sequences, tokens]`: forward, next-token loss, backward and AdamW.
pub(super) fn rate(
    config: &Config,
    tensors: &Tensors,
    device: DeviceChoice,
    shape: [usize; 2],
) -> Result<f64, TrainingError> {
    let work = Steps {
        config,
        tensors,
        shape,
    };
    // A device that runs out of memory says so by a panic somewhere below burn.
    let steps = catch_unwind(AssertUnwindSafe(|| device.dispatch(work)));
    steps
        .map_err(|panic| TrainingError::Panicked(crate::engine::panic_message(panic.as_ref())))??
}

struct Steps<'a> {
    config: &'a Config,
    tensors: &'a Tensors,
    shape: [usize; 2],
}

impl OnDevice for Steps<'_> {
    type Output = Result<f64, TrainingError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let [sequences, tokens] = self.shape;
        let rows = sequences * tokens;
        let model = Transformer::<B>::from_tensors(self.config, self.tensors, &device)?;
        let mut model = Some(model);
        let mut adam: OptimizerAdaptor<AdamW, Transformer<B>, B> = AdamW {
            betas: (0.9, 0.99),
            epsilon: 1e-8,
            weight_decay: 0.05,
        }
        .into();
        let input: Vec<i32> = ids(self.config, rows)
            .into_iter()
            .map(|id| id as i32)
            .collect();
        let input = TensorData::new(input, [sequences, tokens]);
        let input = Tensor::<B, 2, Int>::from_data(input, &device);
        let target = input.clone().reshape([rows, 1]);
        let step = median(|| {
            let start = Instant::now();
            if let Some(decoder) = model.take() {
                let logits = decoder.logits(decoder.hidden(input.clone()));
                let loss = B::log_probabilities(logits).gather(1, target.clone());
                let loss = loss.mean().neg();
                let gradients = GradientsParams::from_grads(loss.backward(), &decoder);
                model = Some(adam.step(1e-4, decoder, gradients));
                // A device that computes in the background is done once the loss can be read.
                std::hint::black_box(loss.into_data());
            }
            start.elapsed()
        });
        Ok(rows as f64 / step.as_secs_f64())
    }
}
