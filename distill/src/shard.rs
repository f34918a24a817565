//! Record what a teacher says, once, for any number of students.
//!
//! A shard holds examples and, for every counted position, the teacher's likeliest next tokens; what they leave of the
//! probability belongs to all others together. Its memory is bounded by its plan: 256 bytes a position.

use athanor_model::DeviceChoice;
use athanor_scoring::task::Family;
use thiserror::Error;

pub use crate::recorder::RecordError;
use crate::{
    recorder::Record,
    source::Source,
    stream::{Example, Stream},
};

/// Likeliest tokens kept of each position.
pub const KEPT: usize = 32;
/// The first bytes of a shard's file: name and version.
const MAGIC: &[u8; 8] = b"athshrd2";
/// The most examples and tokens per example that a file may declare.
const LIMITS: (u32, u32) = (1 << 20, 1 << 14);

/// The teacher's likeliest next tokens at one position.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// Token ids, likeliest first.
    pub tokens: [u32; KEPT],
    /// Their probabilities.
    pub probabilities: [f32; KEPT],
}

/// An example with what the teacher says of its counted positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The example.
    pub example: Example,
    /// One per counted position.
    pub rows: Vec<Top>,
}

/// Examples recorded from one teacher.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// The digest of the teacher's manifest.
    pub teacher: [u8; 32],
    /// Size of the vocabulary.
    pub vocab: usize,
    /// The temperature of the teacher's probabilities; 1 as it speaks.
    pub temperature: f32,
    /// The examples, in random order.
    pub examples: Vec<Recorded>,
}

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShardPlan {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Task items.
    pub items: usize,
    /// Passages of real text.
    pub passages: usize,
    /// Beginnings of passages that the teacher continues in its own words.
    pub continuations: usize,
}

/// Why bytes are not a shard.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ShardError {
    /// It does not begin like one.
    #[error("not a shard, or one of another version")]
    Magic,
    /// It ends early, or a number in it is beyond its bound.
    #[error("the shard is damaged")]
    Damaged,
    /// Its contents do not hash to what it ends with.
    #[error("the shard's hash does not match its contents")]
    Hash,
}

impl Shard {
    /// Loads a teacher on a device and asks it about examples drawn from one of its streams.
    pub fn record(
        source: &Source,
        stream: &Stream,
        plan: &ShardPlan,
        device: DeviceChoice,
    ) -> Result<Shard, RecordError> {
        Shard::record_at(source, stream, plan, 1.0, device)
    }

    /// [`Self::record`] with the teacher's distributions flattened (above 1) or sharpened by a temperature.
    pub fn record_at(
        source: &Source,
        stream: &Stream,
        plan: &ShardPlan,
        temperature: f32,
        device: DeviceChoice,
    ) -> Result<Shard, RecordError> {
        device.dispatch(Record {
            source,
            stream,
            plan,
            temperature,
        })?
    }

    /// Whether another shard says the same of the same teacher, so that the two can be learnt from together.
    pub fn like(&self, other: &Shard) -> bool {
        (self.teacher, self.vocab, self.temperature)
            == (other.teacher, other.vocab, other.temperature)
    }

    /// The shard as a file: little-endian numbers, ended by a blake3 hash of all before.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.teacher);
        let mut word = |word: u32| bytes.extend(word.to_le_bytes());
        word(self.vocab as u32);
        word(self.temperature.to_bits());
        word(self.examples.len() as u32);
        for Recorded { example, rows } in &self.examples {
            let family = example
                .family
                .and_then(|family| Family::ALL.iter().position(|other| *other == family));
            word(family.map_or(u32::MAX, |at| at as u32));
            word(example.from as u32);
            word(example.tokens.len() as u32);
            example.tokens.iter().copied().for_each(&mut word);
            for row in rows {
                row.tokens.iter().copied().for_each(&mut word);
                row.probabilities
                    .iter()
                    .map(|p| p.to_bits())
                    .for_each(&mut word);
            }
        }
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes());
        bytes
    }

    /// Reads a shard's file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Shard, ShardError> {
        let (body, hash) = bytes.split_last_chunk::<32>().ok_or(ShardError::Damaged)?;
        let rest = body.strip_prefix(MAGIC).ok_or(ShardError::Magic)?;
        if blake3::hash(body).as_bytes() != hash {
            return Err(ShardError::Hash);
        }
        let (teacher, mut rest) = rest.split_first_chunk::<32>().ok_or(ShardError::Damaged)?;
        let mut word = |below: u32| {
            let (word, after) = rest.split_first_chunk::<4>().ok_or(ShardError::Damaged)?;
            rest = after;
            let word = u32::from_le_bytes(*word);
            if word < below {
                Ok(word)
            } else {
                Err(ShardError::Damaged)
            }
        };
        let vocab = word(1 << 20)?;
        let temperature = f32::from_bits(word(f32::INFINITY.to_bits())?);
        let count = word(LIMITS.0)?;
        let mut examples = Vec::new();
        for _ in 0..count {
            let family = match word(u32::MAX) {
                Ok(at) => Some(*Family::ALL.get(at as usize).ok_or(ShardError::Damaged)?),
                Err(_) => None,
            };
            let (from, length) = (word(LIMITS.1)? as usize, word(LIMITS.1)? as usize);
            if from + 1 >= length {
                return Err(ShardError::Damaged);
            }
            let tokens = (0..length).map(|_| word(vocab)).collect::<Result<_, _>>()?;
            let example = Example {
                family,
                tokens,
                from,
            };
            let mut rows = Vec::new();
            for _ in example.counted() {
                let mut row = Top {
                    tokens: [0; KEPT],
                    probabilities: [0.0; KEPT],
                };
                for token in &mut row.tokens {
                    *token = word(vocab)?;
                }
                for probability in &mut row.probabilities {
                    // Ones and below only: the bits of a float in [0, 1] are ordered like the float.
                    *probability = f32::from_bits(word(1.0_f32.to_bits() + 1)?);
                }
                rows.push(row);
            }
            examples.push(Recorded { example, rows });
        }
        if !rest.is_empty() {
            return Err(ShardError::Damaged);
        }
        Ok(Shard {
            teacher: *teacher,
            vocab: vocab as usize,
            temperature,
            examples,
        })
    }
}

#[cfg(test)]
mod tests;
