//! Teach a small model to imitate a large one.
//!
//! [`teacher`] trains the small teacher that is [`bundled`]; [`init`] cuts students out of a teacher, [`trainer`] distils into
//! them, [`gate`] decides what is published, and [`worker`] does all of that on a thread beside a server.

pub mod bundled;
mod cpu;
pub mod evaluation;
pub mod gate;
pub mod init;
mod lanes;
mod loss;
mod network;
mod sample;
pub mod shard;
pub mod source;
pub mod stream;
pub mod teacher;
pub mod trainer;
pub mod vocabulary;
pub mod worker;

pub use cpu::LayoutError;
pub use network::NetworkError;
pub use worker::{DistillEvent, Worker, WorkerConfig, spawn};

#[cfg(test)]
mod tests;
