//! Train a Llama-shaped network on the CPU with hand-written gradients.
//!
//! Measured on narrow models (width 128), a general autodiff backend spends most of a step in element-wise operations and
//! copies; this path is about an order of magnitude faster, which is what lets a laptop train a teacher in an hour and four
//! students beside their own servers. It computes the very function that `athanor-model` serves (tests compare the two).
//!
//! A batch is a flat run of tokens cut into segments. A segment is a sequence of its own: its positions start at zero and its
//! tokens see only each other, so a packed batch trains exactly what serving does, with no padding and no mask.

mod adam;
mod backward;
mod decode;
mod forward;
mod layout;
mod matrix;
mod muon;

pub(crate) use adam::{Adam, AdamSettings};
pub(crate) use backward::backward;
pub(crate) use decode::Decoding;
pub(crate) use forward::{Batch, Tape, forward};
pub use layout::LayoutError;
pub(crate) use layout::{Layout, Shape};
pub(crate) use matrix::{log_sum_exp, softmax};
pub(crate) use muon::{Muon, MuonSettings};

#[cfg(test)]
mod tests;
