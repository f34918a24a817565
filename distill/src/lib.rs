//! Teach a small model to imitate a large one.
//!
//! [`teacher`] trains the small teacher that is [`bundled`]; [`init`] cuts students out of a teacher, [`trainer`] distils into
//! them, [`gate`] decides what is published, and [`worker`] does all of that on a thread beside a server.

pub mod bundled;
pub mod cpu;
pub mod evaluation;
pub mod gate;
pub mod init;
pub mod lanes;
pub mod loss;
pub mod network;
pub mod sample;
pub mod shard;
pub mod source;
pub mod stream;
pub mod teacher;
pub mod trainer;
pub mod vocabulary;
pub mod worker;

pub use worker::{DistillEvent, Worker, WorkerConfig, spawn};
