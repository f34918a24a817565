//! Remembering nonces for as long as their messages could be accepted.

use std::collections::{BTreeSet, HashMap, HashSet};

use athanor_spec::{Hotkey, Refusal};

/// Nonces remembered per signer: 136 messages a second over the longest window, which no honest validator sends to one
/// miner; it bounds what a dishonest one can make us hold.
const MAX_PER_SIGNER: usize = 16_384;

/// The nonces that were seen and whose messages have not expired.
#[derive(Debug, Default)]
pub struct ReplayGuard {
    seen: HashMap<Hotkey, HashSet<u64>>,
    by_expiry: BTreeSet<(u64, Hotkey, u64)>,
}

impl ReplayGuard {
    /// Remembers a nonce until its message expires; refuses one that is remembered.
    pub fn remember(
        &mut self,
        signer: Hotkey,
        nonce: u64,
        expires_ms: u64,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.forget_expired(now_ms);
        let nonces = self.seen.entry(signer).or_default();
        if nonces.contains(&nonce) {
            return Err(Refusal::Replayed);
        }
        if nonces.len() >= MAX_PER_SIGNER {
            let retry_after_ms =
                u32::try_from(expires_ms.saturating_sub(now_ms)).unwrap_or(u32::MAX);
            return Err(Refusal::Overloaded { retry_after_ms });
        }
        nonces.insert(nonce);
        self.by_expiry.insert((expires_ms, signer, nonce));
        Ok(())
    }

    /// Number of nonces held.
    pub fn len(&self) -> usize {
        self.by_expiry.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.by_expiry.is_empty()
    }

    fn forget_expired(&mut self, now_ms: u64) {
        // A message is accepted up to and including the millisecond of its expiry.
        while let Some((expires_ms, signer, nonce)) = self.by_expiry.first().copied()
            && expires_ms < now_ms
        {
            self.by_expiry.pop_first();
            if let Some(nonces) = self.seen.get_mut(&signer) {
                nonces.remove(&nonce);
                if nonces.is_empty() {
                    self.seen.remove(&signer);
                }
            }
        }
    }
}
