//! Registers a hotkey on a subnet.

use athanor_spec::{Hotkey, NetUid, Rao};
use sp_core::sr25519;
use thiserror::Error;

use crate::{
    Client, Included, ReadError, SubmitError,
    calls::{self, key, number, subnet},
    client::AccountInfo,
    items,
    state::account,
    submit::Call,
};

/// Why a hotkey could not be registered.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// It holds a slot already; nothing was paid.
    #[error("{hotkey} is registered on subnet {netuid} already: nothing was paid")]
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
    /// The price is above what the caller pays at most.
    #[error(
        "registering on subnet {netuid} costs {price} TAO, more than the limit of {limit}: raise the limit, or wait for \
         the price to fall"
    )]
    TooExpensive {
        /// The subnet.
        netuid: NetUid,
        /// Price of a registration.
        price: Rao,
        /// What the caller pays at most.
        limit: Rao,
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
        self.register_within(coldkey, netuid, hotkey, None).await
    }

    /// As [`Client::register`], for at most `limit`.
    ///
    /// Where the runtime has `register_limit`, the chain itself keeps to the limit. Elsewhere the price is read before
    /// the call is sent, and another registration in the block in between may raise it by one step.
    pub async fn register_within(
        &self,
        coldkey: &sr25519::Pair,
        netuid: NetUid,
        hotkey: Hotkey,
        limit: Option<Rao>,
    ) -> Result<Included, RegisterError> {
        let payer = crate::signer::account(coldkey);
        let offer = self.offer(&payer, netuid, &hotkey, limit).await?;
        let price = offer.price;
        let call = match limit {
            Some(limit) if offer.limited => limit_call(netuid, &hotkey, limit),
            _ => call(netuid, &hotkey),
        };
        match self.submit(coldkey, &call).await {
            Ok(included) => Ok(included),
            Err(error) => Err(match error.refusal() {
                Some("HotKeyAlreadyRegisteredInSubNet") => {
                    RegisterError::AlreadyRegistered { hotkey, netuid }
                }
                Some(
                    "NotEnoughBalanceToStake"
                    | "BalanceWithdrawalError"
                    | "ZeroBalanceAfterWithdrawn",
                ) => RegisterError::TooPoor {
                    netuid,
                    price,
                    balance: self.balance(&payer).await?,
                },
                Some("RegistrationPriceLimitExceeded") => RegisterError::TooExpensive {
                    netuid,
                    price: self.registration_price(netuid).await?,
                    limit: limit.unwrap_or(price),
                },
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

    /// What [`Client::register_within`] would cost `coldkey` now, or why it would fail: all that can be told without a
    /// signature.
    pub async fn quote_registration(
        &self,
        coldkey: &Hotkey,
        netuid: NetUid,
        hotkey: &Hotkey,
        limit: Option<Rao>,
    ) -> Result<Rao, RegisterError> {
        let offer = self.offer(coldkey, netuid, hotkey, limit).await?;
        Ok(offer.price)
    }

    /// What a registration on `netuid` costs now.
    pub async fn registration_price(&self, netuid: NetUid) -> Result<Rao, ReadError> {
        let state = self.state(None).await?;
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let burn = batch.ask::<u64>(items::BURN, (netuid.0,))?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid });
        }
        Ok(Rao(answers.get(burn)?.unwrap_or_default()))
    }

    /// The price, for a hotkey that is not registered yet and a coldkey that can pay it.
    async fn offer(
        &self,
        coldkey: &Hotkey,
        netuid: NetUid,
        hotkey: &Hotkey,
        limit: Option<Rao>,
    ) -> Result<Offer, RegisterError> {
        let state = self.state(None).await?;
        let mut batch = state.batch();
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, (netuid.0,))?;
        let uid = batch.ask::<u16>(items::UIDS, (netuid.0, account(hotkey)))?;
        let burn = batch.ask::<u64>(items::BURN, (netuid.0,))?;
        let payer = batch.ask::<AccountInfo>(items::ACCOUNT, (account(coldkey),))?;
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
        let price = Rao(answers.get(burn)?.unwrap_or_default());
        if let Some(limit) = limit.filter(|limit| price > *limit) {
            return Err(RegisterError::TooExpensive {
                netuid,
                price,
                limit,
            });
        }
        let balance = Rao(answers.get(payer)?.map_or(0, |info| info.data.free));
        if balance < price {
            return Err(RegisterError::TooPoor {
                netuid,
                price,
                balance,
            });
        }
        Ok(Offer {
            price,
            limited: state.has_call(&calls::REGISTER_LIMIT),
        })
    }
}

/// What a registration takes.
struct Offer {
    price: Rao,
    /// Whether the runtime keeps to a limit by itself.
    limited: bool,
}

pub(crate) fn call(netuid: NetUid, hotkey: &Hotkey) -> Call {
    calls::BURNED_REGISTER.with([subnet(netuid), key(hotkey)])
}

/// Registers only where the price is at most `limit`; newer runtimes have it.
pub(crate) fn limit_call(netuid: NetUid, hotkey: &Hotkey, limit: Rao) -> Call {
    calls::REGISTER_LIMIT.with([subnet(netuid), key(hotkey), number(limit.0)])
}
