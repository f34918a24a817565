//! What owners may do about when epochs run.

use athanor_yuma::schedule::{MAX_TEMPO, MIN_TEMPO};
use core::ops::RangeInclusive;
use frame_support::ensure;
use frame_system::pallet_prelude::OriginFor;
use sp_runtime::DispatchResult;

use super::*;

/// Thousandths of a tempo after which an owner may let neurons count as inactive.
const ACTIVITY_CUTOFF_FACTORS: RangeInclusive<u32> = 1_000..=50_000;

impl<T: Config> Pallet<T> {
    /// Sets the tempo and starts a new one with this block (`apply_tempo_with_cycle_reset`).
    pub fn put_tempo(netuid: NetUid, tempo: u16) {
        Tempo::<T>::insert(netuid, tempo);
        LastEpochBlock::<T>::insert(netuid, Self::current_block());
        Self::deposit_event(Event::TempoSet(netuid, tempo));
    }

    /// Sets the tempo for the owner (`do_set_tempo`).
    pub(in crate::subtensor) fn do_set_tempo(
        origin: OriginFor<T>,
        netuid: NetUid,
        tempo: u16,
    ) -> DispatchResult {
        let owner = Self::ensure_subnet_owner(origin, netuid)?;
        ensure!(
            (MIN_TEMPO..=MAX_TEMPO).contains(&tempo),
            Error::<T>::TempoOutOfBounds
        );
        Self::ensure_admin_window_open(netuid)?;
        let kind = TransactionType::TempoUpdate;
        ensure!(
            kind.passes::<T>(&owner, netuid),
            Error::<T>::TxRateLimitExceeded
        );
        Self::put_tempo(netuid, tempo);
        kind.record::<T>(&owner, netuid);
        Ok(())
    }

    /// Sets after which part of a tempo neurons count as inactive (`do_set_activity_cutoff_factor`).
    pub(in crate::subtensor) fn do_set_activity_cutoff_factor(
        origin: OriginFor<T>,
        netuid: NetUid,
        factor_milli: u32,
    ) -> DispatchResult {
        let kind = Hyperparameter::ActivityCutoffFactorMilli.into();
        let owner = Self::ensure_owner_within_limit(origin, netuid, kind)?;
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            ACTIVITY_CUTOFF_FACTORS.contains(&factor_milli),
            Error::<T>::ActivityCutoffFactorMilliOutOfBounds
        );
        if owner.is_some() {
            Self::ensure_admin_window_open(netuid)?;
        }
        ActivityCutoffFactorMilli::<T>::insert(netuid, factor_milli);
        Self::deposit_event(Event::ActivityCutoffFactorMilliSet {
            netuid,
            factor_milli,
        });
        Self::record_owner(owner, netuid, kind);
        Ok(())
    }

    /// Asks for an epoch out of turn, a freeze window from now (`do_trigger_epoch`).
    pub(in crate::subtensor) fn do_trigger_epoch(
        origin: OriginFor<T>,
        netuid: NetUid,
    ) -> DispatchResult {
        let owner = Self::ensure_subnet_owner(origin, netuid)?;
        ensure!(
            !CommitRevealWeightsEnabled::<T>::get(netuid),
            Error::<T>::DynamicTempoBlockedByCommitReveal
        );
        let schedule = Self::schedule(netuid);
        ensure!(
            schedule.pending_epoch_at == 0,
            Error::<T>::EpochTriggerAlreadyPending
        );
        let block = Self::current_block();
        let window = u64::from(AdminFreezeWindow::<T>::get());
        ensure!(
            schedule
                .blocks_until_regular_epoch(block)
                .is_none_or(|left| left >= window),
            Error::<T>::AutoEpochAlreadyImminent
        );
        let kind = TransactionType::from(Hyperparameter::TriggerEpoch);
        ensure!(
            kind.passes::<T>(&owner, netuid),
            Error::<T>::TxRateLimitExceeded
        );
        let fires_at = block.saturating_add(window);
        PendingEpochAt::<T>::insert(netuid, fires_at);
        kind.record::<T>(&owner, netuid);
        Self::deposit_event(Event::EpochTriggered {
            netuid,
            by: owner,
            fires_at,
        });
        Ok(())
    }
}
