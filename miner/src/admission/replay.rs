//! Remembering nonces for as long as their messages could be accepted.

use std::collections::{BTreeSet, HashMap};

use athanor_spec::{Hotkey, Refusal};

/// Nonces remembered per signer: 136 messages a second over the longest window, which no honest validator sends to one
/// miner; it bounds what a dishonest one can make us hold, which is below a megabyte.
const MAX_PER_SIGNER: usize = 16_384;

/// The nonces that were seen and whose messages have not expired. Only signers whose signature was verified get a place,
/// so that it holds at most [`MAX_PER_SIGNER`] nonces for each hotkey that was on the roster within the longest window.
#[derive(Debug, Default)]
pub struct ReplayGuard {
    signers: HashMap<Hotkey, Nonces>,
}

#[derive(Debug, Default)]
struct Nonces {
    /// With the milliseconds since the Unix epoch at which their messages expire.
    seen: HashMap<u64, u64>,
    by_expiry: BTreeSet<(u64, u64)>,
}

impl ReplayGuard {
    /// Refuses a nonce that is remembered; remembers nothing.
    pub fn check(&self, signer: &Hotkey, nonce: u64, now_ms: u64) -> Result<(), Refusal> {
        let Some(nonces) = self.signers.get(signer) else {
            return Ok(());
        };
        // A message is accepted up to and including the millisecond of its expiry.
        let remembered = nonces.seen.get(&nonce);
        if remembered.is_some_and(|expires_ms| *expires_ms >= now_ms) {
            return Err(Refusal::Replayed);
        }
        // Full of what has not expired: the first place is free once the oldest has.
        match nonces.by_expiry.first() {
            Some((expires_ms, _))
                if nonces.seen.len() >= MAX_PER_SIGNER && *expires_ms >= now_ms =>
            {
                let wait = (expires_ms - now_ms).saturating_add(1);
                let retry_after_ms = u32::try_from(wait).unwrap_or(u32::MAX);
                Err(Refusal::Overloaded { retry_after_ms })
            }
            _ => Ok(()),
        }
    }

    /// Remembers a nonce until its message expires; refuses one that is remembered.
    pub fn remember(
        &mut self,
        signer: Hotkey,
        nonce: u64,
        expires_ms: u64,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.forget_expired(&signer, now_ms);
        self.check(&signer, nonce, now_ms)?;
        if !self.signers.contains_key(&signer) {
            // One that lost its standing is remembered for as long as its messages could come again with it.
            self.signers.retain(|_, nonces| {
                let last = nonces.by_expiry.last();
                last.is_some_and(|(expires_ms, _)| *expires_ms >= now_ms)
            });
        }
        let nonces = self.signers.entry(signer).or_default();
        nonces.seen.insert(nonce, expires_ms);
        nonces.by_expiry.insert((expires_ms, nonce));
        Ok(())
    }

    /// Number of nonces held.
    pub fn len(&self) -> usize {
        self.signers.values().map(|nonces| nonces.seen.len()).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn forget_expired(&mut self, signer: &Hotkey, now_ms: u64) {
        let Some(nonces) = self.signers.get_mut(signer) else {
            return;
        };
        while let Some((expires_ms, nonce)) = nonces.by_expiry.first().copied()
            && expires_ms < now_ms
        {
            nonces.by_expiry.pop_first();
            nonces.seen.remove(&nonce);
        }
    }
}
