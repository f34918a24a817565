//! Draw training examples: passages of the corpus, and task items of which only the answer counts.

use athanor_model::{Tokenizer, tokenizer::TokenizerError};
use athanor_scoring::{corpus, task};
use rand::{Rng, seq::IndexedRandom};

/// Tokens of a text segment at most: as long as the longest context that students are asked to continue.
pub const TEXT_TOKENS: usize = 160;

/// Starting points within a paragraph lie about so many bytes apart.
const STRIDE: usize = 160;

/// One sequence to learn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The family, or `None` for text.
    pub family: Option<task::Family>,
    /// Token ids, the end-of-sequence token included where the sequence ends.
    pub tokens: Vec<u32>,
    /// The first position whose next token counts.
    pub from: usize,
}

impl Example {
    /// Positions whose next tokens count.
    pub fn counted(&self) -> std::ops::Range<usize> {
        self.from..self.tokens.len() - 1
    }

    /// The true next token of each counted position.
    pub fn targets(&self) -> impl Iterator<Item = u32> {
        self.tokens[self.from + 1..].iter().copied()
    }
}

/// A source of examples; what it draws depends only on the generator that is passed.
#[derive(Clone)]
pub struct Stream {
    tokenizer: Tokenizer,
    end: u32,
    passages: Vec<Vec<u32>>,
}

impl Stream {
    /// A stream over the paragraphs that training may see.
    pub fn training(tokenizer: Tokenizer, end: u32) -> Result<Stream, TokenizerError> {
        Stream::new(tokenizer, end, corpus::training())
    }

    /// A stream over the held-out paragraphs.
    pub fn held_out(tokenizer: Tokenizer, end: u32) -> Result<Stream, TokenizerError> {
        Stream::new(tokenizer, end, corpus::held_out())
    }

    fn new(
        tokenizer: Tokenizer,
        end: u32,
        paragraphs: impl Iterator<Item = &'static str>,
    ) -> Result<Stream, TokenizerError> {
        let mut passages = Vec::new();
        for paragraph in paragraphs {
            // Passages start at words, as prompts that are cut out of a text do; the first at the paragraph's start.
            let mut start = 0;
            loop {
                let mut tokens = tokenizer.encode(&paragraph[start..])?;
                tokens.push(end);
                tokens.truncate(TEXT_TOKENS);
                if tokens.len() > 2 {
                    passages.push(tokens);
                }
                let next = (start + STRIDE).min(paragraph.len());
                match paragraph[next..].find(' ') {
                    Some(gap) if paragraph.len() - next - gap > STRIDE / 2 => {
                        start = next + gap + 1
                    }
                    _ => break,
                }
            }
        }
        Ok(Stream {
            tokenizer,
            end,
            passages,
        })
    }

    /// A passage of text, all of which counts.
    pub fn text(&self, rng: &mut impl Rng) -> Example {
        let tokens = self
            .passages
            .choose(rng)
            .cloned()
            .unwrap_or_else(|| vec![self.end; 2]);
        Example {
            family: None,
            tokens,
            from: 0,
        }
    }

    /// An item of a family; the question itself, which nobody could predict, does not count.
    pub fn item(
        &self,
        family: task::Family,
        rng: &mut impl Rng,
    ) -> Result<Example, TokenizerError> {
        let item = task::generate(family, &task::TAUGHT, rng);
        let mut tokens = self.tokenizer.encode(&item.prompt)?;
        let from = tokens.len() - 1;
        tokens.extend(self.tokenizer.encode(&item.completion())?);
        tokens.push(self.end);
        Ok(Example {
            family: Some(family),
            tokens,
            from,
        })
    }

    /// An item of a family drawn uniformly.
    pub fn any_item(&self, rng: &mut impl Rng) -> Result<Example, TokenizerError> {
        let family = task::Family::TAUGHT[rng.random_range(0..task::Family::TAUGHT.len())];
        self.item(family, rng)
    }

    /// The tokenizer that the examples are written in.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The token that ends a sequence.
    pub fn end(&self) -> u32 {
        self.end
    }
}
