//! Teach a small model to imitate a large one.
//!
//! [`teacher`] trains the small teacher that is [`bundled`]; [`init`] cuts students out of a teacher, [`trainer`] distils into
//! them, [`gate`] decides what is published, and [`worker`] does all of that on a thread beside a server.
//!
//! All gradients are burn's, on the backend of the device that was chosen: the CPU, or a CUDA card.

mod batch;
pub mod bundled;
mod config;
pub mod endpoint;
pub mod evaluation;
pub mod gate;
pub mod init;
mod learner;
mod loss;
mod optimiser;
pub mod prune;
mod recorder;
pub mod resume;
mod sample;
pub mod schedule;
pub mod shard;
pub mod source;
pub mod stream;
pub mod teacher;
pub mod trainer;
pub mod vocabulary;
pub mod worker;

pub use worker::{DistillEvent, Worker, WorkerConfig, spawn};

#[cfg(test)]
mod tests;
