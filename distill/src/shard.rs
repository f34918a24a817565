//! Record what a teacher says, once, for any number of students.
//!
//! A shard holds examples and, for every counted position, the teacher's likeliest next tokens; what they leave of the
//! probability belongs to all others together. Its memory is bounded by its plan: 256 bytes a position.

use athanor_model::tokenizer::TokenizerError;
use athanor_scoring::task::Family;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::{
    cpu::{Batch, Tape, forward, softmax},
    loss::forward_kl,
    network::Network,
    sample::continue_all,
    source::Source,
    stream::{Example, Stream},
};

/// Likeliest tokens kept of each position.
pub const KEPT: usize = 32;
/// Tokens that the teacher runs at once.
const BATCH_TOKENS: usize = 2048;
/// Tokens of real text before the teacher goes on by itself.
const PROMPT_TOKENS: std::ops::RangeInclusive<usize> = 12..=40;
/// Tokens that the teacher adds to such a prompt.
const CONTINUATION_TOKENS: usize = 32;
/// The first bytes of a shard's file: name and version.
const MAGIC: &[u8; 8] = b"athshrd1";
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

impl Top {
    /// KL( teacher || softmax(logits) ) in nats, with all tokens that are not kept as one outcome.
    pub fn divergence(&self, logits: &[f32]) -> f64 {
        let mut student = logits.to_vec();
        forward_kl(&mut student, &self.tokens, &self.probabilities, 0.0).into()
    }
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
    /// Asks a teacher about examples drawn from one of its streams.
    pub fn record(
        source: &Source,
        stream: &Stream,
        plan: &ShardPlan,
    ) -> Result<Shard, TokenizerError> {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let mut examples = Vec::with_capacity(plan.items + plan.passages + plan.continuations);
        for _ in 0..plan.items {
            examples.push(stream.any_item(&mut rng)?);
        }
        examples.extend((0..plan.passages).map(|_| stream.text(&mut rng)));
        let prompts: Vec<Vec<u32>> = (0..plan.continuations)
            .map(|_| {
                let mut tokens = stream.text(&mut rng).tokens;
                tokens.pop();
                tokens.truncate(rng.random_range(PROMPT_TOKENS));
                tokens
            })
            .collect();
        examples.extend(continued(&source.network, &prompts, stream.end(), &mut rng));
        // Families in blocks would break the gate's statistics; order is random by construction.
        examples.shuffle(&mut rng);
        let teacher = &source.network;
        let mut recorded = Vec::with_capacity(examples.len());
        let mut tape = Tape::default();
        let mut rest = &examples[..];
        while !rest.is_empty() {
            let mut batch = Batch::default();
            let mut taken = 0;
            while taken < rest.len()
                && (taken == 0 || batch.tokens.len() + rest[taken].tokens.len() <= BATCH_TOKENS)
            {
                batch.push(&rest[taken].tokens, rest[taken].counted());
                taken += 1;
            }
            forward(
                &teacher.layout,
                &teacher.parameters,
                &teacher.layers(),
                &batch,
                &mut tape,
            );
            let mut logits = tape.logits.chunks_exact_mut(teacher.config.vocab_size);
            for example in &rest[..taken] {
                let rows = logits
                    .by_ref()
                    .take(example.counted().len())
                    .map(top)
                    .collect();
                recorded.push(Recorded {
                    example: example.clone(),
                    rows,
                });
            }
            rest = &rest[taken..];
        }
        Ok(Shard {
            teacher: source.digest,
            vocab: teacher.config.vocab_size,
            examples: recorded,
        })
    }

    /// The shard as a file: little-endian numbers, ended by a blake3 hash of all before.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.teacher);
        let mut word = |word: u32| bytes.extend(word.to_le_bytes());
        word(self.vocab as u32);
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
        Ok(Shard {
            teacher: *teacher,
            vocab: vocab as usize,
            examples,
        })
    }
}

/// Prompts with a network's own continuations, of which only the continuation counts.
pub(crate) fn continued(
    network: &Network,
    prompts: &[Vec<u32>],
    end: u32,
    rng: &mut impl Rng,
) -> Vec<Example> {
    let views: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let answers = continue_all(
        network,
        &network.layers(),
        &views,
        CONTINUATION_TOKENS,
        1.0,
        end,
        rng,
    );
    let joined = prompts.iter().zip(answers).map(|(prompt, answer)| Example {
        family: None,
        from: prompt.len() - 1,
        tokens: [&prompt[..], &answer].concat(),
    });
    joined.collect()
}

/// The likeliest tokens of a row of logits.
fn top(logits: &mut [f32]) -> Top {
    softmax(logits);
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let likelier = |a: &u32, b: &u32| {
        logits[*b as usize]
            .total_cmp(&logits[*a as usize])
            .then(a.cmp(b))
    };
    let kept = KEPT.min(order.len());
    if kept < order.len() {
        order.select_nth_unstable_by(kept, likelier);
    }
    order[..kept].sort_unstable_by(likelier);
    let mut row = Top {
        tokens: [0; KEPT],
        probabilities: [0.0; KEPT],
    };
    for (at, &token) in order[..kept].iter().enumerate() {
        (row.tokens[at], row.probabilities[at]) = (token, logits[token as usize]);
    }
    row
}

#[cfg(test)]
mod tests;
