//! Replay sequences: the logits that a model gives at every position of a text that is already there.

use thiserror::Error;

use crate::checkpoint::Checkpoint;
use crate::config::Config;
pub use crate::decode::LoadError;
use crate::decode::{Piece, Weights};
use crate::device::DeviceChoice;
use crate::kernels::packed::WeightFormat;
use crate::tensors::Tensors;

/// A model that replays. Cheap to share: each call has its own state.
pub struct Scorer {
    weights: Weights,
    config: Config,
}

/// Rows of logits in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    /// Number of token ids: the length of a row.
    pub vocab: usize,
    /// The rows, one after the other.
    pub data: Vec<f32>,
}

/// A prompt and the texts that are replayed after it, each as if it were the only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree<'a> {
    /// Token ids that all branches begin with; at least one.
    pub prompt: &'a [u32],
    /// What follows the prompt; may be empty.
    pub branches: Vec<&'a [u32]>,
}

/// Tokens of room, over all sequences of one forward pass: bounds the memory of its caches.
const ROOM: usize = 8192;

/// Why a sequence cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The sequence is longer than the model's context.
    #[error("{tokens} tokens; the model's context is {limit}")]
    TooLong {
        /// Length of the sequence.
        tokens: usize,
        /// The model's context.
        limit: usize,
    },
    /// The first wanted token has nothing before it, or lies beyond the sequence.
    #[error(
        "logits from token {from} of {tokens}: it must have a token before it and not lie beyond the end"
    )]
    From {
        /// First token whose logits are wanted.
        from: usize,
        /// Length of the sequence.
        tokens: usize,
    },
    /// A token that the model does not know.
    #[error("token {token} is not below the vocabulary's {vocab}")]
    UnknownToken {
        /// The token.
        token: u32,
        /// Number of token ids.
        vocab: usize,
    },
}

impl Logits {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.vocab
    }

    /// One row.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.data[index * self.vocab..(index + 1) * self.vocab]
    }
}

impl Scorer {
    /// Loads a checkpoint; its files are verified as they are read.
    pub fn load(checkpoint: &Checkpoint, device: DeviceChoice) -> Result<Self, LoadError> {
        let weights = Weights::load(checkpoint, device, WeightFormat::F32)?;
        let config = checkpoint.config.clone();
        Ok(Self { weights, config })
    }

    /// Takes weights that lie in memory.
    pub fn from_tensors(
        config: &Config,
        tensors: &Tensors,
        device: DeviceChoice,
    ) -> Result<Self, LoadError> {
        Self::with_weights(config, tensors, device, WeightFormat::F32)
    }

    /// Takes weights that lie in memory and keeps them in that format: what it costs is the difference in the logits.
    pub fn with_weights(
        config: &Config,
        tensors: &Tensors,
        device: DeviceChoice,
        format: WeightFormat,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            weights: Weights::new(config, tensors, device, format)?,
            config: config.clone(),
        })
    }

    /// Bytes of memory that a model of this configuration takes up as f32: its tensors, and its embeddings once more where
    /// the output projection shares them.
    pub fn bytes(config: &Config) -> u64 {
        let tied = match config.tie_word_embeddings {
            true => config.vocab_size as u64 * config.hidden_size as u64,
            false => 0,
        };
        (config.parameters() + tied) * size_of::<f32>() as u64
    }

    /// The model's configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Logits of one sequence: row `i` predicts `tokens[from + i]`, and a last row predicts what follows the end, so
    /// there are `tokens.len() - from + 1` rows. `from` is at least one, since the first token is predicted by nothing.
    pub fn logits(&self, tokens: &[u32], from: usize) -> Result<Logits, ScoreError> {
        self.check(tokens, from)?;
        Ok(self.replay(tokens, from))
    }

    /// Logits of many trees in as few passes as memory allows: row `i` of a branch predicts its token `i`, a last row
    /// what follows its end. A prompt is computed once, however many branches it has; on the CPU's own kernels the result has the
    /// bits of [`Self::logits`], whatever is computed together.
    pub fn logits_of_trees(&self, trees: &[Tree<'_>]) -> Result<Vec<Vec<Logits>>, ScoreError> {
        for tree in trees {
            self.check(tree.prompt, tree.prompt.len())?;
            for branch in &tree.branches {
                self.check(&[tree.prompt, branch].concat(), tree.prompt.len())?;
            }
        }
        let mut all = Vec::with_capacity(trees.len());
        let mut rest = trees;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            self.grow(now, &mut all);
            rest = later;
        }
        Ok(all)
    }

    /// One pass over the prompts and one over the branches.
    fn grow(&self, trees: &[Tree<'_>], all: &mut Vec<Vec<Logits>>) {
        let slots = trees.iter().map(slots).sum();
        let longest = trees.iter().map(longest).max().unwrap_or_default();
        let mut decoder = self.weights.decoder(slots, longest);
        let vocab = decoder.vocab();
        let (mut prompts, mut branches) = (Vec::new(), Vec::new());
        let mut first = 0;
        for tree in trees {
            prompts.push(Piece {
                slot: first,
                tokens: tree.prompt,
                from: tree.prompt.len() - 1,
            });
            for (slot, tokens) in (first..).zip(&tree.branches) {
                branches.push(Piece {
                    slot,
                    tokens,
                    from: 0,
                });
            }
            first += slots_of(tree.branches.len());
        }
        let mut next = Vec::new();
        decoder.forward(&prompts, &mut next);
        for (prompt, tree) in prompts.iter().zip(trees) {
            for other in 1..tree.branches.len() {
                decoder.share(prompt.slot, prompt.slot + other, tree.prompt.len());
            }
        }
        let mut following = Vec::new();
        branches.retain(|piece| !piece.tokens.is_empty());
        if !branches.is_empty() {
            decoder.forward(&branches, &mut following);
        }
        let mut following = following.as_slice();
        for (tree, next) in trees.iter().zip(next.chunks_exact(vocab)) {
            let branch = |tokens: &&[u32]| {
                let (own, others) = following.split_at(tokens.len() * vocab);
                following = others;
                Logits {
                    vocab,
                    data: [next, own].concat(),
                }
            };
            all.push(tree.branches.iter().map(branch).collect());
        }
    }

    fn check(&self, tokens: &[u32], from: usize) -> Result<(), ScoreError> {
        let (limit, vocab) = (self.config.max_position_embeddings, self.config.vocab_size);
        if tokens.len() > limit {
            return Err(ScoreError::TooLong {
                tokens: tokens.len(),
                limit,
            });
        }
        if from == 0 || from > tokens.len() {
            return Err(ScoreError::From {
                from,
                tokens: tokens.len(),
            });
        }
        match tokens.iter().find(|&&token| token as usize >= vocab) {
            Some(&token) => Err(ScoreError::UnknownToken { token, vocab }),
            None => Ok(()),
        }
    }

    fn replay(&self, tokens: &[u32], from: usize) -> Logits {
        let mut decoder = self.weights.decoder(1, tokens.len());
        let mut data = Vec::with_capacity((tokens.len() - from + 1) * decoder.vocab());
        let piece = Piece {
            slot: 0,
            tokens,
            from: from - 1,
        };
        decoder.forward(&[piece], &mut data);
        Logits {
            vocab: decoder.vocab(),
            data,
        }
    }
}

fn slots(tree: &Tree<'_>) -> usize {
    slots_of(tree.branches.len())
}

/// A prompt takes a slot even if nothing follows it.
fn slots_of(branches: usize) -> usize {
    branches.max(1)
}

fn longest(tree: &Tree<'_>) -> usize {
    let branch = tree.branches.iter().map(|tokens| tokens.len()).max();
    tree.prompt.len() + branch.unwrap_or_default()
}

/// How many of the trees, at least one, have room in one pass.
fn fitting(trees: &[Tree<'_>]) -> usize {
    let (mut used, mut length) = (0, 0);
    let fit = trees.iter().take_while(|tree| {
        used += slots(tree);
        length = length.max(longest(tree));
        used * length <= ROOM
    });
    fit.count().max(1)
}

#[cfg(test)]
mod tests;
