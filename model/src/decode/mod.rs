//! Run sequences through a model piece by piece, with what was computed for earlier tokens kept.

pub(crate) mod cpu;
#[cfg(test)]
pub(crate) mod scripted;

use std::sync::{Arc, Mutex};

use burn_flex::{Flex, FlexDevice};
use thiserror::Error;

use crate::backend::ModelBackend;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::config::Config;
use crate::device::{Device, DeviceChoice, DeviceError};
use crate::kernels::packed::WeightFormat;
use crate::tensors::{Tensors, TensorsError};
use crate::transformer::{Transformer, cached::BurnDecoder};

/// Why a checkpoint could not be put to work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The device does not work.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The checkpoint's files are not what its manifest says.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The weights do not fit the configuration.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// The card's memory does not hold the model. What is served already is served on.
    #[error("cuda:{index} is out of memory ({message}); use a smaller model, or another card")]
    OutOfMemory {
        /// Index of the card.
        index: usize,
        /// What the driver said.
        message: String,
    },
    /// Narrow weights on a device that has no kernels for them.
    #[error(
        "{format} weights are for the CPU's own kernels; use --weights f32 on flex and on a CUDA card"
    )]
    WeightFormat {
        /// What was asked for.
        format: WeightFormat,
    },
    /// The engine's thread has ended.
    #[error("the engine has stopped")]
    Stopped,
    /// The operating system did not give a thread.
    #[error("no thread for the engine: {0}")]
    Thread(#[source] std::io::Error),
}

#[cfg(feature = "cuda")]
impl LoadError {
    /// What a panic while a model was put on a card means.
    fn of_panic(index: usize, panic: &(dyn std::any::Any + Send)) -> Self {
        let message = crate::engine::panic_message(panic);
        if crate::engine::is_out_of_memory(&message) {
            return Self::OutOfMemory { index, message };
        }
        Self::Device(DeviceError::Unusable {
            index,
            reason: message,
        })
    }
}

/// A piece of one sequence: the next tokens of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// Which sequence.
    pub slot: usize,
    /// Tokens that follow what the slot holds.
    pub tokens: &'a [u32],
    /// Index into `tokens` from which on logits are wanted; `tokens.len()` for none.
    pub from: usize,
}

/// A model with a fixed number of slots, each holding the state of one sequence.
///
/// A trait because there are two kinds: real models, and a scripted one that panics or stalls on cue in tests.
pub(crate) trait Decoder: Send {
    /// Number of token ids.
    fn vocab(&self) -> usize;

    /// The longest sequence that a slot holds, in tokens.
    fn max_context(&self) -> usize;

    /// Bytes of weights that a step reads, whatever the batch.
    fn weight_bytes(&self) -> usize;

    /// Forgets what a slot holds.
    fn clear(&mut self, slot: usize) {
        self.share(slot, slot, 0);
    }

    /// Lets a slot hold the first `tokens` of what another one holds, or the same one.
    fn share(&mut self, from: usize, to: usize, tokens: usize);

    /// Runs pieces of distinct slots and writes the wanted logits, `[wanted rows, vocab]`, piece after piece.
    fn forward(&mut self, pieces: &[Piece<'_>], logits: &mut Vec<f32>);
}

/// A checkpoint's weights on its device, ready to make decoders of.
#[derive(Clone)]
pub(crate) enum Weights {
    Cpu(Arc<cpu::CpuWeights>),
    Flex(Arc<Mutex<OnBurn<Flex>>>),
    #[cfg(feature = "cuda")]
    Cuda(Arc<Mutex<OnBurn<burn_cuda::Cuda>>>),
}

/// A model on a device of burn's. Cloning it shares the weights.
#[derive(Clone)]
pub(crate) struct OnBurn<B: ModelBackend> {
    model: Transformer<B>,
    device: B::Device,
}

impl<B: ModelBackend> OnBurn<B> {
    fn decoder(shared: &Mutex<Self>, slots: usize, max_context: usize) -> Box<dyn Decoder> {
        let Self { model, device } = shared
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone();
        let max_context = max_context.min(model.config().max_position_embeddings);
        Box::new(BurnDecoder::new(model, device, slots, max_context))
    }
}

impl Weights {
    pub(crate) fn load(
        checkpoint: &Checkpoint,
        device: DeviceChoice,
        format: WeightFormat,
    ) -> Result<Self, LoadError> {
        Self::new(&checkpoint.config, &checkpoint.tensors()?, device, format)
    }

    pub(crate) fn new(
        config: &Config,
        tensors: &Tensors,
        device: DeviceChoice,
        format: WeightFormat,
    ) -> Result<Self, LoadError> {
        match device.resolve()? {
            Device::Cpu => {
                let weights = cpu::CpuWeights::new(config, tensors, format)?;
                Ok(Self::Cpu(Arc::new(weights)))
            }
            _ if format != WeightFormat::F32 => Err(LoadError::WeightFormat { format }),
            Device::Flex => {
                let device = FlexDevice;
                let model = Transformer::from_tensors(config, tensors, &device)?;
                Ok(Self::Flex(Arc::new(Mutex::new(OnBurn { model, device }))))
            }
            #[cfg(feature = "cuda")]
            Device::Cuda(index) => {
                let device = burn_cuda::CudaDevice { index };
                // The runtime below burn reports exhausted memory by a panic.
                let load = || crate::Transformer::from_tensors(config, tensors, &device);
                let model = std::panic::catch_unwind(std::panic::AssertUnwindSafe(load))
                    .map_err(|panic| LoadError::of_panic(index, panic.as_ref()))??;
                Ok(Self::Cuda(Arc::new(Mutex::new(OnBurn { model, device }))))
            }
        }
    }

    /// A decoder with that many slots, each as long as asked for or as the model allows.
    pub(crate) fn decoder(&self, slots: usize, max_context: usize) -> Box<dyn Decoder> {
        match self {
            Self::Cpu(weights) => {
                let max_context = max_context.min(weights.config().max_position_embeddings);
                Box::new(cpu::CpuDecoder::new(weights.clone(), slots, max_context))
            }
            Self::Flex(shared) => OnBurn::decoder(shared, slots, max_context),
            #[cfg(feature = "cuda")]
            Self::Cuda(shared) => OnBurn::decoder(shared, slots, max_context),
        }
    }
}

#[cfg(test)]
mod tests;
