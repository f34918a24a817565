//! Between people's text and token ids: conversations into prompts, tokens into text as they come.

mod detokenizer;
mod stop;
mod template;

pub use detokenizer::Detokenizer;
pub use stop::{Released, StopStrings};
pub use template::{ChatTemplate, Conversation, ConversationError, Message, TemplateError};
