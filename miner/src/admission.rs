//! Deciding who is served, and in which order: cheap checks first, each refusal typed.
//!
//! Pure state over an injected clock. A request passes three gates:
//!
//! 1. [`Admission::screen`] looks up and changes nothing: the spec's bounds, the asker's standing on the subnet, the time
//!    window, replay, and whether the asker's share of the model's tokens would do.
//! 2. [`verify`] checks the signature, which costs a hundred times as much and needs no state, so that it runs elsewhere. A
//!    request that was replayed or exceeds its share never gets here; a peer that sends forgeries soon does not either.
//! 3. [`Admission::admit`] looks again, as time has passed, and only now remembers the nonce and takes the tokens: a forgery
//!    burns neither.
//!
//! Then an ask waits in the [`FairQueue`]. Everything that is held is bounded: by the roster (nonces and buckets), by a
//! constant (peers that forged) or by the queue's capacity.

mod bucket;
mod fair_queue;
mod pace;
mod replay;
mod roster;
mod strikes;

use std::collections::HashMap;

use athanor_spec::{
    Ask, DeltaQuery, Fetch, Hotkey, Refusal, Signed, SigningContext, SubnetSpec, envelope::Domain,
};
use codec::Encode;

pub use bucket::{Allowance, Rate, TokenBucket};
pub use fair_queue::{Displaced, FairQueue};
pub use pace::Pace;
pub use replay::ReplayGuard;
pub use roster::{Roster, Standing, Weight};
pub use strikes::Strikes;

/// Hottest sampling that is served, in thousandths: the most that a spec may ask for.
const MAX_TEMPERATURE_MILLI: u16 = 2000;

/// What a request costs, and whether it keeps to the spec.
pub trait Charge: Encode + Domain {
    /// Model tokens that it may use at most; `OutOfBounds` if it breaks a bound of the spec.
    fn tokens(&self, spec: &SubnetSpec) -> Result<u32, Refusal>;
}

/// What a request that is admitted gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Model tokens that were taken from the asker's bucket.
    pub tokens: u32,
    /// What the asker counts for in the queue.
    pub weight: Weight,
}

/// Who is served, and how much.
#[derive(Debug)]
pub struct Admission {
    spec: SubnetSpec,
    allowance: Allowance,
    /// Whatever was signed before is refused (milliseconds since the Unix epoch): nonces are remembered in memory only, and
    /// it may have been answered by the process before this one.
    not_before_ms: u64,
    /// The latest time of signing among what was admitted.
    latest_issued_ms: u64,
    replay: ReplayGuard,
    buckets: HashMap<Hotkey, TokenBucket>,
}

impl Admission {
    /// Admission of what is signed from `not_before_ms` (milliseconds since the Unix epoch) on, remembering nothing.
    pub fn new(spec: SubnetSpec, allowance: Allowance, not_before_ms: u64) -> Self {
        Self {
            spec,
            allowance,
            not_before_ms,
            latest_issued_ms: not_before_ms,
            replay: ReplayGuard::default(),
            buckets: HashMap::new(),
        }
    }

    /// From now on, askers have this allowance; what they have used stays used.
    pub fn set_allowance(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    /// Whether a request might be served now (`now_ms` since the Unix epoch). Changes nothing, and is cheap.
    pub fn screen<T: Charge>(
        &self,
        roster: &Roster,
        request: &Signed<T>,
        now_ms: u64,
    ) -> Result<Ticket, Refusal> {
        let tokens = request.payload.tokens(&self.spec)?;
        let standing = roster.standing(&request.signer);
        let weight = standing
            .ok_or(Refusal::NotAllowed)?
            .weight(self.allowance.floor);
        request.check_window(now_ms).map_err(|_| Refusal::Expired {
            server_time_ms: now_ms,
        })?;
        if request.issued_ms < self.not_before_ms {
            return Err(Refusal::Replayed);
        }
        self.replay.check(&request.signer, request.nonce, now_ms)?;
        if let Some(bucket) = self.buckets.get(&request.signer) {
            let rate = self.rate(weight);
            bucket
                .peek(&rate, tokens, now_ms)
                .map_err(|retry_after_ms| Refusal::Overloaded { retry_after_ms })?;
        }
        Ok(Ticket { tokens, weight })
    }

    /// Admits a request whose signature was verified: remembers its nonce and takes its tokens from the signer's bucket.
    pub fn admit<T: Charge>(
        &mut self,
        roster: &Roster,
        request: &Signed<T>,
        now_ms: u64,
    ) -> Result<Ticket, Refusal> {
        // A copy of it may have been verified at the same time.
        let ticket = self.screen(roster, request, now_ms)?;
        self.forget_buckets(roster);
        self.replay
            .remember(request.signer, request.nonce, request.expires_ms, now_ms)?;
        self.latest_issued_ms = self.latest_issued_ms.max(request.issued_ms);
        if ticket.tokens > 0 {
            let rate = self.rate(ticket.weight);
            self.buckets
                .entry(request.signer)
                .or_insert_with(|| TokenBucket::full(&rate, now_ms))
                .take(&rate, ticket.tokens, now_ms)
                .map_err(|retry_after_ms| Refusal::Overloaded { retry_after_ms })?;
        }
        Ok(ticket)
    }

    /// Puts tokens that an answer did not need back into its asker's bucket.
    pub fn give_back(&mut self, asker: &Hotkey, weight: Weight, tokens: u32) {
        let rate = self.rate(weight);
        if let Some(bucket) = self.buckets.get_mut(asker) {
            bucket.give_back(&rate, tokens);
        }
    }

    /// The latest time of signing among what was admitted, in milliseconds since the Unix epoch. The process after this one
    /// refuses what was signed until then, whatever its clock says: a message may be signed a little ahead of it.
    pub fn latest_issued_ms(&self) -> u64 {
        self.latest_issued_ms
    }

    /// Nonces remembered.
    pub fn nonces(&self) -> usize {
        self.replay.len()
    }

    fn rate(&self, weight: Weight) -> Rate {
        let limits = &self.spec.limits;
        let largest_ask = limits
            .max_prompt_tokens
            .saturating_add(limits.max_new_tokens);
        self.allowance.share(weight, largest_ask)
    }

    fn forget_buckets(&mut self, roster: &Roster) {
        if self.buckets.len() > roster.len() {
            self.buckets.retain(|hotkey, _| roster.admits(hotkey));
        }
    }
}

/// Checks a request's signature: the one expensive check, which needs no state.
pub fn verify<T: Charge>(request: &Signed<T>, context: &SigningContext) -> Result<(), Refusal> {
    request
        .verify_signature(context)
        .map_err(|_| Refusal::BadSignature)
}

impl Charge for Ask {
    fn tokens(&self, spec: &SubnetSpec) -> Result<u32, Refusal> {
        let limits = &spec.limits;
        let vocabulary = spec.subnet.vocab_size;
        let ok = (1..=limits.max_prompt_tokens as usize).contains(&self.prompt.len())
            && (1..=limits.max_new_tokens).contains(&u32::from(self.max_new_tokens))
            && self.temperature_milli <= MAX_TEMPERATURE_MILLI
            && self.prompt.iter().all(|token| *token < vocabulary);
        if ok {
            Ok(self.prompt.len() as u32 + u32::from(self.max_new_tokens))
        } else {
            Err(Refusal::OutOfBounds)
        }
    }
}

impl Charge for Fetch {
    fn tokens(&self, spec: &SubnetSpec) -> Result<u32, Refusal> {
        match self.len <= spec.limits.max_chunk_bytes {
            true => Ok(0),
            false => Err(Refusal::OutOfBounds),
        }
    }
}

impl Charge for DeltaQuery {
    fn tokens(&self, _: &SubnetSpec) -> Result<u32, Refusal> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
