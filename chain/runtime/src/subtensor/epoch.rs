//! Run Yuma Consensus on a subnet and store what it says.

use alloc::vec::Vec;
use athanor_yuma::{LiquidAlpha, Params, State};
use sp_runtime::AccountId32;

use super::{coinbase::Earned, *};

impl<T: Config> Pallet<T> {
    /// Shares `emission` rao of alpha out among the neurons of a subnet, stores the outcome and returns it by UID.
    pub(super) fn run_epoch(netuid: NetUid, emission: u64) -> Vec<Earned> {
        let n = SubnetworkN::<T>::get(netuid);
        let hotkeys: Vec<AccountId32> = (0..n).map(|uid| Keys::<T>::get(netuid, uid)).collect();
        let stake_on = |pool: NetUid| -> Vec<u64> {
            hotkeys
                .iter()
                .map(|hotkey| Self::inherited_stake(hotkey, netuid, pool))
                .collect()
        };
        let registered: Vec<u64> = (0..n)
            .map(|uid| BlockAtRegistration::<T>::get(netuid, uid))
            .collect();
        let weights: Vec<_> = (0..n).map(|uid| Weights::<T>::get(netuid, uid)).collect();
        let bonds: Vec<_> = (0..n).map(|uid| Bonds::<T>::get(netuid, uid)).collect();
        let outcome = athanor_yuma::epoch(
            &Self::epoch_params(netuid, n),
            &State {
                block: Self::current_block(),
                last_mechanism_step_block: LastMechansimStepBlock::<T>::get(netuid),
                epoch_index: SubnetEpochIndex::<T>::get(netuid),
                rao_emission: emission,
                alpha_stake: &stake_on(netuid),
                tao_stake: &stake_on(0),
                last_update: &LastUpdate::<T>::get(netuid),
                block_at_registration: &registered,
                weights: &weights,
                bonds: &bonds,
                validator_permit: &ValidatorPermit::<T>::get(netuid),
                commits: &Self::hash_commits(netuid, &hotkeys),
                timelocked_commits: &Self::timelocked_commits(netuid),
            },
        );

        Active::<T>::insert(netuid, outcome.active);
        StakeWeight::<T>::insert(netuid, outcome.stake_weight);
        Consensus::<T>::insert(netuid, outcome.consensus);
        ValidatorTrust::<T>::insert(netuid, outcome.validator_trust);
        Incentive::<T>::insert(netuid, outcome.incentive);
        Dividends::<T>::insert(netuid, outcome.dividends);
        Emission::<T>::insert(netuid, outcome.emission);
        ValidatorPermit::<T>::insert(netuid, outcome.validator_permit);
        for (uid, row) in (0..n).zip(outcome.bonds) {
            match row.is_empty() {
                true => Bonds::<T>::remove(netuid, uid),
                false => Bonds::<T>::insert(netuid, uid, row),
            }
        }
        let earned = hotkeys
            .into_iter()
            .zip(
                outcome
                    .server_emission
                    .iter()
                    .zip(&outcome.validator_emission),
            )
            .map(|(hotkey, (incentive, dividend))| Earned {
                hotkey,
                incentive: *incentive,
                dividend: *dividend,
            })
            .collect();
        Self::deposit_event(Event::IncentiveAlphaEmittedToMiners {
            netuid,
            emissions: outcome.server_emission,
        });
        earned
    }

    /// Dissolves the bonds on a hotkey, if the subnet lets it (`do_reset_bonds`).
    pub(crate) fn reset_bonds(netuid: NetUid, hotkey: &AccountId32) {
        let Some(uid) = Uids::<T>::get(netuid, hotkey).filter(|_| BondsResetOn::<T>::get(netuid))
        else {
            return;
        };
        for holder in 0..SubnetworkN::<T>::get(netuid) {
            let mut row = Bonds::<T>::get(netuid, holder);
            let before = row.len();
            row.retain(|(target, _)| *target != uid);
            if row.len() < before {
                Bonds::<T>::insert(netuid, holder, row);
            }
        }
    }

    fn epoch_params(netuid: NetUid, n: u16) -> Params {
        let (low, high) = AlphaValues::<T>::get(netuid);
        let steepness = AlphaSigmoidSteepness::<T>::get(netuid);
        Params {
            n,
            tempo: Tempo::<T>::get(netuid),
            activity_cutoff_factor_milli: ActivityCutoffFactorMilli::<T>::get(netuid),
            kappa: Kappa::<T>::get(netuid),
            bonds_moving_average: BondsMovingAverage::<T>::get(netuid),
            bonds_penalty: BondsPenalty::<T>::get(netuid),
            yuma3: Yuma3On::<T>::get(netuid),
            liquid_alpha: LiquidAlphaOn::<T>::get(netuid).then_some(LiquidAlpha {
                low,
                high,
                steepness,
            }),
            max_allowed_validators: MaxAllowedValidators::<T>::get(netuid),
            stake_threshold: StakeThreshold::<T>::get(),
            tao_weight: TaoWeight::<T>::get(),
            commit_reveal: CommitRevealWeightsEnabled::<T>::get(netuid),
            reveal_period: RevealPeriodEpochs::<T>::get(netuid),
            owner_uid: Self::owner_uid(netuid),
        }
    }
}
