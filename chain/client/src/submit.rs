//! Extrinsics: signed here, followed until a finalized block holds them, and judged by their own events.

use std::time::Duration;

use athanor_spec::{BlockNumber, Digest, Hotkey};
use scale_value::{Composite, Value};
use sp_core::sr25519;
use subxt::{
    config::{
        DefaultExtrinsicParamsBuilder, Hasher as _,
        substrate::{AccountId32, BlakeTwo256},
    },
    error::DispatchError,
    events::Phase,
    rpcs,
    rpcs::methods::legacy::TransactionStatus,
};
use thiserror::Error;

use crate::{BlockRef, Client, ReadError, rpc, signer::PairSigner, state::State};

/// Blocks during which an extrinsic can be included: some minutes, so that one that was lost cannot surprise later.
pub(crate) const ERA_BLOCKS: u64 = 64;
/// Longest wait for inclusion and finality; Bittensor finalizes within a minute.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often a call is signed anew after the chain moved on before it took it.
const SIGNATURES: usize = 4;
/// Pause between looks at the chain once the node no longer reports an extrinsic's progress.
pub(crate) const POLL: Duration = Duration::from_millis(500);

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
    /// The runtime's name of the refusal, if that is what this is.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Rejected { reason, .. } => custom_refusal(reason),
            _ => None,
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

    pub(crate) fn payload(&self) -> subxt::tx::DynamicPayload<Composite<()>> {
        subxt::dynamic::tx(
            self.pallet,
            self.name,
            Composite::named(self.arguments.clone()),
        )
    }
}

impl Client {
    /// Sends `call` with the account's next nonce and follows it. Should the chain have moved on in between, the call is
    /// signed anew, with a later nonce and era.
    pub(crate) async fn submit(
        &self,
        pair: &sr25519::Pair,
        call: &Call,
    ) -> Result<Included, SubmitError> {
        let account = PairSigner(pair).account();
        let mut signatures = 1;
        loop {
            let state = self.state(None).await?;
            let nonce = self.rpc().next_nonce(AccountId32(account.0)).await?;
            match self.submit_at(&state, pair, nonce, call).await {
                Err(SubmitError::Outdated { .. }) if signatures < SIGNATURES => signatures += 1,
                result => return result,
            }
        }
    }

    /// Sends `call` with exactly `nonce`, valid from the block of `state` on, and follows it.
    pub(crate) async fn submit_at(
        &self,
        state: &State,
        pair: &sr25519::Pair,
        nonce: u64,
        call: &Call,
    ) -> Result<Included, SubmitError> {
        let signer = PairSigner(pair);
        let born = state.block();
        let params = DefaultExtrinsicParamsBuilder::new()
            .mortal_from_unchecked(ERA_BLOCKS, born.number.0.into(), born.hash.0.into())
            .nonce(nonce)
            .build();
        let payload = call.payload();
        let signed = state
            .at()
            .tx()
            .create_signable_offline(&payload, params)
            .and_then(|mut signable| signable.sign(&signer))
            .map_err(|error| call.unknown(error))?;
        let hash = Digest(BlakeTwo256.hash(signed.encoded()).0);
        tracing::debug!(call = call.path(), %hash, nonce, "sending an extrinsic");

        let following = self.follow(signed.encoded(), hash, born, |error| {
            refused(error, signer.account(), nonce, call)
        });
        let block = match tokio::time::timeout(PATIENCE, following).await {
            Ok(Ok(Some(block))) => block,
            // The era has passed, and no block of it holds the extrinsic: now it never will.
            Ok(Ok(None)) => return Err(SubmitError::Outdated { call: call.path() }),
            Ok(Err(error)) => return Err(self.if_expired(error, born, call).await),
            Err(_) => {
                return Err(SubmitError::NotIncluded {
                    call: call.path(),
                    seconds: PATIENCE.as_secs(),
                });
            }
        };
        self.judge(block, hash, call).await
    }

    /// An era that has passed is read as a later one, whose birth block the signature does not fit.
    async fn if_expired(&self, error: SubmitError, born: BlockRef, call: &Call) -> SubmitError {
        let bad_signature = matches!(
            &error,
            SubmitError::Rejected { code: pool::INVALID, reason, .. } if reason.contains("bad signature")
        );
        if !bad_signature {
            return error;
        }
        match self.rpc().finalized().await {
            Ok(head) if head.number.0 >= last_of_era(born) => {
                SubmitError::Outdated { call: call.path() }
            }
            _ => error,
        }
    }

    /// Hands the extrinsic to the node and waits for the finalized block that holds it; `None` if there is none.
    async fn follow(
        &self,
        extrinsic: &[u8],
        hash: Digest,
        born: BlockRef,
        refused: impl Fn(rpcs::UserError) -> SubmitError,
    ) -> Result<Option<BlockRef>, SubmitError> {
        const METHOD: &str = "author_submitAndWatchExtrinsic";
        let mut handed_over = false;
        let mut statuses = loop {
            match self.rpc().submit(extrinsic).await {
                Ok(statuses) => break statuses,
                // The node had it before the connection broke: what it says now is about the same extrinsic.
                Err(rpcs::Error::User(error)) if handed_over && taken(&error) => {
                    return self.find(hash, born).await;
                }
                Err(rpcs::Error::User(error)) => return Err(refused(error)),
                // Sending the same bytes again is harmless: one nonce is included once.
                Err(error) if error.is_disconnected_will_reconnect() => handed_over = true,
                Err(error) => return Err(self.rpc().error(METHOD, error).into()),
            }
        };
        while let Some(Ok(status)) = statuses.next().await {
            match status {
                TransactionStatus::Finalized(block) => {
                    return Ok(Some(self.rpc().block(Digest(block.0)).await?));
                }
                TransactionStatus::Invalid
                | TransactionStatus::Dropped
                | TransactionStatus::Usurped(_) => break,
                _ => {}
            }
        }
        // The node lost sight of it (reconnection, or a full pool); the chain itself knows whether it was included.
        self.find(hash, born).await
    }

    /// Looks for an extrinsic in every finalized block of its era; `None` if it is in none of them.
    async fn find(&self, hash: Digest, born: BlockRef) -> Result<Option<BlockRef>, SubmitError> {
        let mut number = born.number.0 + 1;
        while number <= last_of_era(born) {
            let head = self.rpc().finalized().await?;
            while number <= head.number.0 {
                let Some(found) = self.rpc().block_hash(BlockNumber(number)).await? else {
                    break;
                };
                let block = BlockRef {
                    number: BlockNumber(number),
                    hash: found,
                };
                let body = self.rpc().body(block).await?;
                if body
                    .iter()
                    .any(|extrinsic| BlakeTwo256.hash(extrinsic).0 == hash.0)
                {
                    return Ok(Some(block));
                }
                number += 1;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(None)
    }

    /// Reads from the block's events whether the extrinsic took effect.
    async fn judge(
        &self,
        block: BlockRef,
        hash: Digest,
        call: &Call,
    ) -> Result<Included, SubmitError> {
        let state = self.state_at(block).await?;
        let body = self.rpc().body(block).await?;
        let index = body
            .iter()
            .position(|extrinsic| BlakeTwo256.hash(extrinsic).0 == hash.0)
            .and_then(|index| u32::try_from(index).ok())
            .ok_or_else(|| ReadError::UnknownBlock {
                block: block.number.to_string(),
            })?;
        match self.rpc().within(outcome(&state, index)).await? {
            None => Ok(Included {
                block: block.number,
                extrinsic: hash,
            }),
            Some(DispatchError::Module(module)) => {
                let (pallet, error) = match module.details() {
                    Ok(details) => (
                        details.pallet.name().to_owned(),
                        details.variant.name.clone(),
                    ),
                    Err(_) => (String::new(), module.details_string()),
                };
                Err(SubmitError::Failed {
                    call: call.path(),
                    block: block.number,
                    pallet,
                    error,
                })
            }
            Some(other) => Err(SubmitError::Failed {
                call: call.path(),
                block: block.number,
                pallet: "System".to_owned(),
                error: match other {
                    DispatchError::BadOrigin => "BadOrigin".to_owned(),
                    other => other.to_string(),
                },
            }),
        }
    }
}

/// `None` if the extrinsic at `index` succeeded, else its error.
async fn outcome(state: &State, index: u32) -> Result<Option<DispatchError>, ReadError> {
    let shape = |error: Box<dyn std::error::Error + Send + Sync>| ReadError::UnknownShape {
        pallet: "System".to_owned(),
        name: "Events".to_owned(),
        source: error,
    };
    let events = state
        .at()
        .events()
        .fetch()
        .await
        .map_err(|error| shape(Box::new(error)))?;
    for event in events.iter() {
        let event = event.map_err(|error| shape(Box::new(error)))?;
        if event.phase() != Phase::ApplyExtrinsic(index) || event.pallet_name() != "System" {
            continue;
        }
        match event.event_name() {
            "ExtrinsicSuccess" => return Ok(None),
            "ExtrinsicFailed" => {
                let error = DispatchError::decode_from(event.field_bytes(), state.at().metadata())
                    .map_err(|error| shape(Box::new(error)))?;
                return Ok(Some(error));
            }
            _ => {}
        }
    }
    Err(shape(format!("no outcome of extrinsic {index}").into()))
}

/// Codes of a node's extrinsic pool.
mod pool {
    /// Refused by the runtime's own checks; the data says why.
    pub(super) const INVALID: i32 = 1010;
    /// The very same extrinsic is in the pool.
    pub(super) const ALREADY_IMPORTED: i32 = 1013;
    /// Another extrinsic with the same nonce is in the pool.
    pub(super) const PRIORITY_TOO_LOW: i32 = 1014;
}

/// The last block that can hold an extrinsic with this birth block.
fn last_of_era(born: BlockRef) -> u32 {
    // The era's length is a small constant.
    born.number.0.saturating_add(ERA_BLOCKS as u32)
}

/// Whether the nonce is used up: by an extrinsic that is in a block, or by one that waits in the pool.
fn taken(error: &rpcs::UserError) -> bool {
    stale(error, &rpc::reason(error))
        || matches!(error.code, pool::ALREADY_IMPORTED | pool::PRIORITY_TOO_LOW)
}

/// Whether nonce or era lie in the past.
fn stale(error: &rpcs::UserError, reason: &str) -> bool {
    error.code == pool::INVALID
        && (reason.contains("outdated") || reason.contains("ancient birth block"))
}

fn refused(error: rpcs::UserError, account: Hotkey, nonce: u64, call: &Call) -> SubmitError {
    let reason = rpc::reason(&error);
    if stale(&error, &reason) {
        return SubmitError::Outdated { call: call.path() };
    }
    if taken(&error) {
        return SubmitError::NonceTaken { account, nonce };
    }
    if error.code == pool::INVALID && reason.contains("pay some fees") {
        return SubmitError::CannotPay {
            account,
            call: call.path(),
        };
    }
    SubmitError::Rejected {
        call: call.path(),
        code: error.code,
        reason,
    }
}

/// Subtensor checks some calls before they enter the pool, and then gives a number instead of the error's name.
fn custom_refusal(reason: &str) -> Option<&'static str> {
    let digits: String = reason
        .split_once("ustom error: ")
        .or_else(|| reason.split_once("\"custom\":"))?
        .1
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some(match digits.parse::<u8>().ok()? {
        1 => "AmountTooLow",
        2 => "NotEnoughBalanceToStake",
        3 => "SubnetNotExists",
        4 => "HotKeyAccountNotExists",
        5 => "NotEnoughStakeToWithdraw",
        6 => "SettingWeightsTooFast",
        7 => "InsufficientLiquidity",
        8 => "SlippageTooHigh",
        9 => "TransferDisallowed",
        10 => "HotKeyNotRegisteredInNetwork",
        11 => "InvalidIpAddress",
        12 => "ServingRateLimitExceeded",
        13 => "InvalidPort",
        14 => "ZeroMaxStakeAmount",
        15 => "InvalidRevealRound",
        16 => "NoWeightsCommitFound",
        17 => "RevealTooEarly",
        18 => "InputLengthsUnequal",
        19 => "UidNotFound",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_refusals_get_their_names_back() {
        assert_eq!(
            custom_refusal("Invalid Transaction: Custom error: 12"),
            Some("ServingRateLimitExceeded")
        );
        assert_eq!(
            custom_refusal(r#"1010: {"invalid":{"custom":6}}"#),
            Some("SettingWeightsTooFast")
        );
        assert_eq!(
            custom_refusal("Invalid Transaction: Transaction is outdated"),
            None
        );
        assert_eq!(custom_refusal("Custom error: 255"), None);
    }

    #[test]
    fn a_taken_nonce_is_told_from_other_refusals() {
        let call = Call {
            pallet: "SubtensorModule",
            name: "set_weights",
            arguments: Vec::new(),
        };
        let refuse = |code, data: &str| {
            let data = Some(serde_json::value::to_raw_value(data).unwrap());
            let error = rpcs::UserError {
                code,
                message: "Invalid Transaction".to_owned(),
                data,
            };
            refused(error, Hotkey([1; 32]), 7, &call)
        };
        assert!(matches!(
            refuse(1010, "Transaction is outdated"),
            SubmitError::Outdated { .. }
        ));
        assert!(matches!(
            refuse(1010, "Transaction has an ancient birth block"),
            SubmitError::Outdated { .. }
        ));
        assert!(matches!(
            refuse(1013, "Already imported"),
            SubmitError::NonceTaken { nonce: 7, .. }
        ));
        assert!(matches!(
            refuse(1014, "Priority is too low"),
            SubmitError::NonceTaken { .. }
        ));
        assert!(matches!(
            refuse(
                1010,
                "Inability to pay some fees (e.g. account balance too low)"
            ),
            SubmitError::CannotPay { .. }
        ));
        let other = refuse(1010, "Transaction has a bad signature").to_string();
        assert!(
            other.contains("bad signature") && other.contains("1010"),
            "{other}"
        );
    }
}
