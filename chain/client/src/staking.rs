//! Stakes TAO to a hotkey.

use athanor_spec::{Hotkey, NetUid, Rao};
use scale_value::Value;
use sp_core::sr25519;
use thiserror::Error;

use crate::{
    Client, Included, SubmitError,
    submit::{Call, account_argument},
};

/// Why nothing was staked.
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
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Client {
    /// Stakes `amount` of the coldkey's TAO to `hotkey` on `netuid`.
    pub async fn add_stake(
        &self,
        coldkey: &sr25519::Pair,
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
                _ => error.into(),
            })
    }
}

pub(crate) fn call(hotkey: &Hotkey, netuid: NetUid, amount: Rao) -> Call {
    Call {
        pallet: "SubtensorModule",
        name: "add_stake",
        arguments: vec![
            ("hotkey", account_argument(hotkey)),
            ("netuid", Value::u128(netuid.0.into())),
            ("amount_staked", Value::u128(amount.0.into())),
        ],
    }
}
