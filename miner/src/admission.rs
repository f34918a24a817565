//! Deciding who is served: cheap checks first, each refusal typed.
//!
//! Pure state over an injected clock. In order: the spec's bounds, the asker's standing on the subnet, the time window
//! and the signature, replay, and the asker's share of the model's tokens. A stranger costs one look-up; only a known
//! validator's message is ever verified, and only a verified one is remembered.

mod bucket;
mod replay;
mod roster;

use std::collections::HashMap;

use athanor_spec::{
    Ask, DeltaQuery, Fetch, Hotkey, Refusal, Signed, SigningContext, SubnetSpec,
    envelope::{Domain, EnvelopeError},
};
use codec::Encode;

pub use bucket::{Allowance, TokenBucket};
pub use replay::ReplayGuard;
pub use roster::Roster;

/// Hottest sampling that is served, in thousandths: the most that a spec may ask for.
const MAX_TEMPERATURE_MILLI: u16 = 2000;

/// Who is served, and how much.
#[derive(Debug)]
pub struct Admission {
    context: SigningContext,
    spec: SubnetSpec,
    allowance: Allowance,
    /// Start of this process, in milliseconds since the Unix epoch. Nonces are remembered in memory only, so whatever
    /// was signed before is refused: it may have been answered by the process before this one.
    started_ms: u64,
    replay: ReplayGuard,
    buckets: HashMap<Hotkey, TokenBucket>,
}

impl Admission {
    /// Admission from `started_ms` (milliseconds since the Unix epoch) on, remembering nothing.
    pub fn new(
        context: SigningContext,
        spec: SubnetSpec,
        allowance: Allowance,
        started_ms: u64,
    ) -> Self {
        // An allowance below one largest ask would refuse it for ever.
        let largest = spec.limits.max_prompt_tokens + spec.limits.max_new_tokens;
        let burst_tokens = allowance.burst_tokens.max(largest);
        Self {
            context,
            spec,
            allowance: Allowance {
                burst_tokens,
                ..allowance
            },
            started_ms,
            replay: ReplayGuard::default(),
            buckets: HashMap::new(),
        }
    }

    /// Whether an ask is served now (`now_ms` since the Unix epoch); charges the asker's allowance if so.
    pub fn ask(&mut self, roster: &Roster, ask: &Signed<Ask>, now_ms: u64) -> Result<(), Refusal> {
        self.check_bounds(&ask.payload)?;
        self.check_envelope(roster, ask, now_ms)?;
        let tokens = ask.payload.prompt.len() as u32 + u32::from(ask.payload.max_new_tokens);
        if self.buckets.len() > 2 * roster.len() {
            self.buckets.retain(|hotkey, _| roster.admits(hotkey));
        }
        self.buckets
            .entry(ask.signer)
            .or_insert_with(|| TokenBucket::full(&self.allowance, now_ms))
            .take(&self.allowance, tokens, now_ms)
            .map_err(|retry_after_ms| Refusal::Overloaded { retry_after_ms })
    }

    /// Whether a range of a blob is served now (`now_ms` since the Unix epoch).
    pub fn fetch(
        &mut self,
        roster: &Roster,
        fetch: &Signed<Fetch>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        if fetch.payload.len > self.spec.limits.max_chunk_bytes {
            return Err(Refusal::OutOfBounds);
        }
        self.check_envelope(roster, fetch, now_ms)
    }

    /// Whether a query for a delta is answered now (`now_ms` since the Unix epoch).
    pub fn delta(
        &mut self,
        roster: &Roster,
        query: &Signed<DeltaQuery>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.check_envelope(roster, query, now_ms)
    }

    fn check_bounds(&self, ask: &Ask) -> Result<(), Refusal> {
        let limits = &self.spec.limits;
        let vocabulary = self.spec.subnet.vocab_size;
        let ok = (1..=limits.max_prompt_tokens as usize).contains(&ask.prompt.len())
            && (1..=limits.max_new_tokens).contains(&u32::from(ask.max_new_tokens))
            && ask.temperature_milli <= MAX_TEMPERATURE_MILLI
            && ask.prompt.iter().all(|token| *token < vocabulary);
        if ok {
            Ok(())
        } else {
            Err(Refusal::OutOfBounds)
        }
    }

    fn check_envelope<T: Encode + Domain>(
        &mut self,
        roster: &Roster,
        envelope: &Signed<T>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        if !roster.admits(&envelope.signer) {
            return Err(Refusal::NotAllowed);
        }
        envelope
            .verify(&self.context, now_ms)
            .map_err(|error| match error {
                EnvelopeError::BadSignature => Refusal::BadSignature,
                EnvelopeError::Expired => Refusal::Expired {
                    server_time_ms: now_ms,
                },
            })?;
        if envelope.issued_ms < self.started_ms {
            return Err(Refusal::Replayed);
        }
        self.replay
            .remember(envelope.signer, envelope.nonce, envelope.expires_ms, now_ms)
    }
}

#[cfg(test)]
mod tests;
