//! Who signs: a key in this process, or a service on a machine that keeps it.
//!
//! An extrinsic goes through [`Signer::sign`] as the payload that subxt encodes, a message to peers through
//! [`Signer::seal`]. A remote signer is asked off the executor, and may refuse: it signs what a daemon needs and nothing
//! else.

mod remote;

use athanor_spec::{
    Hotkey, Signed, SigningContext,
    envelope::{Domain, signing_bytes},
};
use codec::Encode;
use sp_core::{Pair as _, sr25519};
use thiserror::Error;

pub use remote::{
    KEY_PATH, KeyAnswer, MAX_BODY, RemoteSigner, SIGN_PATH, SignAnswer, SignRefusal, SignRequest,
};

/// Longest payload that goes into a signature as it is; of a longer one only the hash does, by which nobody can judge it
/// (`sp_runtime::generic::SignedPayload`).
pub const MAX_PLAIN_PAYLOAD: usize = 256;

/// What makes signatures of one account, cheap to clone.
#[derive(Clone)]
pub enum Signer {
    /// The key is here.
    Local(sr25519::Pair),
    /// The key is elsewhere.
    Remote(RemoteSigner),
}

/// What bytes are signed as: a signer judges each kind by its own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A message between peers ([`signing_bytes`]).
    Message,
    /// The signed payload of an extrinsic.
    Extrinsic,
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignError {
    /// Nobody answers.
    #[error(
        "the signer at {url} does not answer ({reason}): check that it runs, and the tunnel to it"
    )]
    Unreachable {
        /// The signer.
        url: String,
        /// What the network says.
        reason: String,
    },
    /// The token is another.
    #[error(
        "the signer at {url} does not know the token in --wallet.signer_token: copy the file that it was started with"
    )]
    NotAuthorised {
        /// The signer.
        url: String,
    },
    /// It does not sign such things.
    #[error("the signer at {url} refuses to sign this: {reason}")]
    Refused {
        /// The signer.
        url: String,
        /// What it says.
        reason: String,
    },
    /// What answers is no signer, or has another key than before.
    #[error("what answers at {url} is not the signer of {hotkey}: {reason}")]
    NotTheSigner {
        /// The address.
        url: String,
        /// Whose signatures are wanted.
        hotkey: String,
        /// What is wrong.
        reason: String,
    },
    /// Only the hash of the extrinsic would be signed.
    #[error(
        "an extrinsic of more than {longest} bytes is signed by its hash, which a remote signer cannot judge: the key has \
         to be here for it"
    )]
    TooLong {
        /// Most bytes that are signed as they are.
        longest: usize,
    },
}

impl Signer {
    /// The account that it signs for.
    pub fn hotkey(&self) -> Hotkey {
        match self {
            Self::Local(pair) => Hotkey(pair.public().0),
            Self::Remote(remote) => remote.hotkey(),
        }
    }

    /// An sr25519 signature over `bytes`.
    pub async fn sign(&self, purpose: Purpose, bytes: &[u8]) -> Result<[u8; 64], SignError> {
        match self {
            Self::Local(pair) => Ok(pair.sign(bytes).0),
            Self::Remote(remote) => remote.sign(purpose, bytes).await,
        }
    }

    /// Signs a message to peers, valid for `window_ms` from `now_ms`.
    pub async fn seal<T: Encode + Domain>(
        &self,
        context: &SigningContext,
        payload: T,
        now_ms: u64,
        window_ms: u64,
        nonce: u64,
    ) -> Result<Signed<T>, SignError> {
        let signer = self.hotkey();
        let expires_ms = now_ms.saturating_add(window_ms);
        let bytes = signing_bytes(context, &payload, &signer, now_ms, expires_ms, nonce);
        Ok(Signed {
            signature: self.sign(Purpose::Message, &bytes).await?,
            payload,
            signer,
            issued_ms: now_ms,
            expires_ms,
            nonce,
        })
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::Local(_) => "Local",
            Self::Remote(_) => "Remote",
        };
        f.debug_tuple(kind).field(&self.hotkey()).finish()
    }
}

impl From<sr25519::Pair> for Signer {
    fn from(pair: sr25519::Pair) -> Self {
        Self::Local(pair)
    }
}

impl From<&sr25519::Pair> for Signer {
    fn from(pair: &sr25519::Pair) -> Self {
        Self::Local(pair.clone())
    }
}

impl From<&Signer> for Signer {
    fn from(signer: &Signer) -> Self {
        signer.clone()
    }
}

/// The account of a key pair.
pub(crate) fn account(pair: &sr25519::Pair) -> Hotkey {
    Hotkey(pair.public().0)
}
