//! Signs what this validator says to peers, each message with a nonce of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use athanor_spec::{Hotkey, Signed, SigningContext, envelope::Domain};
use codec::Encode;
use sp_core::{Pair as _, sr25519};

/// How long a request may be under way before the miner refuses it, in milliseconds.
const WINDOW_MS: u64 = 30_000;

/// The hotkey with its signing context and nonce counter.
#[derive(Clone)]
pub struct Signer {
    pair: sr25519::Pair,
    context: SigningContext,
    next_nonce: Arc<AtomicU64>,
}

impl Signer {
    /// A signer whose nonces start at the current time in microseconds: above all nonces of an earlier run, as long as
    /// the clock was never set back.
    pub fn new(pair: sr25519::Pair, context: SigningContext) -> Self {
        Self::from_nonce(pair, context, now_micros())
    }

    /// A signer whose nonces start at `first`.
    pub fn from_nonce(pair: sr25519::Pair, context: SigningContext, first: u64) -> Self {
        Self {
            pair,
            context,
            next_nonce: Arc::new(AtomicU64::new(first)),
        }
    }

    /// The public key.
    pub fn hotkey(&self) -> Hotkey {
        Hotkey(self.pair.public().0)
    }

    /// The chain and subnet that signatures are bound to.
    pub fn context(&self) -> &SigningContext {
        &self.context
    }

    /// Signs `payload` as of now.
    pub fn sign<T: Encode + Domain>(&self, payload: T) -> Signed<T> {
        let nonce = self.next_nonce.fetch_add(1, Ordering::Relaxed);
        Signed::new(
            &self.pair,
            &self.context,
            payload,
            now_ms(),
            WINDOW_MS,
            nonce,
        )
    }
}

/// The local clock in microseconds since the Unix epoch.
pub(crate) fn now_micros() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_micros() as u64)
}

/// The local clock in milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_millis() as u64)
}
