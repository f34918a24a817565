//! Domain-separated sr25519 signatures around everything that a peer says.
//!
//! The signed bytes are the SCALE encoding of (domain, genesis hash, netuid, protocol version, payload, signer, issue
//! time, expiry, nonce): a signature for one chain, subnet, protocol or kind of message is worthless on another.

use codec::{Decode, DecodeWithMemTracking, Encode};
use sp_core::{Pair as _, sr25519};
use thiserror::Error;

use crate::{Digest, Hotkey, NetUid, PROTOCOL_VERSION};

/// Names the kind of a signed payload.
pub trait Domain {
    /// A constant that no other kind of payload uses.
    const DOMAIN: &'static [u8];
}

/// What binds a signature to one subnet of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningContext {
    /// Hash of the chain's genesis block.
    pub genesis: Digest,
    /// The subnet.
    pub netuid: NetUid,
}

/// A payload with its signer, its time window, its nonce and its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Signed<T> {
    /// What is said.
    pub payload: T,
    /// Who says it.
    pub signer: Hotkey,
    /// When it was signed, in milliseconds since the Unix epoch.
    pub issued_ms: u64,
    /// When it stops being valid, in milliseconds since the Unix epoch.
    pub expires_ms: u64,
    /// Unique per signer within the time window.
    pub nonce: u64,
    /// sr25519 signature.
    pub signature: [u8; 64],
}

/// Why an envelope is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Absent, forged, or made for another chain, subnet, protocol version or kind of message.
    #[error("the signature does not verify for this chain, subnet and message kind")]
    BadSignature,
    /// Outside its time window.
    #[error("outside its time window by the local clock")]
    Expired,
}

/// The longest time window that a verifier accepts: it bounds how many nonces must be remembered.
pub const MAX_WINDOW_MS: u64 = 120_000;
/// How far ahead of the verifier's clock an issue time may lie.
pub const MAX_CLOCK_SKEW_MS: u64 = 5_000;

impl<T: Encode + Domain> Signed<T> {
    /// Signs `payload`, valid for `window_ms` from `now_ms`.
    pub fn new(
        pair: &sr25519::Pair,
        context: &SigningContext,
        payload: T,
        now_ms: u64,
        window_ms: u64,
        nonce: u64,
    ) -> Self {
        let signer = Hotkey(pair.public().0);
        let expires_ms = now_ms.saturating_add(window_ms);
        let bytes = signing_bytes(context, &payload, &signer, now_ms, expires_ms, nonce);
        let signature = pair.sign(&bytes).0;
        Self {
            payload,
            signer,
            issued_ms: now_ms,
            expires_ms,
            nonce,
            signature,
        }
    }

    /// Checks the signature and the time window; replay is the caller's to check.
    pub fn verify(&self, context: &SigningContext, now_ms: u64) -> Result<(), EnvelopeError> {
        self.check_window(now_ms)?;
        self.verify_signature(context)
    }

    /// Checks the time window alone, which costs next to nothing.
    pub fn check_window(&self, now_ms: u64) -> Result<(), EnvelopeError> {
        let window = self
            .expires_ms
            .checked_sub(self.issued_ms)
            .ok_or(EnvelopeError::Expired)?;
        if window > MAX_WINDOW_MS
            || now_ms > self.expires_ms
            || self.issued_ms > now_ms.saturating_add(MAX_CLOCK_SKEW_MS)
        {
            return Err(EnvelopeError::Expired);
        }
        Ok(())
    }

    /// Checks the signature alone: for records that outlive their window, such as transcripts.
    pub fn verify_signature(&self, context: &SigningContext) -> Result<(), EnvelopeError> {
        let bytes = signing_bytes(
            context,
            &self.payload,
            &self.signer,
            self.issued_ms,
            self.expires_ms,
            self.nonce,
        );
        let signature = sr25519::Signature::from_raw(self.signature);
        let signer = sr25519::Public::from_raw(self.signer.0);
        if sr25519::Pair::verify(&signature, &bytes, &signer) {
            Ok(())
        } else {
            Err(EnvelopeError::BadSignature)
        }
    }
}

/// The bytes that a signature covers.
pub fn signing_bytes<T: Encode + Domain>(
    context: &SigningContext,
    payload: &T,
    signer: &Hotkey,
    issued_ms: u64,
    expires_ms: u64,
    nonce: u64,
) -> Vec<u8> {
    (
        T::DOMAIN,
        context.genesis,
        context.netuid,
        PROTOCOL_VERSION,
        payload,
        signer,
        issued_ms,
        expires_ms,
        nonce,
    )
        .encode()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ask, Fetch};

    const CONTEXT: SigningContext = SigningContext {
        genesis: Digest([7; 32]),
        netuid: NetUid(1),
    };

    fn signed() -> Signed<Ask> {
        let pair = sr25519::Pair::from_seed(&[1; 32]);
        let ask = Ask {
            prompt: vec![1, 2],
            max_new_tokens: 3,
            temperature_milli: 700,
            seed: 9,
        };
        Signed::new(&pair, &CONTEXT, ask, 1_000_000, 10_000, 5)
    }

    #[test]
    fn a_fresh_envelope_verifies() {
        assert_eq!(signed().verify(&CONTEXT, 1_005_000), Ok(()));
    }

    #[test]
    fn every_field_is_covered_by_the_signature() {
        let tamper: [fn(&mut Signed<Ask>); 6] = [
            |s| s.payload.seed += 1,
            |s| s.payload.prompt.push(0),
            |s| s.signer.0[0] ^= 1,
            |s| s.expires_ms += 1,
            |s| s.issued_ms += 1,
            |s| s.nonce += 1,
        ];
        for change in tamper {
            let mut envelope = signed();
            change(&mut envelope);
            assert_eq!(
                envelope.verify(&CONTEXT, 1_005_000),
                Err(EnvelopeError::BadSignature)
            );
        }
        let elsewhere = SigningContext {
            netuid: NetUid(2),
            ..CONTEXT
        };
        assert_eq!(
            signed().verify(&elsewhere, 1_005_000),
            Err(EnvelopeError::BadSignature)
        );
        let elsewhere = SigningContext {
            genesis: Digest([8; 32]),
            ..CONTEXT
        };
        assert_eq!(
            signed().verify(&elsewhere, 1_005_000),
            Err(EnvelopeError::BadSignature)
        );
    }

    #[test]
    fn an_absent_signature_is_refused() {
        let mut envelope = signed();
        envelope.signature = [0; 64];
        assert_eq!(
            envelope.verify(&CONTEXT, 1_005_000),
            Err(EnvelopeError::BadSignature)
        );
    }

    #[test]
    fn the_time_window_is_enforced_on_both_sides() {
        assert_eq!(
            signed().verify(&CONTEXT, 1_010_001),
            Err(EnvelopeError::Expired)
        );
        assert_eq!(
            signed().verify(&CONTEXT, 994_999),
            Err(EnvelopeError::Expired)
        );
        assert_eq!(signed().verify(&CONTEXT, 995_000), Ok(()));
    }

    #[test]
    fn an_ask_is_not_a_fetch() {
        let fetch = Fetch {
            blob: Digest([1; 32]),
            offset: 0,
            len: 1,
        };
        let pair = sr25519::Pair::from_seed(&[1; 32]);
        let signed = Signed::new(&pair, &CONTEXT, fetch, 0, 1, 0);
        let bytes = signing_bytes(&CONTEXT, &signed.payload, &signed.signer, 0, 1, 0);
        assert!(bytes.starts_with(&Fetch::DOMAIN.encode()));
        assert_ne!(Fetch::DOMAIN, Ask::DOMAIN);
    }
}
