//! Run sequences through a model piece by piece, with what was computed for earlier tokens kept.

pub(crate) mod cpu;
#[cfg(test)]
pub(crate) mod scripted;

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::config::Config;
use crate::device::{Device, DeviceChoice, DeviceError};
use crate::tensors::TensorsError;

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
    /// The engine's thread has ended.
    #[error("the engine has stopped")]
    Stopped,
    /// The operating system did not give a thread.
    #[error("no thread for the engine: {0}")]
    Thread(#[source] std::io::Error),
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

    /// Forgets what a slot holds.
    fn clear(&mut self, slot: usize);

    /// Runs pieces of distinct slots and writes the wanted logits, `[wanted rows, vocab]`, piece after piece.
    fn forward(&mut self, pieces: &[Piece<'_>], logits: &mut Vec<f32>);
}

/// A checkpoint's weights on its device, ready to make decoders of.
#[derive(Clone)]
pub(crate) enum Weights {
    Cpu(std::sync::Arc<cpu::CpuWeights>),
}

impl Weights {
    pub(crate) fn load(checkpoint: &Checkpoint, device: DeviceChoice) -> Result<Self, LoadError> {
        let device = device.resolve()?;
        let tensors = checkpoint.tensors()?;
        match device {
            Device::Cpu => Ok(Self::Cpu(std::sync::Arc::new(cpu::CpuWeights::new(
                &checkpoint.config,
                &tensors,
            )?))),
            #[cfg(feature = "cuda")]
            Device::Cuda(_) => todo!(),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        match self {
            Self::Cpu(weights) => weights.config(),
        }
    }

    /// A decoder with that many slots, each as long as asked for or as the model allows.
    pub(crate) fn decoder(&self, slots: usize, max_context: usize) -> Box<dyn Decoder> {
        let max_context = max_context.min(self.config().max_position_embeddings);
        match self {
            Self::Cpu(weights) => {
                Box::new(cpu::CpuDecoder::new(weights.clone(), slots, max_context))
            }
        }
    }
}

#[cfg(test)]
mod tests;
