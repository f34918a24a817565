//! Extrinsics: signed here, followed until a finalized block holds them, and judged by their own events.

mod follow;
mod outcome;
mod pool;
mod quote;

use std::time::Duration;

use athanor_spec::{BlockNumber, Digest, Hotkey};
use scale_value::{Composite, Value};
use subxt::{
    SubstrateConfig,
    client::OnlineClientAtBlockImpl,
    config::{
        DefaultExtrinsicParamsBuilder, Hasher as _,
        substrate::{AccountId32, BlakeTwo256, MultiSignature},
    },
    tx::{DynamicPayload, SignableTransaction},
};
use thiserror::Error;

use crate::{
    Client, ReadError, SignError, Signer,
    signer::{MAX_PLAIN_PAYLOAD, Purpose},
    state::State,
};

use follow::Sent;
pub use quote::Quote;

/// Blocks during which an extrinsic can be included: some minutes, so that one that was lost cannot surprise later.
pub(crate) const ERA_BLOCKS: u64 = 64;
/// How often a call is signed anew after the chain moved on before it took it.
const SIGNATURES: usize = 4;
/// Length of a payload that is signed by its hash; no other is as short.
const HASH_BYTES: usize = 32;
/// Pause between looks at the chain once the node no longer reports an extrinsic's progress.
pub(crate) const POLL: Duration = Duration::from_millis(500);

type Payload = DynamicPayload<Composite<()>>;
type Signable<'p> =
    SignableTransaction<'p, SubstrateConfig, OnlineClientAtBlockImpl<SubstrateConfig>, Payload>;

/// Where an extrinsic ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included {
    /// The finalized block that holds it.
    pub block: BlockNumber,
    /// Its hash.
    pub extrinsic: Digest,
}

/// Why an extrinsic had no effect, as far as that does not depend on the call.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// The chain could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It was not signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The runtime has no such call, or one with other arguments.
    #[error("`{call}` does not fit this chain's runtime: {source}")]
    UnknownCall {
        /// Pallet and call.
        call: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The chain moved on between signing and sending; it was not included.
    #[error("the chain moved on before it took `{call}`, which had no effect: send it again")]
    Outdated {
        /// Pallet and call.
        call: String,
    },
    /// Another extrinsic of this account has the nonce already.
    #[error(
        "nonce {nonce} of {account} is taken: another process signs with this key, or this call was already sent; \
         read the chain before sending again"
    )]
    NonceTaken {
        /// The signing account.
        account: Hotkey,
        /// The nonce.
        nonce: u64,
    },
    /// The account cannot pay the fee.
    #[error("{account} cannot pay the fee of `{call}`: send it some TAO")]
    CannotPay {
        /// The signing account.
        account: Hotkey,
        /// Pallet and call.
        call: String,
    },
    /// The node's pool refused it.
    #[error("the node refused `{call}`: {reason} (code {code})")]
    Rejected {
        /// Pallet and call.
        call: String,
        /// JSON-RPC error code.
        code: i32,
        /// What the node says.
        reason: String,
    },
    /// No finalized block held it in time; it may still be included, but never twice.
    #[error(
        "`{call}` was in no finalized block after {seconds} s: check that the chain makes blocks, then read it before \
         sending again"
    )]
    NotIncluded {
        /// Pallet and call.
        call: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It was included, and the runtime refused it.
    #[error("`{call}` failed in block {block}: {pallet}.{error}")]
    Failed {
        /// Pallet and call.
        call: String,
        /// The block that holds it.
        block: BlockNumber,
        /// The pallet that refused.
        pallet: String,
        /// The name of the refusal.
        error: String,
    },
}

impl SubmitError {
    /// A name for counting, the same for all errors of a kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Read(_) => "cannot_read",
            Self::Sign(_) => "not_signed",
            Self::UnknownCall { .. } => "unknown_call",
            Self::Outdated { .. } => "outdated",
            Self::NonceTaken { .. } => "nonce_taken",
            Self::CannotPay { .. } => "cannot_pay",
            Self::Rejected { .. } => "rejected",
            Self::NotIncluded { .. } => "not_included",
            Self::Failed { .. } => "failed",
        }
    }

    /// The runtime's name of the refusal, if that is what this is.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Rejected { reason, .. } => pool::custom_refusal(reason),
            _ => None,
        }
    }

    /// Whether the extrinsic has no effect and never will; else the chain has to be asked.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Sign(_)
            | Self::UnknownCall { .. }
            | Self::Outdated { .. }
            | Self::CannotPay { .. }
            | Self::Rejected { .. }
            | Self::Failed { .. } => true,
            Self::Read(_) | Self::NonceTaken { .. } | Self::NotIncluded { .. } => false,
        }
    }
}

/// A call with named arguments.
pub(crate) struct Call {
    pub(crate) pallet: &'static str,
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<(&'static str, Value)>,
}

impl Call {
    /// As in the metadata and in [`crate::ExtrinsicSummary::call`].
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.pallet, self.name)
    }

    fn unknown(&self, error: impl std::error::Error + Send + Sync + 'static) -> SubmitError {
        SubmitError::UnknownCall {
            call: self.path(),
            source: Box::new(error),
        }
    }

    pub(crate) fn payload(&self) -> Payload {
        subxt::dynamic::tx(
            self.pallet,
            self.name,
            Composite::named(self.arguments.clone()),
        )
    }

    /// This call's `payload`, to be signed; the chain takes it with exactly this nonce, within [`ERA_BLOCKS`] of the block of
    /// `state`.
    fn signable<'p>(
        &self,
        payload: &'p Payload,
        state: &State,
        nonce: u64,
    ) -> Result<Signable<'p>, SubmitError> {
        let born = state.block();
        let params = DefaultExtrinsicParamsBuilder::new()
            .mortal_from_unchecked(ERA_BLOCKS, born.number.0.into(), born.hash.0.into())
            .nonce(nonce)
            .build();
        state
            .at()
            .tx()
            .create_signable_offline(payload, params)
            .map_err(|error| self.unknown(error))
    }
}

impl Client {
    /// Sends `call` with the account's next nonce and follows it. Should the chain have moved on in between, the call is
    /// signed anew, with a later nonce and era.
    pub(crate) async fn submit(
        &self,
        signer: impl Into<Signer>,
        call: &Call,
    ) -> Result<Included, SubmitError> {
        let signer = signer.into();
        let account = signer.hotkey();
        let mut signatures = 1;
        loop {
            let state = self.state(None).await?;
            let nonce = self.rpc().next_nonce(AccountId32(account.0)).await?;
            match self.submit_at(&state, &signer, nonce, call).await {
                Err(SubmitError::Outdated { .. }) if signatures < SIGNATURES => signatures += 1,
                result => return result,
            }
        }
    }

    /// Sends `call` with exactly `nonce`, valid from the block of `state` on, and follows it.
    pub(crate) async fn submit_at(
        &self,
        state: &State,
        signer: impl Into<Signer>,
        nonce: u64,
        call: &Call,
    ) -> Result<Included, SubmitError> {
        let signer = signer.into();
        let born = state.block();
        let payload = call.payload();
        let mut signable = call.signable(&payload, state, nonce)?;
        let bytes = signable
            .signer_payload()
            .map_err(|error| call.unknown(error))?;
        let is_hash = bytes.len() == HASH_BYTES;
        if is_hash && matches!(signer, Signer::Remote(_)) {
            return Err(SignError::TooLong {
                longest: MAX_PLAIN_PAYLOAD,
            }
            .into());
        }
        let signature = signer.sign(Purpose::Extrinsic, &bytes).await?;
        let account = AccountId32(signer.hotkey().0);
        let signed = signable
            .sign_with_account_and_signature(&account, &MultiSignature::Sr25519(signature))
            .map_err(|error| call.unknown(error))?;
        let hash = Digest(BlakeTwo256.hash(signed.encoded()).0);
        tracing::debug!(call = call.path(), %hash, nonce, "sending an extrinsic");

        let sent = Sent {
            bytes: signed.encoded(),
            hash,
            born,
        };
        let following = self.follow(&sent, |error| {
            pool::refused(error, signer.hotkey(), nonce, call)
        });
        let patience = self.patience().inclusion;
        let block = match tokio::time::timeout(patience, following).await {
            Ok(Ok(Some(block))) => block,
            // The era has passed, and no block of it holds the extrinsic: now it never will.
            Ok(Ok(None)) => return Err(SubmitError::Outdated { call: call.path() }),
            Ok(Err(error)) => return Err(self.if_expired(error, state, call).await),
            Err(_) => {
                return Err(SubmitError::NotIncluded {
                    call: call.path(),
                    seconds: patience.as_secs(),
                });
            }
        };
        self.judge(block, hash, call).await
    }
}
