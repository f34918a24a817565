//! Mint each block's emission, and decide which subnet's epoch shares out what has gathered.

use alloc::{collections::BTreeMap, vec::Vec};
use athanor_yuma::schedule::Schedule;
use frame_support::{traits::Get, weights::Weight};
use sp_runtime::AccountId32;

use super::*;

/// Alpha that an epoch shares out, in rao.
struct Pots {
    server: u64,
    validator: u64,
    owner: u64,
}

/// What one UID earned in an epoch, in rao.
pub(super) struct Earned {
    pub(super) hotkey: AccountId32,
    pub(super) incentive: u64,
    pub(super) dividend: u64,
}

impl<T: Config> Pallet<T> {
    /// Runs at the start of every block, before its extrinsics. Returns what it takes of the block: a flat amount per
    /// subnet and neuron, as the epochs run outside the limit on extrinsics anyway.
    pub(super) fn block_step() -> Weight {
        let block = Self::current_block();
        let netuids = Self::subnets();
        let mut neurons = 0_u64;
        Self::open_root_registrations();
        for netuid in &netuids {
            Self::decay_price(*netuid);
        }
        for netuid in Self::undeferred(&netuids, block) {
            Self::reveal_timelocked(netuid);
        }
        for netuid in &netuids {
            Self::mint_block_emission(*netuid, block);
            neurons = neurons.saturating_add(SubnetworkN::<T>::get(netuid).into());
        }
        for netuid in Self::take_slots(&netuids, block) {
            let pots = Self::drain(netuid);
            Self::distribute(netuid, &pots);
            LastMechansimStepBlock::<T>::insert(netuid, block);
            Self::apply_pending_children(netuid);
        }
        T::DbWeight::get().reads_writes(
            20_u64
                .saturating_mul(netuids.len() as u64)
                .saturating_add(4 * neurons),
            8_u64
                .saturating_mul(netuids.len() as u64)
                .saturating_add(neurons),
        )
    }

    /// Mints a started subnet's emission into its pots: the owner's cut, then half for miners and half for validators.
    fn mint_block_emission(netuid: NetUid, block: u64) {
        if FirstEmissionBlockNumber::<T>::get(netuid).is_none_or(|first| block < first) {
            return;
        }
        let alpha = SubnetAlphaOutEmission::<T>::get(netuid);
        let tao = SubnetTaoInEmission::<T>::get(netuid);
        SubnetAlphaOut::<T>::mutate(netuid, |issued| *issued = issued.saturating_add(alpha));
        SubnetTAO::<T>::mutate(netuid, |pool| *pool = pool.saturating_add(tao));
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(tao));
        TotalIssuance::<T>::mutate(|total| *total = total.saturating_add(tao));

        let has_owner = SubnetOwnerHotkey::<T>::contains_key(netuid);
        let cut = match has_owner && OwnerCutEnabled::<T>::get(netuid) {
            true => share(alpha, SubnetOwnerCut::<T>::get().into(), u16::MAX.into()),
            false => 0,
        };
        let rest = alpha.saturating_sub(cut);
        let server = rest / 2;
        PendingOwnerCut::<T>::mutate(netuid, |pot| *pot = pot.saturating_add(cut));
        PendingServerEmission::<T>::mutate(netuid, |pot| *pot = pot.saturating_add(server));
        PendingValidatorEmission::<T>::mutate(netuid, |pot| {
            *pot = pot.saturating_add(rest.saturating_sub(server))
        });
    }

    /// The subnets whose epoch, if it is due in this block, runs in it (`epochs_deferred_this_block`).
    fn undeferred(netuids: &[NetUid], block: u64) -> Vec<NetUid> {
        let mut room = MaxEpochsPerBlock::<T>::get();
        let mut takes_room = |netuid: &NetUid| {
            let due = Self::schedule(*netuid).tick().is_due(block);
            let fits = !due || room > 0;
            room = room.saturating_sub(due.into());
            fits
        };
        netuids
            .iter()
            .copied()
            .filter(|netuid| takes_room(netuid))
            .collect()
    }

    /// Moves every subnet's schedule on by one block and returns those whose epoch runs in it.
    fn take_slots(netuids: &[NetUid], block: u64) -> Vec<NetUid> {
        let mut running = Vec::new();
        for netuid in netuids.iter().copied() {
            let schedule = Self::schedule(netuid).tick();
            if !schedule.is_due(block) {
                Self::put_schedule(netuid, schedule);
            } else if running.len() >= usize::from(MaxEpochsPerBlock::<T>::get()) {
                let deferred = schedule.defer(block);
                Self::put_schedule(netuid, deferred);
                let to_block = deferred.pending_epoch_at;
                Self::deposit_event(Event::EpochDeferred {
                    netuid,
                    from_block: block,
                    to_block,
                });
            } else {
                Self::put_schedule(netuid, schedule.advance(block, true));
                running.push(netuid);
            }
        }
        running
    }

    /// The stored schedule of a subnet.
    pub(crate) fn schedule(netuid: NetUid) -> Schedule {
        Schedule {
            tempo: Tempo::<T>::get(netuid),
            last_epoch_block: LastEpochBlock::<T>::get(netuid),
            pending_epoch_at: PendingEpochAt::<T>::get(netuid),
            blocks_since_last_step: BlocksSinceLastStep::<T>::get(netuid),
            epoch_index: SubnetEpochIndex::<T>::get(netuid),
        }
    }

    fn put_schedule(netuid: NetUid, schedule: Schedule) {
        LastEpochBlock::<T>::insert(netuid, schedule.last_epoch_block);
        PendingEpochAt::<T>::insert(netuid, schedule.pending_epoch_at);
        BlocksSinceLastStep::<T>::insert(netuid, schedule.blocks_since_last_step);
        SubnetEpochIndex::<T>::insert(netuid, schedule.epoch_index);
    }

    fn drain(netuid: NetUid) -> Pots {
        Pots {
            server: PendingServerEmission::<T>::take(netuid),
            validator: PendingValidatorEmission::<T>::take(netuid),
            owner: PendingOwnerCut::<T>::take(netuid),
        }
    }

    /// Runs the epoch and stakes its pots: the server pot by incentive, the validator pot by dividends (which also get
    /// the server pot while no miner earns), the owner's cut on the owner's hotkey. What rounding leaves over stays
    /// issued and belongs to nobody.
    fn distribute(netuid: NetUid, pots: &Pots) {
        let earned = Self::run_epoch(netuid, pots.server.saturating_add(pots.validator));
        if let Ok(hotkey) = SubnetOwnerHotkey::<T>::try_get(netuid) {
            Self::credit_stake(&hotkey, &SubnetOwner::<T>::get(netuid), netuid, pots.owner);
        }
        let owner = SubnetOwner::<T>::get(netuid);
        let owner_hotkey = SubnetOwnerHotkey::<T>::try_get(netuid).ok();
        for neuron in &earned {
            let coldkey = Owner::<T>::get(&neuron.hotkey);
            if coldkey == owner || Some(&neuron.hotkey) == owner_hotkey.as_ref() {
                Self::withhold(netuid, neuron.incentive);
            } else {
                Self::pay_incentive(netuid, neuron, &coldkey);
            }
        }
        // Incentives are shares of both pots together, and their rounding may take a few rao of the validators'.
        let mined: u64 = earned.iter().map(|neuron| neuron.incentive).sum();
        let all = pots.server.saturating_add(pots.validator);
        let pot = match mined {
            0 => all,
            _ => pots.validator.min(all.saturating_sub(mined)),
        };
        Self::pay_dividends(netuid, pot, &earned);
    }

    /// Stakes a miner's incentive on its hotkey, or where its coldkey wants all of it.
    fn pay_incentive(netuid: NetUid, neuron: &Earned, coldkey: &AccountId32) {
        if neuron.incentive == 0 {
            return;
        }
        let chosen = AutoStakeDestination::<T>::get(coldkey, netuid);
        if let Some(destination) = &chosen {
            StakingHotkeys::<T>::mutate(coldkey, |hotkeys| registration::add(hotkeys, destination));
            Self::deposit_event(Event::AutoStakeAdded {
                netuid,
                destination: destination.clone(),
                hotkey: neuron.hotkey.clone(),
                owner: coldkey.clone(),
                incentive: neuron.incentive,
            });
        }
        let destination = chosen.as_ref().unwrap_or(&neuron.hotkey);
        Self::credit_stake(destination, coldkey, netuid, neuron.incentive);
    }

    /// Incentive that falls to the subnet owner's own neurons is paid to nobody.
    fn withhold(netuid: NetUid, incentive: u64) {
        if RecycleOrBurn::<T>::get(netuid) == RecycleOrBurnEnum::Recycle {
            Self::recycle_alpha_out(netuid, incentive);
        }
    }

    /// Takes alpha that belongs to nobody out of the issuance.
    pub(super) fn recycle_alpha_out(netuid: NetUid, alpha: u64) {
        SubnetAlphaOut::<T>::mutate(netuid, |issued| *issued = issued.saturating_sub(alpha));
    }

    /// Shares `pot` out by dividends, of which parents get their part: the hotkey owner's take, then all who staked on
    /// the hotkey.
    fn pay_dividends(netuid: NetUid, pot: u64, earned: &[Earned]) {
        let mut shares: BTreeMap<AccountId32, u128> = BTreeMap::new();
        let (mut all, mut burned) = (0_u128, 0_u128);
        for neuron in earned.iter().filter(|neuron| neuron.dividend > 0) {
            let (parts, burn) = Self::divide_among_parents(&neuron.hotkey, netuid, neuron.dividend);
            all = all.saturating_add(neuron.dividend.into());
            burned = burned.saturating_add(burn.into());
            for (hotkey, part) in parts {
                let share = shares.entry(hotkey).or_default();
                *share = share.saturating_add(part.into());
            }
        }
        let previous = AlphaDividendsPerSubnet::<T>::iter_key_prefix(netuid).collect::<Vec<_>>();
        for hotkey in previous {
            AlphaDividendsPerSubnet::<T>::remove(netuid, hotkey);
        }
        Self::recycle_alpha_out(netuid, share(pot, burned, all));
        for (hotkey, part) in shares {
            let dividend = share(pot, part, all);
            let take = Delegates::<T>::get(&hotkey);
            let take = share(dividend, take.into(), u16::MAX.into());
            let coldkey = Owner::<T>::get(&hotkey);
            Self::credit_stake(&hotkey, &coldkey, netuid, take);
            Self::credit_stakers(&hotkey, netuid, dividend.saturating_sub(take));
            AlphaDividendsPerSubnet::<T>::insert(netuid, &hotkey, dividend.saturating_sub(take));
            let total = TotalHotkeyAlpha::<T>::get(&hotkey, netuid);
            TotalHotkeyAlphaLastEpoch::<T>::insert(&hotkey, netuid, total);
        }
    }
}

/// `part / whole` of `amount`, rounded down; nothing of a zero whole.
pub(super) fn share(amount: u64, part: u128, whole: u128) -> u64 {
    (u128::from(amount) * part)
        .checked_div(whole)
        .and_then(|share| u64::try_from(share).ok())
        .unwrap_or(0)
}
