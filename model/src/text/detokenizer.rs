//! The text of an answer while its tokens are still coming.

use crate::tokenizer::{Tokenizer, TokenizerError};

/// What stands for bytes that are no character, or not yet.
const REPLACEMENT: char = '\u{fffd}';
/// Tokens that are kept waiting for the end of a character; more is noise, which is given as it is.
///
/// Some decoders write every byte next to an open character as a replacement until it is closed, so this is longer than
/// a character.
const LONGEST_WAIT: usize = 32;

/// Turns tokens into text one by one; special tokens have none.
///
/// A token may end inside a character, and how a token is written may depend on the one before it. So the tokens of the
/// last piece of text are kept and decoded again together with the new ones: the work for a token does not grow with
/// the answer.
#[derive(Clone, Debug)]
pub struct Detokenizer {
    tokenizer: Tokenizer,
    /// The tokens of the last piece, then those whose text has not been given.
    window: Vec<u32>,
    /// How many of them belong to the last piece.
    context: usize,
    /// Bytes of their text.
    given: usize,
}

impl Detokenizer {
    /// At the beginning of an answer.
    pub fn new(tokenizer: Tokenizer) -> Self {
        Self {
            tokenizer,
            window: Vec::new(),
            context: 0,
            given: 0,
        }
    }

    /// Takes the next token and returns the text that is complete with it; empty inside a character.
    pub fn push(&mut self, token: u32) -> Result<String, TokenizerError> {
        if self.tokenizer.is_special(token) {
            return Ok(String::new());
        }
        self.window.push(token);
        let text = self.tokenizer.decode(&self.window)?;
        let waiting = self.window.len() - self.context;
        if text.ends_with(REPLACEMENT) && waiting < LONGEST_WAIT {
            return Ok(String::new());
        }
        let piece = text.get(self.given..).unwrap_or_default().to_owned();
        if !piece.is_empty() {
            self.window.drain(..self.context);
            self.context = self.window.len();
            self.given = self.tokenizer.decode(&self.window)?.len();
        }
        Ok(piece)
    }

    /// The answer has ended: the text of bytes that never became a character.
    pub fn finish(self) -> Result<String, TokenizerError> {
        let text = self.tokenizer.decode(&self.window)?;
        Ok(text.get(self.given..).unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests;
