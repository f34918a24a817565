//! Stakes TAO to a hotkey, and takes it back.

use athanor_spec::{Hotkey, NetUid, Rao};
use sp_core::sr25519;
use thiserror::Error;

use crate::{
    Client, Included, Signer, SubmitError,
    calls::{self, key, number, subnet},
    submit::Call,
};

/// Why a stake stayed as it was.
#[derive(Debug, Error)]
pub enum StakeError {
    /// The coldkey has less than that.
    #[error(
        "cannot stake {amount} TAO: the coldkey holds less than that and the fee; stake less or send it some"
    )]
    TooPoor {
        /// What should have been staked.
        amount: Rao,
    },
    /// The chain does not take so little.
    #[error("{amount} TAO is less than the chain's smallest stake: stake more")]
    TooLittle {
        /// What should have been staked.
        amount: Rao,
    },
    /// The hotkey has no owner on chain yet.
    #[error("{hotkey} is unknown to the chain: register it on a subnet first")]
    UnknownHotkey {
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Less alpha is staked than should be taken back.
    #[error(
        "{hotkey} has less than {amount} alpha of this coldkey on subnet {netuid}: unstake less"
    )]
    NotStaked {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// What should have been taken back.
        amount: Rao,
    },
    /// The subnet's pool cannot swap so much now.
    #[error("subnet {netuid} cannot swap so much now ({reason}): try a smaller amount, or later")]
    NoLiquidity {
        /// The subnet.
        netuid: NetUid,
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Client {
    /// Stakes `amount` of the coldkey's TAO to `hotkey` on `netuid`.
    pub async fn add_stake(
        &self,
        coldkey: impl Into<Signer>,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: Rao,
    ) -> Result<Included, StakeError> {
        self.submit(coldkey, &call(&hotkey, netuid, amount))
            .await
            .map_err(|error| match error.refusal() {
                Some(
                    "NotEnoughBalanceToStake"
                    | "BalanceWithdrawalError"
                    | "ZeroBalanceAfterWithdrawn",
                ) => StakeError::TooPoor { amount },
                Some("AmountTooLow") => StakeError::TooLittle { amount },
                Some("HotKeyAccountNotExists") => StakeError::UnknownHotkey { hotkey },
                Some(
                    reason @ ("InsufficientLiquidity"
                    | "SlippageTooHigh"
                    | "SubtokenDisabled"
                    | "StakingRateLimitExceeded"
                    | "StakingOperationRateLimitExceeded"),
                ) => StakeError::NoLiquidity {
                    netuid,
                    reason: reason.to_owned(),
                },
                _ => error.into(),
            })
    }

    /// Takes `amount` of the subnet's alpha back from `hotkey` and swaps it to TAO.
    pub async fn remove_stake(
        &self,
        coldkey: &sr25519::Pair,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: Rao,
    ) -> Result<Included, StakeError> {
        self.submit(coldkey, &remove_call(&hotkey, netuid, amount))
            .await
            .map_err(|error| match error.refusal() {
                Some("NotEnoughStakeToWithdraw" | "NonAssociatedColdKey") => {
                    StakeError::NotStaked {
                        hotkey,
                        netuid,
                        amount,
                    }
                }
                Some("AmountTooLow") => StakeError::TooLittle { amount },
                Some("HotKeyAccountNotExists") => StakeError::UnknownHotkey { hotkey },
                Some(
                    reason @ ("InsufficientLiquidity"
                    | "SlippageTooHigh"
                    | "SubtokenDisabled"
                    | "StakingRateLimitExceeded"
                    | "StakingOperationRateLimitExceeded"),
                ) => StakeError::NoLiquidity {
                    netuid,
                    reason: reason.to_owned(),
                },
                _ => error.into(),
            })
    }
}

pub(crate) fn call(hotkey: &Hotkey, netuid: NetUid, amount: Rao) -> Call {
    calls::ADD_STAKE.with([key(hotkey), subnet(netuid), number(amount.0)])
}

pub(crate) fn remove_call(hotkey: &Hotkey, netuid: NetUid, amount: Rao) -> Call {
    calls::REMOVE_STAKE.with([key(hotkey), subnet(netuid), number(amount.0)])
}
