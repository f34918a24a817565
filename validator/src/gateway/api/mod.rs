//! OpenAI's API as far as it is spoken here: requests read, answers written, errors shaped.

mod error;
mod fields;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use error::ApiError;
pub(crate) use reply::{Ended, Shown, Usage, Writer};
pub(crate) use request::{Prompt, Prompts, Reference, Request, Shape, Surface};
