//! Registers a hotkey on a subnet.

use athanor_spec::{Hotkey, NetUid, Rao};
use scale_value::Value;
use sp_core::sr25519;
use thiserror::Error;

use crate::{
    Client, Included, ReadError, SubmitError, items,
    state::account,
    submit::{Call, account_argument},
};

/// Why a hotkey could not be registered.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// It holds a slot already; nothing was paid.
    #[error("{hotkey} is registered on subnet {netuid} already")]
    AlreadyRegistered {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The coldkey cannot pay the price.
    #[error(
        "registering on subnet {netuid} costs {price} TAO, but the coldkey holds {balance}: send it the difference"
    )]
    TooPoor {
        /// The subnet.
        netuid: NetUid,
        /// Price of a registration.
        price: Rao,
        /// What the coldkey holds.
        balance: Rao,
    },
    /// The subnet takes no more registrations for now.
    #[error(
        "subnet {netuid} takes no more registrations for now ({reason}): try again in a later block"
    )]
    Full {
        /// The subnet.
        netuid: NetUid,
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl From<ReadError> for RegisterError {
    fn from(error: ReadError) -> Self {
        Self::Submit(error.into())
    }
}

impl Client {
    /// Registers `hotkey` on `netuid`; `coldkey` burns the subnet's price, pays the fee and owns the hotkey from then on.
    pub async fn register(
        &self,
        coldkey: &sr25519::Pair,
        netuid: NetUid,
        hotkey: Hotkey,
    ) -> Result<Included, RegisterError> {
        let price = self.registration_price(netuid, &hotkey).await?;
        match self.submit(coldkey, &call(netuid, &hotkey)).await {
            Ok(included) => Ok(included),
            Err(error) => Err(match error.refusal() {
                Some("HotKeyAlreadyRegisteredInSubNet") => {
                    RegisterError::AlreadyRegistered { hotkey, netuid }
                }
                Some(
                    "NotEnoughBalanceToStake"
                    | "BalanceWithdrawalError"
                    | "ZeroBalanceAfterWithdrawn",
                ) => {
                    let coldkey = crate::signer::PairSigner(coldkey).account();
                    RegisterError::TooPoor {
                        netuid,
                        price,
                        balance: self.balance(&coldkey).await?,
                    }
                }
                Some(
                    reason @ ("TooManyRegistrationsThisBlock"
                    | "TooManyRegistrationsThisInterval"
                    | "SubNetRegistrationDisabled"
                    | "NoNeuronIdAvailable"),
                ) => RegisterError::Full {
                    netuid,
                    reason: reason.to_owned(),
                },
                _ => error.into(),
            }),
        }
    }

    /// The price, for a hotkey that is not registered yet.
    async fn registration_price(
        &self,
        netuid: NetUid,
        hotkey: &Hotkey,
    ) -> Result<Rao, RegisterError> {
        let state = self.state(None).await?;
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let uid = batch.ask::<u16>(items::UIDS, (netuid.0, account(hotkey)))?;
        let burn = batch.ask::<u64>(items::BURN, (netuid.0,))?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid }.into());
        }
        if answers.is_stored(uid) {
            return Err(RegisterError::AlreadyRegistered {
                hotkey: *hotkey,
                netuid,
            });
        }
        Ok(Rao(answers.get(burn)?.unwrap_or_default()))
    }
}

pub(crate) fn call(netuid: NetUid, hotkey: &Hotkey) -> Call {
    Call {
        pallet: "SubtensorModule",
        name: "burned_register",
        arguments: vec![
            ("netuid", Value::u128(netuid.0.into())),
            ("hotkey", account_argument(hotkey)),
        ],
    }
}
