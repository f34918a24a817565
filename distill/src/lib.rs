//! Teach a small model to imitate a large one.

pub mod cpu;
pub mod evaluation;
pub mod init;
pub mod lanes;
pub mod loss;
pub mod network;
pub mod sample;
pub mod stream;
pub mod teacher;
pub mod vocabulary;
