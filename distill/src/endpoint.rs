//! A teacher behind an OpenAI-compatible API: asked once, recorded as a shard.
//!
//! It is sent prompts as token ids and asked for the likeliest tokens of each position of its answers (`logprobs`, at most
//! [`LOGPROBS`]). A teacher that tells none is taken at its word: the tokens of its text are all that is known, each with
//! probability one.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use athanor_model::{Tokenizer, tokenizer::TokenizerError};
use backon::{BlockingRetryable, ExponentialBuilder};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use ureq::Agent;

use crate::{
    recorder::PROMPT_TOKENS,
    shard::{KEPT, Recorded, Shard, ShardPlan, Top},
    stream::{Example, Stream},
};

/// Likeliest tokens of a position that are asked for: the most that the APIs give.
pub const LOGPROBS: usize = 20;
/// The longest response that is read, in bytes.
const MAX_RESPONSE_BYTES: u64 = 8 << 20;
/// Time for one answer.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Attempts after a first one that found the server overloaded or unreachable.
const RETRIES: usize = 5;
/// Pause before the first of them; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(200);
/// How a server that is asked for it writes a token's id.
const TOKEN_ID: &str = "token_id:";

/// Where a teacher answers.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The API's base, such as `http://127.0.0.1:8000/v1`.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// The key that is sent as a bearer token.
    pub key: Option<String>,
    /// Requests at a time.
    pub parallel: usize,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct EndpointPlan {
    /// Which prompts, and how many.
    pub shard: ShardPlan,
    /// The longest answer, in tokens.
    pub max_new_tokens: usize,
    /// Temperature of the answers.
    pub temperature: f32,
}

/// Why a teacher could not be asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The server does not answer, or refuses.
    #[error("{url}: {source}")]
    Http {
        /// Where it was asked.
        url: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// The answer is none.
    #[error("{url} answered without a choice")]
    NoChoice {
        /// Where it was asked.
        url: String,
    },
    /// The answers' text cannot be written in the students' tokens.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// A request to `/completions`.
#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    prompt: &'a [u32],
    max_tokens: usize,
    temperature: f32,
    seed: u64,
    logprobs: usize,
    /// Tokens by their ids rather than their text, where the server can.
    return_tokens_as_token_ids: bool,
}

#[derive(Deserialize)]
struct Response {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    text: String,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Logprobs {
    tokens: Vec<String>,
    #[serde(default)]
    top_logprobs: Option<Vec<Option<HashMap<String, f32>>>>,
}

impl Endpoint {
    /// Asks about prompts drawn from a stream: items to answer, passages and beginnings of passages to go on with.
    /// `on_answer` is told how many have come, from any thread.
    pub fn record(
        &self,
        stream: &Stream,
        vocab: usize,
        plan: &EndpointPlan,
        on_answer: impl Fn(usize) + Sync,
    ) -> Result<Shard, EndpointError> {
        let prompts = prompts(stream, &plan.shard)?;
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .build()
            .into();
        let words = Words::new(stream.tokenizer(), vocab)?;
        let (next, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || -> Result<Vec<(usize, Option<Recorded>)>, EndpointError> {
            let mut found = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(prompt) = prompts.get(index) else {
                    return Ok(found);
                };
                let answer = self.ask(&agent, &prompt.tokens, plan, index as u64);
                if answer.is_err() {
                    // Nobody needs the rest.
                    next.store(prompts.len(), Ordering::Relaxed);
                }
                found.push((index, words.recorded(prompt, answer?, stream)?));
                on_answer(1 + answered.fetch_add(1, Ordering::Relaxed));
            }
        };
        let found = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.parallel.max(1))
                .map(|_| scope.spawn(work))
                .collect();
            let ended = workers.into_iter().map(|worker| match worker.join() {
                Ok(found) => found,
                Err(panicked) => std::panic::resume_unwind(panicked),
            });
            ended.collect::<Result<Vec<_>, _>>()
        });
        let mut found = found?.concat();
        // In the order of the prompts, whoever was faster.
        found.sort_unstable_by_key(|(index, _)| *index);
        Ok(Shard {
            teacher: self.digest(),
            vocab,
            temperature: 1.0,
            examples: found
                .into_iter()
                .filter_map(|(_, recorded)| recorded)
                .collect(),
        })
    }

    /// What stands for the teacher's digest: nobody but its owner has its weights.
    fn digest(&self) -> [u8; 32] {
        let name = format!("{}/{}", self.url.trim_end_matches('/'), self.model);
        blake3::derive_key("athanor 2026-11 teacher behind an API", name.as_bytes())
    }

    fn ask(
        &self,
        agent: &Agent,
        prompt: &[u32],
        plan: &EndpointPlan,
        index: u64,
    ) -> Result<Choice, EndpointError> {
        let url = format!("{}/completions", self.url.trim_end_matches('/'));
        let request = Request {
            model: &self.model,
            prompt,
            max_tokens: plan.max_new_tokens,
            temperature: plan.temperature,
            seed: plan.shard.seed.wrapping_add(index),
            logprobs: LOGPROBS,
            return_tokens_as_token_ids: true,
        };
        let post = || -> Result<Response, ureq::Error> {
            let mut post = agent.post(&url);
            if let Some(key) = &self.key {
                post = post.header("Authorization", format!("Bearer {key}"));
            }
            let mut response = post.send_json(&request)?;
            let body = response.body_mut().with_config().limit(MAX_RESPONSE_BYTES);
            body.read_json()
        };
        let response = post
            .retry(
                ExponentialBuilder::default()
                    .with_min_delay(PAUSE)
                    .with_max_times(RETRIES)
                    .with_jitter(),
            )
            .when(is_temporary)
            .call();
        let response = response.map_err(|source| EndpointError::Http {
            url: url.clone(),
            source: Box::new(source),
        })?;
        let first = response.choices.into_iter().next();
        first.ok_or(EndpointError::NoChoice { url })
    }
}

/// Whether asking again may help.
fn is_temporary(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::StatusCode(status) => *status == 429 || *status >= 500,
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed => true,
        _ => false,
    }
}

/// What the teacher is asked, in random order.
fn prompts(stream: &Stream, plan: &ShardPlan) -> Result<Vec<Example>, TokenizerError> {
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut prompts = Vec::with_capacity(plan.items + plan.passages + plan.continuations);
    for _ in 0..plan.items {
        let mut item = stream.any_item(&mut rng)?;
        item.tokens.truncate(item.from + 1);
        prompts.push(item);
    }
    for _ in 0..plan.passages + plan.continuations {
        let mut text = stream.text(&mut rng);
        text.tokens.pop();
        text.tokens.truncate(rng.random_range(PROMPT_TOKENS));
        text.from = text.tokens.len().saturating_sub(1);
        prompts.push(text);
    }
    prompts.retain(|prompt| !prompt.tokens.is_empty());
    prompts.shuffle(&mut rng);
    Ok(prompts)
}

/// The tokens by how an API may write them.
struct Words<'a> {
    tokenizer: &'a Tokenizer,
    vocab: usize,
    /// Tokens by their text, as far as only one token has it.
    by_text: HashMap<String, u32>,
}

impl<'a> Words<'a> {
    fn new(tokenizer: &'a Tokenizer, vocab: usize) -> Result<Self, TokenizerError> {
        let mut by_text = HashMap::new();
        let mut ambiguous = Vec::new();
        for id in 0..tokenizer.vocab_size().min(vocab) as u32 {
            let text = tokenizer.decode(&[id])?;
            if let Some(other) = by_text.insert(text.clone(), id)
                && other != id
            {
                ambiguous.push(text);
            }
        }
        for text in ambiguous {
            by_text.remove(&text);
        }
        Ok(Self {
            tokenizer,
            vocab,
            by_text,
        })
    }

    fn id(&self, word: &str) -> Option<u32> {
        let named = word.strip_prefix(TOKEN_ID).and_then(|id| id.parse().ok());
        let id = named
            .or_else(|| self.by_text.get(word).copied())
            .or_else(|| self.tokenizer.token_id(word));
        id.filter(|id| (*id as usize) < self.vocab)
    }

    /// What is learnt from an answer; nothing from an empty one.
    fn recorded(
        &self,
        prompt: &Example,
        answer: Choice,
        stream: &Stream,
    ) -> Result<Option<Recorded>, TokenizerError> {
        let told = answer.logprobs.as_ref().and_then(|told| self.told(told));
        let (mut tokens, mut rows) = match told {
            Some(told) => told,
            None => {
                let tokens = self.tokenizer.encode(&answer.text)?;
                let rows = tokens.iter().map(|token| certain(*token)).collect();
                (tokens, rows)
            }
        };
        let stopped = answer.finish_reason.as_deref() == Some("stop");
        if stopped && tokens.last() != Some(&stream.end()) {
            tokens.push(stream.end());
            rows.push(certain(stream.end()));
        }
        if tokens.is_empty() {
            return Ok(None);
        }
        let example = Example {
            family: prompt.family,
            from: prompt.tokens.len() - 1,
            tokens: [&prompt.tokens[..], &tokens].concat(),
        };
        Ok(Some(Recorded { example, rows }))
    }

    /// The answer's tokens with the likeliest at each position; `None` if a token cannot be told from its spelling, or
    /// no likelihoods came.
    fn told(&self, told: &Logprobs) -> Option<(Vec<u32>, Vec<Top>)> {
        let top = told.top_logprobs.as_ref()?;
        let ids = told.tokens.iter().map(|word| self.id(word));
        let tokens: Vec<u32> = ids.collect::<Option<_>>()?;
        if top.len() != tokens.len() {
            return None;
        }
        let rows = top.iter().zip(&tokens).map(|(row, token)| {
            row.as_ref()
                .map_or_else(|| certain(*token), |row| self.row(row))
        });
        let rows = rows.collect();
        Some((tokens, rows))
    }

    /// The likeliest tokens of a position. One that cannot be told from its spelling counts among all others.
    fn row(&self, likeliest: &HashMap<String, f32>) -> Top {
        let known = likeliest.iter().filter_map(|(word, log_p)| {
            let p = log_p.exp();
            (p.is_finite() && p > 0.0).then_some((self.id(word)?, p.min(1.0)))
        });
        let mut known: Vec<(u32, f32)> = known.collect();
        known.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        known.dedup_by_key(|(token, _)| *token);
        let mut row = Top {
            tokens: [0; KEPT],
            probabilities: [0.0; KEPT],
        };
        for (at, (token, p)) in known.into_iter().take(KEPT).enumerate() {
            (row.tokens[at], row.probabilities[at]) = (token, p);
        }
        row
    }
}

/// A position of which only the token is known.
fn certain(token: u32) -> Top {
    let mut row = Top {
        tokens: [0; KEPT],
        probabilities: [0.0; KEPT],
    };
    (row.tokens[0], row.probabilities[0]) = (token, 1.0);
    row
}

#[cfg(test)]
mod tests;
