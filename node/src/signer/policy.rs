//! What a signer signs: a function of the bytes, the clock and what the chain calls a call.
//!
//! Both rules read only what stands before or behind the part that they do not know, and nothing that follows can change
//! what the chain or a peer takes the bytes for: a call is told by its first two bytes, a message by its domain.

use athanor_spec::{
    Answer, Ask, Digest, Hotkey, NetUid, PROTOCOL_VERSION, SigningContext,
    challenge::{DeltaQuery, Fetch},
    envelope::{Domain, MAX_CLOCK_SKEW_MS, MAX_WINDOW_MS},
};
use codec::Decode;
use thiserror::Error;

/// Kinds of messages that daemons say.
const DOMAINS: &[&[u8]] = &[
    Ask::DOMAIN,
    Answer::DOMAIN,
    Fetch::DOMAIN,
    DeltaQuery::DOMAIN,
];
/// Calls by which a hotkey serves, and says what it serves. The first argument of each is the subnet.
const CALLS: &[(&str, &str)] = &[
    ("Commitments", "set_commitment"),
    ("SubtensorModule", "serve_axon"),
    ("SubtensorModule", "serve_prometheus"),
    ("SubtensorModule", "set_weights"),
    ("SubtensorModule", "set_mechanism_weights"),
    ("SubtensorModule", "commit_weights"),
    ("SubtensorModule", "commit_mechanism_weights"),
    ("SubtensorModule", "commit_timelocked_weights"),
    ("SubtensorModule", "commit_timelocked_mechanism_weights"),
    ("SubtensorModule", "reveal_weights"),
    ("SubtensorModule", "reveal_mechanism_weights"),
];
/// Longest name of a domain: what claims to be longer is not read.
const MAX_DOMAIN: usize = 64;
/// Signer, issue time, expiry and nonce, at the end of every message.
const TAIL: usize = 32 + 3 * 8;
/// What an extrinsic's payload ends with: the runtime's two versions, the genesis, the block of its birth and at most
/// the hash of the metadata.
const IMPLICIT: usize = 4 + 4 + 32 + 32 + 33;

/// Why something is not signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The bytes are no message.
    #[error("this is no message of the subnet's protocol")]
    NotAMessage,
    /// Daemons say no such message, or say it with another key.
    #[error("messages of this kind are not signed here")]
    Kind,
    /// Its context is another one.
    #[error("it is for another chain, subnet or version of the protocol than this signer's")]
    Elsewhere,
    /// It names another signer.
    #[error("it is signed by another hotkey than this signer's")]
    Signer,
    /// Peers would refuse its times.
    #[error(
        "its time window is longer than peers accept, or not now: compare the clocks of both machines"
    )]
    Window,
    /// The bytes are no extrinsic's payload.
    #[error("this is no extrinsic of the chain, or only its hash")]
    NotAnExtrinsic,
    /// It calls what is no daemon's business.
    #[error("{call} is no call that a daemon needs")]
    Call {
        /// Pallet and call.
        call: String,
    },
    /// It gives coins away.
    #[error("it tips {tip} rao, and a daemon needs no tip")]
    Tip {
        /// In rao.
        tip: u128,
    },
}

/// One hotkey on one subnet.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whose signatures these are.
    pub hotkey: Hotkey,
    /// The chain and the subnet.
    pub context: SigningContext,
}

impl Policy {
    /// Whether a message to peers is signed; its domain.
    pub fn message(&self, bytes: &[u8], now_ms: u64) -> Result<&'static str, Refusal> {
        let mut rest = bytes;
        let domain = domain(&mut rest)?;
        let (genesis, netuid, version) =
            <(Digest, NetUid, u16)>::decode(&mut rest).map_err(|_| Refusal::NotAMessage)?;
        let context = SigningContext { genesis, netuid };
        if context != self.context || version != PROTOCOL_VERSION {
            return Err(Refusal::Elsewhere);
        }
        let mut tail = rest
            .len()
            .checked_sub(TAIL)
            .and_then(|at| rest.get(at..))
            .ok_or(Refusal::NotAMessage)?;
        let (signer, issued_ms, expires_ms, _nonce) =
            <(Hotkey, u64, u64, u64)>::decode(&mut tail).map_err(|_| Refusal::NotAMessage)?;
        if signer != self.hotkey {
            return Err(Refusal::Signer);
        }
        let window = expires_ms.checked_sub(issued_ms);
        if window.is_none_or(|window| window > MAX_WINDOW_MS)
            || issued_ms.abs_diff(now_ms) > MAX_CLOCK_SKEW_MS
        {
            return Err(Refusal::Window);
        }
        Ok(domain)
    }

    /// Whether an extrinsic's payload is signed; its call. `name` knows what the chain calls a pallet's call, and `tip` what
    /// the payload of an extrinsic tips.
    pub fn extrinsic(
        &self,
        bytes: &[u8],
        name: impl FnOnce(u8, u8) -> Option<(String, String)>,
        tip: impl FnOnce(&[u8]) -> Option<u128>,
    ) -> Result<&'static str, Refusal> {
        let [pallet, call, netuid @ ..] = bytes else {
            return Err(Refusal::NotAnExtrinsic);
        };
        let (pallet, call) = name(*pallet, *call).ok_or(Refusal::NotAnExtrinsic)?;
        let Some((_, allowed)) = CALLS.iter().find(|known| **known == (&pallet, &call)) else {
            return Err(Refusal::Call {
                call: format!("{pallet}.{call}"),
            });
        };
        let netuid = NetUid::decode(&mut &*netuid).map_err(|_| Refusal::NotAnExtrinsic)?;
        let end = &bytes[bytes.len().saturating_sub(IMPLICIT)..];
        let genesis = self.context.genesis.0;
        if netuid != self.context.netuid || !end.windows(32).any(|window| window == genesis) {
            return Err(Refusal::Elsewhere);
        }
        match tip(bytes) {
            Some(0) => Ok(allowed),
            Some(tip) => Err(Refusal::Tip { tip }),
            None => Err(Refusal::NotAnExtrinsic),
        }
    }
}

fn domain(rest: &mut &[u8]) -> Result<&'static str, Refusal> {
    let length = codec::Compact::<u32>::decode(rest).map_err(|_| Refusal::NotAMessage)?;
    let length = usize::try_from(length.0).map_err(|_| Refusal::NotAMessage)?;
    if length > MAX_DOMAIN || length > rest.len() {
        return Err(Refusal::NotAMessage);
    }
    let (name, behind) = rest.split_at(length);
    *rest = behind;
    let known = DOMAINS.iter().find(|known| **known == name);
    let known = known.ok_or(Refusal::Kind)?;
    std::str::from_utf8(known).map_err(|_| Refusal::Kind)
}
