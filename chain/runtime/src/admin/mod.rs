//! Set what the chain's authority and subnets' owners may set: the pallet that clients know as `AdminUtils`.
//!
//! Ranges, permissions, freeze window and rate limits are Bittensor's; see `subtensor/hyperparameters`. Left out are the
//! settings of what this chain does not have: EVM, Grandpa, several Aura authorities, TAO flow and moving prices.

pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use alloc::vec::Vec;
    use core::ops::RangeInclusive;
    use frame_support::pallet_prelude::*;
    use frame_system::{ensure_signed_or_root, pallet_prelude::*};
    use sp_runtime::AccountId32;

    use crate::{
        fixed::U64F64,
        subtensor::{self, *},
    };

    /// Most UIDs that an owner may allow.
    const MOST_UIDS: u16 = 4_096;
    /// `MinBurn` stays below this, in rao.
    const MIN_BURN_UPPER_BOUND: u64 = 1_000_000_000;
    /// `MaxBurn` stays above this, in rao.
    const MAX_BURN_LOWER_BOUND: u64 = 100_000_000;
    /// Most inertia of bonds that an owner may set, in millionths.
    const MOST_BONDS_MOVING_AVERAGE: u64 = 975_000;
    /// Longest half-life of the registration price, in blocks.
    const MOST_BURN_HALF_LIFE: u16 = 36_100;
    /// How many of an owner's UIDs may be protected.
    const OWNER_IMMUNE_UIDS: RangeInclusive<u16> = 1..=10;

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime supplies.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId32, RuntimeEvent: From<Event<Self>>>
        + subtensor::Config
    {
    }

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// `Yuma3On` was set.
        #[codec(index = 1)]
        Yuma3EnableToggled {
            /// The subnet.
            netuid: NetUid,
            /// The value.
            enabled: bool,
        },
        /// `BondsResetOn` was set.
        #[codec(index = 2)]
        BondsResetToggled {
            /// The subnet.
            netuid: NetUid,
            /// The value.
            enabled: bool,
        },
        /// `BurnHalfLife` was set.
        #[codec(index = 3)]
        BurnHalfLifeSet {
            /// The subnet.
            netuid: NetUid,
            /// The value, in blocks.
            burn_half_life: u16,
        },
        /// `BurnIncreaseMult` was set.
        #[codec(index = 4)]
        BurnIncreaseMultSet {
            /// The subnet.
            netuid: NetUid,
            /// The value.
            burn_increase_mult: U64F64,
        },
    }

    /// Why a call failed.
    #[pallet::error]
    pub enum Error<T> {
        /// There is no such subnet.
        #[codec(index = 0)]
        SubnetDoesNotExist,
        /// There would be more validators than UIDs.
        #[codec(index = 1)]
        MaxValidatorsLargerThanMaxUIds,
        /// More UIDs than that are in use.
        #[codec(index = 2)]
        MaxAllowedUIdsLessThanCurrentUIds,
        /// The bonds would be too inert.
        #[codec(index = 3)]
        BondsMovingAverageMaxReached,
        /// Only root may turn the slope round.
        #[codec(index = 4)]
        NegativeSigmoidSteepness,
        /// The value is out of bounds.
        #[codec(index = 5)]
        ValueNotInBounds,
        /// Fewer UIDs than that are in use.
        #[codec(index = 6)]
        MinAllowedUidsGreaterThanCurrentUids,
        /// Fewer UIDs than that are allowed.
        #[codec(index = 7)]
        MinAllowedUidsGreaterThanMaxAllowedUids,
        /// More UIDs than that must be allowed.
        #[codec(index = 8)]
        MaxAllowedUidsLessThanMinAllowedUids,
        /// No subnet has so many UIDs.
        #[codec(index = 9)]
        MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
        /// The value is out of bounds.
        #[codec(index = 10)]
        InvalidValue,
        /// Root has no such setting.
        #[codec(index = 11)]
        NotPermittedOnRootSubnet,
        /// Nobody registers by proof of work.
        #[codec(index = 12)]
        POWRegistrationDisabled,
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets `MaxDelegateTake` for the whole chain; for root.
        #[pallet::call_index(1)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_default_take(origin: OriginFor<T>, default_take: u16) -> DispatchResult {
            ensure_root(origin)?;
            MaxDelegateTake::<T>::put(default_take);
            deposit::<T>(subtensor::Event::MaxDelegateTakeSet(default_take));
            Ok(())
        }

        /// Sets `TxRateLimit` for the whole chain; for root.
        #[pallet::call_index(2)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_tx_rate_limit(origin: OriginFor<T>, tx_rate_limit: u64) -> DispatchResult {
            ensure_root(origin)?;
            TxRateLimit::<T>::put(tx_rate_limit);
            deposit::<T>(subtensor::Event::TxRateLimitSet(tx_rate_limit));
            Ok(())
        }

        /// Sets `ServingRateLimit`; for the owner.
        #[pallet::call_index(3)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_serving_rate_limit(
            origin: OriginFor<T>,
            netuid: NetUid,
            serving_rate_limit: u64,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::ServingRateLimit, |_| {
                ServingRateLimit::<T>::insert(netuid, serving_rate_limit);
                deposit::<T>(subtensor::Event::ServingRateLimitSet(
                    netuid,
                    serving_rate_limit,
                ));
                Ok(())
            })
        }

        /// Sets `MinDifficulty`; for root.
        #[pallet::call_index(4)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_min_difficulty(
            origin: OriginFor<T>,
            netuid: NetUid,
            min_difficulty: u64,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, true, || {
                MinDifficulty::<T>::insert(netuid, min_difficulty);
                deposit::<T>(subtensor::Event::MinDifficultySet(netuid, min_difficulty));
                Ok(())
            })
        }

        /// Sets `MaxDifficulty`; for the owner.
        #[pallet::call_index(5)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_max_difficulty(
            origin: OriginFor<T>,
            netuid: NetUid,
            max_difficulty: u64,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::MaxDifficulty, |_| {
                MaxDifficulty::<T>::insert(netuid, max_difficulty);
                deposit::<T>(subtensor::Event::MaxDifficultySet(netuid, max_difficulty));
                Ok(())
            })
        }

        /// Sets `WeightsVersionKey`; for the owner.
        #[pallet::call_index(6)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_weights_version_key(
            origin: OriginFor<T>,
            netuid: NetUid,
            weights_version_key: u64,
        ) -> DispatchResult {
            set_as_owner::<T>(
                origin,
                netuid,
                TransactionType::SetWeightsVersionKey,
                |_| {
                    WeightsVersionKey::<T>::insert(netuid, weights_version_key);
                    deposit::<T>(subtensor::Event::WeightsVersionKeySet(
                        netuid,
                        weights_version_key,
                    ));
                    Ok(())
                },
            )
        }

        /// Sets `WeightsSetRateLimit`; for root.
        #[pallet::call_index(7)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_weights_set_rate_limit(
            origin: OriginFor<T>,
            netuid: NetUid,
            weights_set_rate_limit: u64,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, false, || {
                WeightsSetRateLimit::<T>::insert(netuid, weights_set_rate_limit);
                deposit::<T>(subtensor::Event::WeightsSetRateLimitSet(
                    netuid,
                    weights_set_rate_limit,
                ));
                Ok(())
            })
        }

        /// Sets `AdjustmentInterval`; for root.
        #[pallet::call_index(8)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_adjustment_interval(
            origin: OriginFor<T>,
            netuid: NetUid,
            adjustment_interval: u16,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, false, || {
                AdjustmentInterval::<T>::insert(netuid, adjustment_interval);
                deposit::<T>(subtensor::Event::AdjustmentIntervalSet(
                    netuid,
                    adjustment_interval,
                ));
                Ok(())
            })
        }

        /// Sets `AdjustmentAlpha`; for the owner.
        #[pallet::call_index(9)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_adjustment_alpha(
            origin: OriginFor<T>,
            netuid: NetUid,
            adjustment_alpha: u64,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::AdjustmentAlpha, |_| {
                AdjustmentAlpha::<T>::insert(netuid, adjustment_alpha);
                deposit::<T>(subtensor::Event::AdjustmentAlphaSet(
                    netuid,
                    adjustment_alpha,
                ));
                Ok(())
            })
        }

        /// Sets `ImmunityPeriod`; for the owner.
        #[pallet::call_index(13)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_immunity_period(
            origin: OriginFor<T>,
            netuid: NetUid,
            immunity_period: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::ImmunityPeriod, |_| {
                ImmunityPeriod::<T>::insert(netuid, immunity_period);
                deposit::<T>(subtensor::Event::ImmunityPeriodSet(netuid, immunity_period));
                Ok(())
            })
        }

        /// Sets `MinAllowedWeights`; for the owner.
        #[pallet::call_index(14)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_min_allowed_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            min_allowed_weights: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::MinAllowedWeights, |_| {
                MinAllowedWeights::<T>::insert(netuid, min_allowed_weights);
                deposit::<T>(subtensor::Event::MinAllowedWeightSet(
                    netuid,
                    min_allowed_weights,
                ));
                Ok(())
            })
        }

        /// Sets `MaxAllowedUids`; for the owner.
        #[pallet::call_index(15)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_max_allowed_uids(
            origin: OriginFor<T>,
            netuid: NetUid,
            max_allowed_uids: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::MaxAllowedUids, |_| {
                ensure!(
                    max_allowed_uids >= MinAllowedUids::<T>::get(netuid),
                    Error::<T>::MaxAllowedUidsLessThanMinAllowedUids
                );
                ensure!(
                    SubnetworkN::<T>::get(netuid) <= max_allowed_uids,
                    Error::<T>::MaxAllowedUIdsLessThanCurrentUIds
                );
                ensure!(
                    max_allowed_uids <= MOST_UIDS,
                    Error::<T>::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids
                );
                MaxAllowedUids::<T>::insert(netuid, max_allowed_uids);
                deposit::<T>(subtensor::Event::MaxAllowedUidsSet(
                    netuid,
                    max_allowed_uids,
                ));
                Ok(())
            })
        }

        /// Sets `Kappa`; for root.
        #[pallet::call_index(16)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_kappa(origin: OriginFor<T>, netuid: NetUid, kappa: u16) -> DispatchResult {
            set_as_root::<T>(origin, netuid, false, || {
                Kappa::<T>::insert(netuid, kappa);
                deposit::<T>(subtensor::Event::KappaSet(netuid, kappa));
                Ok(())
            })
        }

        /// Sets `Rho`; for the owner.
        #[pallet::call_index(17)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_rho(origin: OriginFor<T>, netuid: NetUid, rho: u16) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::Rho, |_| {
                Rho::<T>::insert(netuid, rho);
                deposit::<T>(subtensor::Event::RhoSet(netuid, rho));
                Ok(())
            })
        }

        /// Sets `ActivityCutoff`; for the owner.
        #[pallet::call_index(18)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_activity_cutoff(
            origin: OriginFor<T>,
            netuid: NetUid,
            activity_cutoff: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::ActivityCutoff, |_| {
                ensure!(
                    activity_cutoff >= MinActivityCutoff::<T>::get(),
                    subtensor::Error::<T>::ActivityCutoffTooLow
                );
                ActivityCutoff::<T>::insert(netuid, activity_cutoff);
                deposit::<T>(subtensor::Event::ActivityCutoffSet(netuid, activity_cutoff));
                Ok(())
            })
        }

        /// Sets `NetworkRegistrationAllowed`; for root.
        #[pallet::call_index(19)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_network_registration_allowed(
            origin: OriginFor<T>,
            netuid: NetUid,
            registration_allowed: bool,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, false, || {
                NetworkRegistrationAllowed::<T>::insert(netuid, registration_allowed);
                deposit::<T>(subtensor::Event::RegistrationAllowed(
                    netuid,
                    registration_allowed,
                ));
                Ok(())
            })
        }

        /// Fails: there are no more registrations by proof of work.
        #[pallet::call_index(20)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_network_pow_registration_allowed(
            origin: OriginFor<T>,
            _netuid: NetUid,
            _registration_allowed: bool,
        ) -> DispatchResult {
            ensure_signed_or_root(origin)?;
            Err(Error::<T>::POWRegistrationDisabled.into())
        }

        /// Sets `TargetRegistrationsPerInterval`; for root.
        #[pallet::call_index(21)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_target_registrations_per_interval(
            origin: OriginFor<T>,
            netuid: NetUid,
            target_registrations_per_interval: u16,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, true, || {
                TargetRegistrationsPerInterval::<T>::insert(
                    netuid,
                    target_registrations_per_interval,
                );
                deposit::<T>(subtensor::Event::RegistrationPerIntervalSet(
                    netuid,
                    target_registrations_per_interval,
                ));
                Ok(())
            })
        }

        /// Sets `MinBurn`; for the owner.
        #[pallet::call_index(22)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_min_burn(
            origin: OriginFor<T>,
            netuid: NetUid,
            min_burn: u64,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::MinBurn, |_| {
                ensure!(
                    min_burn < MIN_BURN_UPPER_BOUND,
                    Error::<T>::ValueNotInBounds
                );
                ensure!(
                    min_burn < MaxBurn::<T>::get(netuid),
                    Error::<T>::ValueNotInBounds
                );
                MinBurn::<T>::insert(netuid, min_burn);
                deposit::<T>(subtensor::Event::MinBurnSet(netuid, min_burn));
                Ok(())
            })
        }

        /// Sets `MaxBurn`; for the owner.
        #[pallet::call_index(23)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_max_burn(
            origin: OriginFor<T>,
            netuid: NetUid,
            max_burn: u64,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::MaxBurn, |_| {
                ensure!(
                    max_burn > MAX_BURN_LOWER_BOUND,
                    Error::<T>::ValueNotInBounds
                );
                ensure!(
                    max_burn > MinBurn::<T>::get(netuid),
                    Error::<T>::ValueNotInBounds
                );
                MaxBurn::<T>::insert(netuid, max_burn);
                deposit::<T>(subtensor::Event::MaxBurnSet(netuid, max_burn));
                Ok(())
            })
        }

        /// Sets `Difficulty`; for root.
        #[pallet::call_index(24)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_difficulty(
            origin: OriginFor<T>,
            netuid: NetUid,
            difficulty: u64,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, true, || {
                Difficulty::<T>::insert(netuid, difficulty);
                deposit::<T>(subtensor::Event::DifficultySet(netuid, difficulty));
                Ok(())
            })
        }

        /// Sets `MaxAllowedValidators`; for root.
        #[pallet::call_index(25)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_max_allowed_validators(
            origin: OriginFor<T>,
            netuid: NetUid,
            max_allowed_validators: u16,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, true, || {
                ensure!(
                    max_allowed_validators <= MaxAllowedUids::<T>::get(netuid),
                    Error::<T>::MaxValidatorsLargerThanMaxUIds
                );
                MaxAllowedValidators::<T>::insert(netuid, max_allowed_validators);
                deposit::<T>(subtensor::Event::MaxAllowedValidatorsSet(
                    netuid,
                    max_allowed_validators,
                ));
                Ok(())
            })
        }

        /// Sets `BondsMovingAverage`; for the owner.
        #[pallet::call_index(26)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_bonds_moving_average(
            origin: OriginFor<T>,
            netuid: NetUid,
            bonds_moving_average: u64,
        ) -> DispatchResult {
            set_as_owner::<T>(
                origin,
                netuid,
                Hyperparameter::BondsMovingAverage,
                |owner| {
                    ensure!(
                        !owner || bonds_moving_average <= MOST_BONDS_MOVING_AVERAGE,
                        Error::<T>::BondsMovingAverageMaxReached
                    );
                    BondsMovingAverage::<T>::insert(netuid, bonds_moving_average);
                    deposit::<T>(subtensor::Event::BondsMovingAverageSet(
                        netuid,
                        bonds_moving_average,
                    ));
                    Ok(())
                },
            )
        }

        /// Sets `MaxRegistrationsPerBlock`; for root.
        #[pallet::call_index(27)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_max_registrations_per_block(
            origin: OriginFor<T>,
            netuid: NetUid,
            max_registrations_per_block: u16,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, true, || {
                MaxRegistrationsPerBlock::<T>::insert(netuid, max_registrations_per_block);
                deposit::<T>(subtensor::Event::MaxRegistrationsPerBlockSet(
                    netuid,
                    max_registrations_per_block,
                ));
                Ok(())
            })
        }

        /// Sets `SubnetOwnerCut` for the whole chain; for root.
        #[pallet::call_index(28)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_subnet_owner_cut(
            origin: OriginFor<T>,
            subnet_owner_cut: u16,
        ) -> DispatchResult {
            ensure_root(origin)?;
            SubnetOwnerCut::<T>::put(subnet_owner_cut);
            deposit::<T>(subtensor::Event::SubnetOwnerCutSet(subnet_owner_cut));
            Ok(())
        }

        /// Sets `NetworkRateLimit` for the whole chain; for root.
        #[pallet::call_index(29)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_network_rate_limit(
            origin: OriginFor<T>,
            rate_limit: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            NetworkRateLimit::<T>::put(rate_limit);
            deposit::<T>(subtensor::Event::NetworkRateLimitSet(rate_limit));
            Ok(())
        }

        /// Sets `Tempo` and starts a new one; for root.
        #[pallet::call_index(30)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_tempo(origin: OriginFor<T>, netuid: NetUid, tempo: u16) -> DispatchResult {
            set_as_root::<T>(origin, netuid, true, || {
                subtensor::Pallet::<T>::put_tempo(netuid, tempo);
                Ok(())
            })
        }

        /// Sets `NetworkImmunityPeriod` for the whole chain; for root.
        #[pallet::call_index(35)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_network_immunity_period(
            origin: OriginFor<T>,
            immunity_period: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            NetworkImmunityPeriod::<T>::put(immunity_period);
            deposit::<T>(subtensor::Event::NetworkImmunityPeriodSet(immunity_period));
            Ok(())
        }

        /// Sets `NetworkMinLockCost` for the whole chain; for root.
        #[pallet::call_index(36)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_network_min_lock_cost(
            origin: OriginFor<T>,
            lock_cost: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            NetworkMinLockCost::<T>::put(lock_cost);
            deposit::<T>(subtensor::Event::NetworkMinLockCostSet(lock_cost));
            Ok(())
        }

        /// Sets `SubnetLimit` for the whole chain; for root.
        #[pallet::call_index(37)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_subnet_limit(origin: OriginFor<T>, max_subnets: u16) -> DispatchResult {
            ensure_root(origin)?;
            SubnetLimit::<T>::put(max_subnets);
            deposit::<T>(subtensor::Event::SubnetLimitSet(max_subnets));
            Ok(())
        }

        /// Sets `NetworkLockReductionInterval` for the whole chain; for root.
        #[pallet::call_index(38)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_lock_reduction_interval(
            origin: OriginFor<T>,
            interval: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            NetworkLockReductionInterval::<T>::put(interval);
            deposit::<T>(subtensor::Event::NetworkLockCostReductionIntervalSet(
                interval,
            ));
            Ok(())
        }

        /// Sets `RAORecycledForRegistration`; for root.
        #[pallet::call_index(39)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_rao_recycled(
            origin: OriginFor<T>,
            netuid: NetUid,
            rao_recycled: u64,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, false, || {
                RAORecycledForRegistration::<T>::insert(netuid, rao_recycled);
                deposit::<T>(subtensor::Event::RAORecycledForRegistrationSet(
                    netuid,
                    rao_recycled,
                ));
                Ok(())
            })
        }

        /// Sets `StakeThreshold` for the whole chain; for root.
        #[pallet::call_index(42)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_stake_threshold(origin: OriginFor<T>, min_stake: u64) -> DispatchResult {
            ensure_root(origin)?;
            StakeThreshold::<T>::put(min_stake);
            deposit::<T>(subtensor::Event::StakeThresholdSet(min_stake));
            Ok(())
        }

        /// Sets `NominatorMinRequiredStake` for the whole chain; for root.
        #[pallet::call_index(43)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_nominator_min_required_stake(
            origin: OriginFor<T>,
            min_stake: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            subtensor::Pallet::<T>::put_nominator_minimum(min_stake);
            Ok(())
        }

        /// Sets `TxDelegateTakeRateLimit` for the whole chain; for root.
        #[pallet::call_index(45)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_tx_delegate_take_rate_limit(
            origin: OriginFor<T>,
            tx_rate_limit: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            TxDelegateTakeRateLimit::<T>::put(tx_rate_limit);
            deposit::<T>(subtensor::Event::TxDelegateTakeRateLimitSet(tx_rate_limit));
            Ok(())
        }

        /// Sets `MinDelegateTake` for the whole chain; for root.
        #[pallet::call_index(46)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_min_delegate_take(origin: OriginFor<T>, take: u16) -> DispatchResult {
            ensure_root(origin)?;
            MinDelegateTake::<T>::put(take);
            deposit::<T>(subtensor::Event::MinDelegateTakeSet(take));
            Ok(())
        }

        /// Sets `CommitRevealWeightsEnabled`; for the owner.
        #[pallet::call_index(49)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_commit_reveal_weights_enabled(
            origin: OriginFor<T>,
            netuid: NetUid,
            enabled: bool,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::CommitRevealEnabled, |_| {
                CommitRevealWeightsEnabled::<T>::insert(netuid, enabled);
                deposit::<T>(subtensor::Event::CommitRevealEnabled(netuid, enabled));
                Ok(())
            })
        }

        /// Sets `LiquidAlphaOn`; for the owner.
        #[pallet::call_index(50)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_liquid_alpha_enabled(
            origin: OriginFor<T>,
            netuid: NetUid,
            enabled: bool,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::LiquidAlphaEnabled, |_| {
                LiquidAlphaOn::<T>::insert(netuid, enabled);
                Ok(())
            })
        }

        /// Sets `AlphaValues`; for the owner.
        #[pallet::call_index(51)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_alpha_values(
            origin: OriginFor<T>,
            netuid: NetUid,
            alpha_low: u16,
            alpha_high: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::AlphaValues, |_| {
                subtensor::Pallet::<T>::put_alpha_values(netuid, alpha_low, alpha_high)
            })
        }

        /// Sets `RevealPeriodEpochs`, in epochs; for the owner.
        #[pallet::call_index(57)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_commit_reveal_weights_interval(
            origin: OriginFor<T>,
            netuid: NetUid,
            interval: u64,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::WeightCommitInterval, |_| {
                subtensor::Pallet::<T>::put_reveal_period(netuid, interval)
            })
        }

        /// Sets `BondsPenalty`; for the owner.
        #[pallet::call_index(60)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_bonds_penalty(
            origin: OriginFor<T>,
            netuid: NetUid,
            bonds_penalty: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::BondsPenalty, |_| {
                BondsPenalty::<T>::insert(netuid, bonds_penalty);
                deposit::<T>(subtensor::Event::BondsPenaltySet(netuid, bonds_penalty));
                Ok(())
            })
        }

        /// Sets `TransferToggle`; for the owner.
        #[pallet::call_index(61)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_toggle_transfer(
            origin: OriginFor<T>,
            netuid: NetUid,
            toggle: bool,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::TransferEnabled, |_| {
                TransferToggle::<T>::insert(netuid, toggle);
                deposit::<T>(subtensor::Event::TransferToggle(netuid, toggle));
                Ok(())
            })
        }

        /// Sets the owner's hotkey; for the owner.
        #[pallet::call_index(64)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_subnet_owner_hotkey(
            origin: OriginFor<T>,
            netuid: NetUid,
            hotkey: AccountId32,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::put_owner_hotkey(origin, netuid, hotkey)
        }

        /// Sets `SubtokenEnabled`; for root.
        #[pallet::call_index(66)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_subtoken_enabled(
            origin: OriginFor<T>,
            netuid: NetUid,
            subtoken_enabled: bool,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, true, || {
                SubtokenEnabled::<T>::insert(netuid, subtoken_enabled);
                Ok(())
            })
        }

        /// Sets the owner's hotkey; for the owner.
        #[pallet::call_index(67)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_sn_owner_hotkey(
            origin: OriginFor<T>,
            netuid: NetUid,
            hotkey: AccountId32,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::put_owner_hotkey(origin, netuid, hotkey)
        }

        /// Sets `AlphaSigmoidSteepness`; for the owner.
        #[pallet::call_index(68)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_alpha_sigmoid_steepness(
            origin: OriginFor<T>,
            netuid: NetUid,
            steepness: i16,
        ) -> DispatchResult {
            set_as_owner::<T>(
                origin,
                netuid,
                Hyperparameter::AlphaSigmoidSteepness,
                |owner| {
                    ensure!(
                        !owner || steepness >= 0,
                        Error::<T>::NegativeSigmoidSteepness
                    );
                    AlphaSigmoidSteepness::<T>::insert(netuid, steepness);
                    deposit::<T>(subtensor::Event::AlphaSigmoidSteepnessSet(
                        netuid, steepness,
                    ));
                    Ok(())
                },
            )
        }

        /// Sets `Yuma3On`; for the owner.
        #[pallet::call_index(69)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_yuma3_enabled(
            origin: OriginFor<T>,
            netuid: NetUid,
            enabled: bool,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::Yuma3Enabled, |_| {
                Self::deposit_event(Event::Yuma3EnableToggled { netuid, enabled });
                Yuma3On::<T>::insert(netuid, enabled);
                Ok(())
            })
        }

        /// Sets `BondsResetOn`; for the owner.
        #[pallet::call_index(70)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_bonds_reset_enabled(
            origin: OriginFor<T>,
            netuid: NetUid,
            enabled: bool,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::BondsResetEnabled, |_| {
                Self::deposit_event(Event::BondsResetToggled { netuid, enabled });
                BondsResetOn::<T>::insert(netuid, enabled);
                deposit::<T>(subtensor::Event::BondsResetOnSet(netuid, enabled));
                Ok(())
            })
        }

        /// Sets `CommitRevealWeightsVersion` for the whole chain; for root.
        #[pallet::call_index(71)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_commit_reveal_version(
            origin: OriginFor<T>,
            version: u16,
        ) -> DispatchResult {
            ensure_root(origin)?;
            CommitRevealWeightsVersion::<T>::put(version);
            deposit::<T>(subtensor::Event::CommitRevealVersionSet(version));
            Ok(())
        }

        /// Sets `ImmuneOwnerUidsLimit`; for the owner.
        #[pallet::call_index(72)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_owner_immune_neuron_limit(
            origin: OriginFor<T>,
            netuid: NetUid,
            immune_neurons: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::ImmuneNeuronLimit, |_| {
                ensure!(
                    OWNER_IMMUNE_UIDS.contains(&immune_neurons),
                    subtensor::Error::<T>::InvalidValue
                );
                ImmuneOwnerUidsLimit::<T>::insert(netuid, immune_neurons);
                Ok(())
            })
        }

        /// Sets `CKBurn` for the whole chain; for root.
        #[pallet::call_index(73)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_ck_burn(origin: OriginFor<T>, burn: u64) -> DispatchResult {
            ensure_root(origin)?;
            CKBurn::<T>::put(burn);
            Ok(())
        }

        /// Sets `AdminFreezeWindow` for the whole chain; for root.
        #[pallet::call_index(74)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_admin_freeze_window(origin: OriginFor<T>, window: u16) -> DispatchResult {
            ensure_root(origin)?;
            AdminFreezeWindow::<T>::put(window);
            deposit::<T>(subtensor::Event::AdminFreezeWindowSet(window));
            Ok(())
        }

        /// Sets `OwnerHyperparamRateLimit` for the whole chain; for root.
        #[pallet::call_index(75)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_owner_hparam_rate_limit(
            origin: OriginFor<T>,
            epochs: u16,
        ) -> DispatchResult {
            ensure_root(origin)?;
            OwnerHyperparamRateLimit::<T>::put(epochs);
            deposit::<T>(subtensor::Event::OwnerHyperparamRateLimitSet(epochs));
            Ok(())
        }

        /// Sets `MechanismCountCurrent`, which can only be 1 here; for the owner.
        #[pallet::call_index(76)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_mechanism_count(
            origin: OriginFor<T>,
            netuid: NetUid,
            mechanism_count: u8,
        ) -> DispatchResult {
            set_as_owner::<T>(
                origin,
                netuid,
                TransactionType::MechanismCountUpdate,
                |_| {
                    ensure!(mechanism_count == 1, subtensor::Error::<T>::InvalidValue);
                    MechanismCountCurrent::<T>::insert(netuid, mechanism_count);
                    Ok(())
                },
            )
        }

        /// Sets `MechanismEmissionSplit`: one entry per mechanism, 65535 in all; for the owner.
        #[pallet::call_index(77)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_mechanism_emission_split(
            origin: OriginFor<T>,
            netuid: NetUid,
            maybe_split: Option<Vec<u16>>,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, TransactionType::MechanismEmission, |_| {
                if let Some(split) = &maybe_split {
                    let mechanisms = usize::from(MechanismCountCurrent::<T>::get(netuid));
                    let sum: u64 = split.iter().map(|part| u64::from(*part)).sum();
                    let whole = split.len() <= mechanisms && sum == u64::from(u16::MAX);
                    ensure!(whole, subtensor::Error::<T>::InvalidValue);
                }
                MechanismEmissionSplit::<T>::set(netuid, maybe_split);
                Ok(())
            })
        }

        /// Lowers `MaxAllowedUids` and removes the neurons that no longer fit; for the owner.
        #[pallet::call_index(78)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_trim_to_max_allowed_uids(
            origin: OriginFor<T>,
            netuid: NetUid,
            max_n: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, TransactionType::MaxUidsTrimming, |_| {
                subtensor::Pallet::<T>::trim(netuid, max_n)
            })
        }

        /// Sets `MinAllowedUids`; for root.
        #[pallet::call_index(79)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_min_allowed_uids(
            origin: OriginFor<T>,
            netuid: NetUid,
            min_allowed_uids: u16,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, true, || {
                ensure!(
                    min_allowed_uids < MaxAllowedUids::<T>::get(netuid),
                    Error::<T>::MinAllowedUidsGreaterThanMaxAllowedUids
                );
                ensure!(
                    min_allowed_uids < SubnetworkN::<T>::get(netuid),
                    Error::<T>::MinAllowedUidsGreaterThanCurrentUids
                );
                MinAllowedUids::<T>::insert(netuid, min_allowed_uids);
                deposit::<T>(subtensor::Event::MinAllowedUidsSet(
                    netuid,
                    min_allowed_uids,
                ));
                Ok(())
            })
        }

        /// Sets `RecycleOrBurn`; for the owner.
        #[pallet::call_index(80)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_recycle_or_burn(
            origin: OriginFor<T>,
            netuid: NetUid,
            recycle_or_burn: RecycleOrBurnEnum,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::RecycleOrBurn, |_| {
                RecycleOrBurn::<T>::insert(netuid, recycle_or_burn);
                Ok(())
            })
        }

        /// Sets `MinNonImmuneUids`; for root.
        #[pallet::call_index(84)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_min_non_immune_uids(
            origin: OriginFor<T>,
            netuid: NetUid,
            min: u16,
        ) -> DispatchResult {
            set_as_root::<T>(origin, netuid, false, || {
                MinNonImmuneUids::<T>::insert(netuid, min);
                deposit::<T>(subtensor::Event::MinNonImmuneUidsSet(netuid, min));
                Ok(())
            })
        }

        /// Sets `StartCallDelay` for the whole chain; for root.
        #[pallet::call_index(85)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_start_call_delay(origin: OriginFor<T>, delay: u64) -> DispatchResult {
            ensure_root(origin)?;
            StartCallDelay::<T>::put(delay);
            deposit::<T>(subtensor::Event::StartCallDelaySet(delay));
            Ok(())
        }

        /// Sets `BurnHalfLife`; for the owner.
        #[pallet::call_index(89)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_burn_half_life(
            origin: OriginFor<T>,
            netuid: NetUid,
            burn_half_life: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::BurnHalfLife, |_| {
                ensure!(netuid != 0, Error::<T>::NotPermittedOnRootSubnet);
                ensure!(
                    (1..=MOST_BURN_HALF_LIFE).contains(&burn_half_life),
                    Error::<T>::InvalidValue
                );
                Self::deposit_event(Event::BurnHalfLifeSet {
                    netuid,
                    burn_half_life,
                });
                BurnHalfLife::<T>::insert(netuid, burn_half_life);
                Ok(())
            })
        }

        /// Sets `BurnIncreaseMult`; for the owner.
        #[pallet::call_index(90)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_burn_increase_mult(
            origin: OriginFor<T>,
            netuid: NetUid,
            burn_increase_mult: U64F64,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::BurnIncreaseMult, |_| {
                ensure!(netuid != 0, Error::<T>::NotPermittedOnRootSubnet);
                ensure!(
                    (U64F64::from_int(1)..=U64F64::from_int(3)).contains(&burn_increase_mult),
                    Error::<T>::InvalidValue
                );
                Self::deposit_event(Event::BurnIncreaseMultSet {
                    netuid,
                    burn_increase_mult,
                });
                BurnIncreaseMult::<T>::insert(netuid, burn_increase_mult);
                Ok(())
            })
        }

        /// Sets `OwnerCutEnabled`; for the owner.
        #[pallet::call_index(92)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_owner_cut_enabled(
            origin: OriginFor<T>,
            netuid: NetUid,
            enabled: bool,
        ) -> DispatchResult {
            subtensor::Pallet::<T>::ensure_subnet_owner_or_root(origin, netuid)?;
            subtensor::Pallet::<T>::ensure_admin_window_open(netuid)?;
            ensure!(
                NetworksAdded::<T>::get(netuid),
                Error::<T>::SubnetDoesNotExist
            );
            ensure!(netuid != 0, Error::<T>::NotPermittedOnRootSubnet);
            OwnerCutEnabled::<T>::insert(netuid, enabled);
            Ok(())
        }

        /// Sets `MinChildkeyTakePerSubnet`; for the owner.
        #[pallet::call_index(93)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_min_childkey_take_per_subnet(
            origin: OriginFor<T>,
            netuid: NetUid,
            take: u16,
        ) -> DispatchResult {
            set_as_owner::<T>(origin, netuid, Hyperparameter::MinChildkeyTake, |_| {
                ensure!(
                    (MinChildkeyTake::<T>::get()..=MaxChildkeyTake::<T>::get()).contains(&take),
                    Error::<T>::InvalidValue
                );
                MinChildkeyTakePerSubnet::<T>::insert(netuid, take);
                deposit::<T>(subtensor::Event::MinChildKeyTakePerSubnetSet(netuid, take));
                Ok(())
            })
        }

        /// Sets `MaxEpochsPerBlock` for the whole chain; for root.
        #[pallet::call_index(96)]
        #[pallet::weight(setting::<T>())]
        pub fn sudo_set_max_epochs_per_block(
            origin: OriginFor<T>,
            max_epochs_per_block: u8,
        ) -> DispatchResult {
            ensure_root(origin)?;
            ensure!(max_epochs_per_block >= 1, Error::<T>::ValueNotInBounds);
            MaxEpochsPerBlock::<T>::put(max_epochs_per_block);
            deposit::<T>(subtensor::Event::MaxEpochsPerBlockSet(max_epochs_per_block));
            Ok(())
        }
    }

    /// Runs a setting of the subnet's owner, or of root, through the gates that it must pass. The setting is told whether
    /// it is the owner's.
    fn set_as_owner<T: Config>(
        origin: OriginFor<T>,
        netuid: NetUid,
        kind: impl Into<TransactionType>,
        set: impl FnOnce(bool) -> DispatchResult,
    ) -> DispatchResult {
        let kind = kind.into();
        let owner = subtensor::Pallet::<T>::ensure_owner_within_limit(origin, netuid, kind)?;
        subtensor::Pallet::<T>::ensure_admin_window_open(netuid)?;
        ensure!(
            NetworksAdded::<T>::get(netuid),
            Error::<T>::SubnetDoesNotExist
        );
        set(owner.is_some())?;
        subtensor::Pallet::<T>::record_owner(owner, netuid, kind);
        Ok(())
    }

    /// Runs a setting of root, if it is bound to the freeze window outside of that.
    fn set_as_root<T: Config>(
        origin: OriginFor<T>,
        netuid: NetUid,
        windowed: bool,
        set: impl FnOnce() -> DispatchResult,
    ) -> DispatchResult {
        ensure_root(origin)?;
        if windowed {
            subtensor::Pallet::<T>::ensure_admin_window_open(netuid)?;
        }
        ensure!(
            NetworksAdded::<T>::get(netuid),
            Error::<T>::SubnetDoesNotExist
        );
        set()
    }

    fn deposit<T: Config>(event: subtensor::Event<T>) {
        subtensor::Pallet::<T>::deposit_event(event);
    }

    /// The weight of a setting: an estimate.
    fn setting<T: Config>() -> Weight {
        Weight::from_parts(20_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(6, 2))
    }
}

#[cfg(test)]
mod tests;
