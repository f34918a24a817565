//! Run the language models that the subnet trains and serves.
//!
//! A model is a directory: `config.json`, `model.safetensors`, `tokenizer.json` (all in Hugging Face's layout)
//! and `manifest.json`, whose blake3 hash is the model's name on chain ([`checkpoint`]).
//!
//! The numeric code is generic over [`backend::ModelBackend`]; everything that the rest of the workspace holds
//! (an engine's handle, a scorer, a checkpoint) carries no type parameter.

pub mod backend;
pub mod benchmark;
pub mod ceiling;
pub mod checkpoint;
pub mod config;
mod decode;
pub mod decoding;
mod device;
pub mod engine;
mod flex;
pub mod huggingface;
mod kernels;
mod optimiser;
pub mod rounding;
pub mod sampler;
pub mod scorer;
pub mod tensors;
pub mod text;
pub mod tokenizer;
pub mod transformer;

pub use backend::{ModelBackend, TrainBackend};
pub use checkpoint::{Checkpoint, Manifest, TrainingSummary};
pub use config::{Config, StopTokens};
pub use decoding::Decoding;
pub use device::{DeviceChoice, DeviceError, OnDevice, ParseDeviceError};
pub use kernels::adamw::Update;
pub use kernels::packed::{ParseWeightFormatError, WeightFormat};
pub use optimiser::AdamW;
pub use tensors::{HostTensor, Precision, Tensors};
pub use tokenizer::Tokenizer;
pub use transformer::{Transformer, sequences::Sequences};
