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

    /// Logits of many sequences, each with its own `from`.
    pub fn logits_batch(&self, sequences: &[(&[u32], usize)]) -> Result<Vec<Logits>, ScoreError> {
        for (tokens, from) in sequences {
            self.check(tokens, *from)?;
        }
        let replay = |(tokens, from): &(&[u32], usize)| self.replay(tokens, *from);
        Ok(sequences.iter().map(replay).collect())
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

#[cfg(test)]
mod tests;
