//! OpenAI's API as far as it is spoken here: requests read, answers written, errors shaped.

mod error;
mod fields;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use error::ApiError;
pub(crate) use reply::{Ended, Shown, Usage, Writer};
pub use request::{MAX_CHOICES, Prompt, Prompts, Reference, Request, Shape, Surface};
