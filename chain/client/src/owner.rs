//! What a subnet's owner does on chain: register and start it, and change its hyperparameters.

use athanor_spec::{BlockNumber, Hotkey, NetUid};
use scale_value::Value;
use sp_core::sr25519;
use thiserror::Error;

use crate::{
    Client, Included, Quote, ReadError, SubmitError,
    calls::{self, Signature, key, number, subnet},
    items, signer,
    submit::Call,
};

/// Why the owner's call had no effect.
#[derive(Debug, Error)]
pub enum OwnerError {
    /// Somebody else owns the subnet.
    #[error(
        "{account} does not own subnet {netuid}: use the coldkey of its owner{}",
        owned_by(owner)
    )]
    NotOwner {
        /// The coldkey that signed.
        account: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// Who owns it, if the chain tells.
        owner: Option<Hotkey>,
    },
    /// Too close to an epoch.
    #[error(
        "subnet {netuid} takes no changes in the blocks before an epoch: try again after the next epoch"
    )]
    Frozen {
        /// The subnet.
        netuid: NetUid,
    },
    /// The last change is too recent.
    #[error(
        "the chain takes this change to subnet {netuid} less often: try again some epochs later"
    )]
    TooFast {
        /// The subnet.
        netuid: NetUid,
    },
    /// The chain does not take the value.
    #[error("the chain does not take this value for subnet {netuid} ({reason})")]
    BadValue {
        /// The subnet.
        netuid: NetUid,
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// Emissions cannot start yet, or have started already.
    #[error("subnet {netuid} cannot be started now ({reason})")]
    CannotStart {
        /// The subnet.
        netuid: NetUid,
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// The coldkey cannot pay for a subnet.
    #[error(
        "the coldkey cannot pay the price of a subnet: send it TAO, or wait for the price to fall"
    )]
    TooPoor,
    /// The chain takes no new subnet now.
    #[error("the chain takes no new subnet now ({reason}): try again later")]
    NoRoom {
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl From<ReadError> for OwnerError {
    fn from(error: ReadError) -> Self {
        Self::Submit(error.into())
    }
}

fn owned_by(owner: &Option<Hotkey>) -> String {
    owner.map_or_else(String::new, |owner| format!(" ({owner})"))
}

/// A rule of a subnet that its owner sets, with the new value. Units and meaning are Bittensor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hyperparameter {
    /// Blocks after which a silent validator no longer counts.
    ActivityCutoff(u16),
    /// Part of the tempo after which a silent validator no longer counts, in thousandths; newer chains have it instead.
    ActivityCutoffFactor(u32),
    /// How slowly the price of registration follows demand, of 2^64.
    AdjustmentAlpha(u64),
    /// Steepness of the sigmoid of liquid alpha.
    AlphaSigmoidSteepness(i16),
    /// Lower and upper end of liquid alpha, of 65535.
    AlphaValues {
        /// Lower end.
        low: u16,
        /// Upper end.
        high: u16,
    },
    /// Weight of the past in the bonds' moving average, of 1,000,000.
    BondsMovingAverage(u64),
    /// Penalty on bonds beyond consensus, of 65535.
    BondsPenalty(u16),
    /// Whether a miner can reset its bonds.
    BondsReset(bool),
    /// Whether weights are hidden at first.
    CommitReveal(bool),
    /// Epochs between commit and reveal.
    CommitRevealPeriod(u64),
    /// Blocks during which a new neuron is not replaced.
    ImmunityPeriod(u16),
    /// Majority that makes consensus, of 65535.
    Kappa(u16),
    /// Whether alpha follows consensus.
    LiquidAlpha(bool),
    /// Highest price of a registration, in rao.
    MaxBurn(u64),
    /// Slots of the subnet.
    MaxAllowedUids(u16),
    /// Validators with a permit.
    MaxAllowedValidators(u16),
    /// Shortest row of weights.
    MinAllowedWeights(u16),
    /// Lowest price of a registration, in rao.
    MinBurn(u64),
    /// Whether hotkeys may register.
    RegistrationAllowed(bool),
    /// Steepness of trust.
    Rho(u16),
    /// Blocks between two announcements of an address.
    ServingRateLimit(u64),
    /// Blocks of an epoch, as root sets it.
    Tempo(u16),
    /// Blocks of an epoch, as the owner sets it where the chain lets owners.
    TempoAsOwner(u16),
    /// Whether stake can be handed over.
    Transfers(bool),
    /// Blocks between two rows of weights of a validator.
    WeightsRateLimit(u64),
    /// Oldest version whose weights count.
    WeightsVersionKey(u64),
    /// Whether bonds are computed as in Yuma 3.
    Yuma3(bool),
}

impl Hyperparameter {
    pub(crate) fn call(self, netuid: NetUid) -> Call {
        let one = |signature: Signature, value: Value| signature.with([subnet(netuid), value]);
        match self {
            Self::ActivityCutoff(blocks) => one(calls::SET_ACTIVITY_CUTOFF, number(blocks)),
            Self::ActivityCutoffFactor(milli) => {
                one(calls::SET_ACTIVITY_CUTOFF_FACTOR, number(milli))
            }
            Self::AdjustmentAlpha(alpha) => one(calls::SET_ADJUSTMENT_ALPHA, number(alpha)),
            Self::AlphaSigmoidSteepness(steepness) => {
                one(calls::SET_ALPHA_STEEPNESS, Value::i128(steepness.into()))
            }
            Self::AlphaValues { low, high } => {
                calls::SET_ALPHA_VALUES.with([subnet(netuid), number(low), number(high)])
            }
            Self::BondsMovingAverage(share) => one(calls::SET_BONDS_MOVING_AVERAGE, number(share)),
            Self::BondsPenalty(share) => one(calls::SET_BONDS_PENALTY, number(share)),
            Self::BondsReset(on) => one(calls::SET_BONDS_RESET, Value::bool(on)),
            Self::CommitReveal(on) => one(calls::SET_COMMIT_REVEAL, Value::bool(on)),
            Self::CommitRevealPeriod(epochs) => {
                one(calls::SET_COMMIT_REVEAL_PERIOD, number(epochs))
            }
            Self::ImmunityPeriod(blocks) => one(calls::SET_IMMUNITY_PERIOD, number(blocks)),
            Self::Kappa(share) => one(calls::SET_KAPPA, number(share)),
            Self::LiquidAlpha(on) => one(calls::SET_LIQUID_ALPHA, Value::bool(on)),
            Self::MaxBurn(price) => one(calls::SET_MAX_BURN, number(price)),
            Self::MaxAllowedUids(slots) => one(calls::SET_MAX_UIDS, number(slots)),
            Self::MaxAllowedValidators(slots) => one(calls::SET_MAX_VALIDATORS, number(slots)),
            Self::MinAllowedWeights(len) => one(calls::SET_MIN_ALLOWED_WEIGHTS, number(len)),
            Self::MinBurn(price) => one(calls::SET_MIN_BURN, number(price)),
            Self::RegistrationAllowed(on) => one(calls::SET_REGISTRATION_ALLOWED, Value::bool(on)),
            Self::Rho(rho) => one(calls::SET_RHO, number(rho)),
            Self::ServingRateLimit(blocks) => one(calls::SET_SERVING_RATE_LIMIT, number(blocks)),
            Self::Tempo(blocks) => one(calls::SET_TEMPO, number(blocks)),
            Self::TempoAsOwner(blocks) => one(calls::SET_TEMPO_AS_OWNER, number(blocks)),
            Self::Transfers(on) => one(calls::SET_TRANSFERS, Value::bool(on)),
            Self::WeightsRateLimit(blocks) => one(calls::SET_WEIGHTS_RATE_LIMIT, number(blocks)),
            Self::WeightsVersionKey(version) => {
                one(calls::SET_WEIGHTS_VERSION_KEY, number(version))
            }
            Self::Yuma3(on) => one(calls::SET_YUMA3, Value::bool(on)),
        }
    }
}

impl Client {
    /// Registers a new subnet that `coldkey` owns and pays for; `hotkey` becomes its first neuron.
    ///
    /// Its number is in the chain's `NetworkAdded` event: [`Client::registered_subnet`] reads it.
    pub async fn register_network(
        &self,
        coldkey: &sr25519::Pair,
        hotkey: Hotkey,
    ) -> Result<Included, OwnerError> {
        self.submit(coldkey, &register_network_call(&hotkey))
            .await
            .map_err(|error| match error.refusal() {
                Some(
                    "CannotAffordLockCost" | "NotEnoughBalanceToStake" | "BalanceWithdrawalError",
                ) => OwnerError::TooPoor,
                Some(
                    reason @ ("SubnetLimitReached"
                    | "NetworkTxRateLimitExceeded"
                    | "AllNetworksInImmunity"
                    | "SubNetRegistrationDisabled"),
                ) => OwnerError::NoRoom {
                    reason: reason.to_owned(),
                },
                _ => error.into(),
            })
    }

    /// The number of the subnet that [`Client::register_network`] made in this block with this hotkey.
    pub async fn registered_subnet(
        &self,
        block: BlockNumber,
        hotkey: &Hotkey,
    ) -> Result<Option<NetUid>, ReadError> {
        let state = self.state(Some(self.block_hash(block).await?)).await?;
        let shape = |error: Box<dyn std::error::Error + Send + Sync>| ReadError::UnknownShape {
            pallet: "System".to_owned(),
            name: "Events".to_owned(),
            source: error,
        };
        let events = async {
            let events = state.at().events().fetch().await;
            events.map_err(|error| shape(Box::new(error)))
        };
        let events = self.rpc().within(events).await?;
        let mut added = Vec::new();
        for event in events.iter() {
            let event = event.map_err(|error| shape(Box::new(error)))?;
            if (event.pallet_name(), event.event_name()) == ("SubtensorModule", "NetworkAdded")
                && let Some(netuid) = event.field_bytes().first_chunk()
            {
                added.push(NetUid(u16::from_le_bytes(*netuid)));
            }
        }
        // One block may add several: which is whose, the chain tells.
        let mut batch = state.batch();
        let owners = added
            .iter()
            .map(|netuid| batch.ask::<[u8; 32]>(items::SUBNET_OWNER_HOTKEY, (netuid.0,)))
            .collect::<Result<Vec<_>, _>>()?;
        let answers = batch.send().await?;
        for (netuid, owner) in added.into_iter().zip(owners) {
            if answers.get(owner)? == Some(hotkey.0) {
                return Ok(Some(netuid));
            }
        }
        Ok(None)
    }

    /// Starts a subnet's emission, once.
    pub async fn start_call(
        &self,
        coldkey: &sr25519::Pair,
        netuid: NetUid,
    ) -> Result<Included, OwnerError> {
        self.owner_call(coldkey, netuid, &start_call(netuid)).await
    }

    /// Changes a rule of a subnet.
    pub async fn set_hyperparameter(
        &self,
        coldkey: &sr25519::Pair,
        netuid: NetUid,
        value: Hyperparameter,
    ) -> Result<Included, OwnerError> {
        self.owner_call(coldkey, netuid, &value.call(netuid)).await
    }

    /// What [`Client::set_hyperparameter`] would send, and its fee.
    pub async fn quote_hyperparameter(
        &self,
        coldkey: &Hotkey,
        netuid: NetUid,
        value: Hyperparameter,
    ) -> Result<Quote, SubmitError> {
        self.quote(coldkey, &value.call(netuid)).await
    }

    /// The coldkey that owns a subnet; `None` on chains that keep no owners.
    pub async fn subnet_owner(&self, netuid: NetUid) -> Result<Option<Hotkey>, ReadError> {
        let state = self.state(None).await?;
        let mut batch = state.batch();
        if !batch.knows(&[items::SUBNET_OWNER]) {
            return Ok(None);
        }
        let owner = batch.ask::<[u8; 32]>(items::SUBNET_OWNER, (netuid.0,))?;
        Ok(batch.send().await?.get(owner)?.map(Hotkey))
    }

    async fn owner_call(
        &self,
        coldkey: &sr25519::Pair,
        netuid: NetUid,
        call: &Call,
    ) -> Result<Included, OwnerError> {
        let error = match self.submit(coldkey, call).await {
            Ok(included) => return Ok(included),
            Err(error) => error,
        };
        Err(match error.refusal() {
            Some("BadOrigin" | "NotSubnetOwner") => OwnerError::NotOwner {
                account: signer::account(coldkey),
                netuid,
                owner: self.subnet_owner(netuid).await?,
            },
            Some("AdminActionProhibitedDuringWeightsWindow") => OwnerError::Frozen { netuid },
            Some("TxRateLimitExceeded") => OwnerError::TooFast { netuid },
            Some(
                reason @ ("FirstEmissionBlockNumberAlreadySet" | "NeedWaitingMoreBlocksToStarCall"),
            ) => OwnerError::CannotStart {
                netuid,
                reason: reason.to_owned(),
            },
            Some(
                reason @ ("InvalidValue"
                | "ValueNotInBounds"
                | "ActivityCutoffTooLow"
                | "ActivityCutoffFactorMilliOutOfBounds"
                | "TempoOutOfBounds"
                | "AlphaHighTooLow"
                | "AlphaLowOutOfRange"
                | "LiquidAlphaDisabled"
                | "RevealPeriodTooLarge"
                | "RevealPeriodTooSmall"
                | "MaxAllowedUIdsNotAllowed"
                | "MaxValidatorsLargerThanMaxUIds"
                | "MaxAllowedUidsLessThanCurrentUIds"
                | "MaxAllowedUidsLessThanMinAllowedUids"
                | "BondsMovingAverageMaxReached"),
            ) => OwnerError::BadValue {
                netuid,
                reason: reason.to_owned(),
            },
            _ => error.into(),
        })
    }

    /// Gives `children` shares of the hotkey's stake on a subnet, each of 2^64; none takes all back.
    pub async fn set_children(
        &self,
        coldkey: &sr25519::Pair,
        hotkey: Hotkey,
        netuid: NetUid,
        children: &[(u64, Hotkey)],
    ) -> Result<Included, ChildrenError> {
        self.submit(coldkey, &set_children_call(&hotkey, netuid, children))
            .await
            .map_err(|error| match error.refusal() {
                Some("NonAssociatedColdKey") => ChildrenError::NotOwned { hotkey },
                Some("NotEnoughStakeToSetChildkeys") => {
                    ChildrenError::StakeTooLow { hotkey, netuid }
                }
                Some("TxRateLimitExceeded") => ChildrenError::TooFast { hotkey, netuid },
                Some(
                    reason @ ("InvalidChild"
                    | "DuplicateChild"
                    | "ProportionOverflow"
                    | "TooManyChildren"
                    | "ChildParentInconsistency"),
                ) => ChildrenError::BadChildren {
                    reason: reason.to_owned(),
                },
                _ => error.into(),
            })
    }
}

/// Why a hotkey's children stayed as they were.
#[derive(Debug, Error)]
pub enum ChildrenError {
    /// The coldkey does not own the hotkey.
    #[error("this coldkey does not own {hotkey}: sign with the one that does")]
    NotOwned {
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// The stake is below what the chain asks of a parent.
    #[error("{hotkey} has too little stake on subnet {netuid} to have children: stake more")]
    StakeTooLow {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The last change is too recent.
    #[error("{hotkey} changed its children on subnet {netuid} too recently: wait some 150 blocks")]
    TooFast {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The list breaks the chain's rules.
    #[error(
        "the chain does not take these children ({reason}): at most five, none twice, none the hotkey itself, shares of \
         at most 2^64 in all"
    )]
    BadChildren {
        /// The runtime's name of the refusal.
        reason: String,
    },
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

pub(crate) fn register_network_call(hotkey: &Hotkey) -> Call {
    calls::REGISTER_NETWORK.with([key(hotkey)])
}

pub(crate) fn start_call(netuid: NetUid) -> Call {
    calls::START_CALL.with([subnet(netuid)])
}

pub(crate) fn set_children_call(
    hotkey: &Hotkey,
    netuid: NetUid,
    children: &[(u64, Hotkey)],
) -> Call {
    let children = children
        .iter()
        .map(|(share, child)| Value::unnamed_composite([number(*share), key(child)]));
    calls::SET_CHILDREN.with([
        key(hotkey),
        subnet(netuid),
        Value::unnamed_composite(children),
    ])
}
