//! The epoch keeps its promises on any input.

use athanor_yuma::{Commit, LiquidAlpha, Outcome, Params, State, epoch};
use proptest::prelude::*;

#[expect(unreachable_pub, reason = "the module is shared with a bench")]
#[path = "../benches/transcription.rs"]
mod transcription;

/// Everything that a [`State`] borrows.
#[derive(Debug, Clone)]
struct Stored {
    clock: [u64; 4],
    columns: [Vec<u64>; 4],
    weights: Vec<Vec<(u16, u16)>>,
    bonds: Vec<Vec<(u16, u16)>>,
    validator_permit: Vec<bool>,
    commits: [Vec<Commit>; 2],
}

impl Stored {
    fn state(&self) -> State<'_> {
        let [block, last_mechanism_step_block, epoch_index, rao_emission] = self.clock;
        let [alpha_stake, tao_stake, last_update, block_at_registration] = &self.columns;
        let [commits, timelocked_commits] = &self.commits;
        State {
            block,
            last_mechanism_step_block,
            epoch_index,
            rao_emission,
            alpha_stake,
            tao_stake,
            last_update,
            block_at_registration,
            weights: &self.weights,
            bonds: &self.bonds,
            validator_permit: &self.validator_permit,
            commits,
            timelocked_commits,
        }
    }

    fn epoch(&self, params: &Params) -> Outcome {
        epoch(params, &self.state())
    }
}

/// Ends of the range, small numbers, and everything else.
fn edgy() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        4 => 0..6_u64,
        1 => Just(u64::MAX),
        1 => Just(1_u64 << 63),
        4 => any::<u64>(),
        4 => any::<u64>().prop_map(|number| number >> (number & 63)),
    ]
}

fn edgy_share() -> impl Strategy<Value = u16> {
    prop_oneof![
        1 => Just(0),
        1 => Just(u16::MAX),
        1 => Just(32_767),
        1 => 0..4_u16,
        4 => any::<u16>(),
    ]
}

/// Rows without a target twice, half of them sorted, some with targets beyond the subnet.
fn rows(n: usize, extra: usize) -> impl Strategy<Value = Vec<Vec<(u16, u16)>>> {
    let targets: Vec<u16> = (0..n as u16 + 3).chain([u16::MAX]).collect();
    let len = targets.len();
    let row = (
        proptest::sample::subsequence(targets, 0..=len),
        proptest::collection::vec(edgy_share(), len),
        any::<Option<[u8; 32]>>(),
    )
        .prop_map(|(mut targets, values, order)| {
            if let Some(order) = order {
                targets.sort_by_key(|target| order[usize::from(*target) % 32]);
            }
            targets.into_iter().zip(values).collect()
        });
    proptest::collection::vec(row, n.saturating_sub(extra)..=n + extra)
}

fn params(n: u16) -> impl Strategy<Value = Params> {
    let liquid_alpha =
        proptest::option::of((edgy_share(), edgy_share(), any::<i16>())).prop_map(|range| {
            range.map(|(low, high, steepness)| LiquidAlpha {
                low,
                high,
                steepness,
            })
        });
    let numbers = (
        (edgy_share(), prop_oneof![0..5_000_u32, any::<u32>()]),
        prop_oneof![0..1_000_000_u64, edgy()],
        prop_oneof![Just(0), 0..1_000_u64, edgy()],
        (edgy(), edgy(), 0..=n.saturating_add(1)),
    );
    let shares = (edgy_share(), edgy_share());
    let switches = any::<(bool, bool)>();
    let owner = proptest::option::of(0..=n);
    (numbers, shares, switches, liquid_alpha, owner).prop_map(
        move |(
            numbers,
            (kappa, bonds_penalty),
            (yuma3, commit_reveal),
            liquid_alpha,
            owner_uid,
        )| {
            let ((tempo, factor), bonds_moving_average, stake_threshold, rest) = numbers;
            let (tao_weight, reveal_period, max_allowed_validators) = rest;
            Params {
                n,
                tempo,
                activity_cutoff_factor_milli: factor,
                kappa,
                bonds_moving_average,
                bonds_penalty,
                yuma3,
                liquid_alpha,
                max_allowed_validators,
                stake_threshold,
                tao_weight,
                commit_reveal,
                reveal_period,
                owner_uid,
            }
        },
    )
}

fn commits(n: u16) -> impl Strategy<Value = Vec<Commit>> {
    let commit = (0..=n, edgy(), edgy());
    let commit = commit.prop_map(|(uid, epoch, block)| Commit { uid, epoch, block });
    proptest::collection::vec(commit, 0..6)
}

fn stored(n: u16, extra: usize) -> impl Strategy<Value = Stored> {
    let entries = usize::from(n);
    let sizes = entries.saturating_sub(extra)..=entries + extra;
    let column = |numbers| proptest::collection::vec(numbers, sizes.clone());
    (
        [edgy(), edgy(), edgy(), edgy()],
        [
            column(edgy().boxed()),
            column(edgy().boxed()),
            column(edgy().boxed()),
            column(prop_oneof![3 => Just(0), 1 => edgy()].boxed()),
        ],
        rows(entries, extra),
        rows(entries, extra),
        proptest::collection::vec(prop::bool::weighted(0.8), sizes.clone()),
        [commits(n), commits(n)],
    )
        .prop_map(
            |(clock, columns, weights, bonds, validator_permit, commits)| Stored {
                clock,
                columns,
                weights,
                bonds,
                validator_permit,
                commits,
            },
        )
}

/// Subnets whose slices may be too short or too long.
fn subnet() -> impl Strategy<Value = (Params, Stored)> {
    (0..12_u16).prop_flat_map(|n| (params(n), stored(n, 2)))
}

/// Subnets whose validators are active and weigh miners, so that every step has something to do.
fn busy() -> impl Strategy<Value = (Params, Stored)> {
    let sizes = prop_oneof![9 => 1..24_u16, 1 => 60..140_u16];
    sizes.prop_flat_map(|n| {
        (params(n), stored(n, 0)).prop_map(move |(mut params, mut stored)| {
            params.activity_cutoff_factor_milli = 13_889;
            params.tempo = 360;
            params.stake_threshold = 0;
            params.commit_reveal = false;
            stored.clock[0] = 1_000_000;
            stored.clock[1] = 999_640;
            let [alpha, _, update, registered] = &mut stored.columns;
            alpha
                .iter_mut()
                .for_each(|stake| *stake = (*stake >> 14) + 1);
            update
                .iter_mut()
                .for_each(|block| *block = 999_000 + *block % 1_000);
            registered.iter_mut().for_each(|block| *block %= 999_800);
            (params, stored)
        })
    })
}

/// The same subnet with UID `uid` called `names[uid]`.
fn rename(stored: &Stored, names: &[usize]) -> Stored {
    let mut renamed = stored.clone();
    let target = |(target, value): (u16, u16)| match names.get(usize::from(target)) {
        Some(name) => (*name as u16, value),
        None => (target, value),
    };
    for (uid, &name) in names.iter().enumerate() {
        for (renamed, column) in renamed.columns.iter_mut().zip(&stored.columns) {
            renamed[name] = column[uid];
        }
        let row = |row: &[(u16, u16)]| row.iter().copied().map(target).collect();
        renamed.weights[name] = row(&stored.weights[uid]);
        renamed.bonds[name] = row(&stored.bonds[uid]);
        renamed.validator_permit[name] = stored.validator_permit[uid];
    }
    renamed
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_input_gives_what_the_rules_say((params, stored) in subnet()) {
        prop_assert_eq!(stored.epoch(&params), transcription::epoch(&params, &stored.state()));
    }

    #[test]
    fn a_busy_subnet_gives_what_the_rules_say((params, stored) in busy()) {
        prop_assert_eq!(stored.epoch(&params), transcription::epoch(&params, &stored.state()));
    }

    #[test]
    fn no_more_is_emitted_than_there_is((params, mut stored) in subnet()) {
        // All stake together must fit the chain's numbers, which end at 2^63.
        stored.columns[..2].iter_mut().flatten().for_each(|stake| *stake >>= 6);
        let outcome = stored.epoch(&params);
        let sum = |rao: &[u64]| rao.iter().map(|rao| u128::from(*rao)).sum::<u128>();
        let there_is = u128::from(stored.clock[3]);
        prop_assert!(sum(&outcome.emission) <= there_is);
        prop_assert!(sum(&outcome.server_emission) + sum(&outcome.validator_emission) <= there_is);
    }

    #[test]
    fn emission_and_shares_leave_only_rounding_behind((params, stored) in busy()) {
        let outcome = stored.epoch(&params);
        let emitted = outcome.emission.iter().map(|rao| u128::from(*rao)).sum::<u128>();
        // A share is off by less than 2^-32 and an amount by less than 1.
        let entries = u128::from(params.n);
        let lost = ((entries * u128::from(stored.clock[3])) >> 32) + 2 * entries;
        prop_assert!(emitted + lost >= u128::from(stored.clock[3]));
    }

    #[test]
    fn no_more_permits_are_given_than_allowed((params, stored) in subnet()) {
        let outcome = stored.epoch(&params);
        let permits = outcome.validator_permit.iter().filter(|permit| **permit).count();
        prop_assert!(permits <= usize::from(params.max_allowed_validators) + 1);
        for (permit, row) in outcome.validator_permit.iter().zip(&outcome.bonds) {
            prop_assert!(*permit || row.is_empty());
            prop_assert!(row.iter().all(|(target, _)| *target < params.n));
        }
    }

    #[test]
    fn every_output_has_an_entry_per_uid((params, stored) in subnet()) {
        let outcome = stored.epoch(&params);
        let n = usize::from(params.n);
        prop_assert_eq!(outcome.active.len(), n);
        prop_assert_eq!(outcome.stake.len(), n);
        prop_assert_eq!(outcome.stake_weight.len(), n);
        prop_assert_eq!(outcome.consensus.len(), n);
        prop_assert_eq!(outcome.validator_trust.len(), n);
        prop_assert_eq!(outcome.incentive.len(), n);
        prop_assert_eq!(outcome.dividends.len(), n);
        prop_assert_eq!(outcome.server_emission.len(), n);
        prop_assert_eq!(outcome.validator_emission.len(), n);
        prop_assert_eq!(outcome.emission.len(), n);
        prop_assert_eq!(outcome.validator_permit.len(), n);
        prop_assert_eq!(outcome.bonds.len(), n);
    }

    #[test]
    fn consensus_and_incentive_do_not_depend_on_the_order_of_uids(
        ((params, stored), keys) in (busy(), any::<[u64; 24]>())
    ) {
        let n = usize::from(params.n);
        let mut names: Vec<usize> = (0..n).collect();
        names.sort_by_key(|uid| keys[*uid % 24].rotate_left(*uid as u32));
        let mut renamed = params.clone();
        renamed.owner_uid = params.owner_uid.and_then(|uid| {
            names.get(usize::from(uid)).map(|name| *name as u16)
        });
        let before = stored.epoch(&params);
        let after = rename(&stored, &names).epoch(&renamed);
        for (uid, &name) in names.iter().enumerate() {
            prop_assert_eq!(before.stake[uid], after.stake[name]);
            prop_assert_eq!(before.stake_weight[uid], after.stake_weight[name]);
            prop_assert_eq!(before.consensus[uid], after.consensus[name]);
            prop_assert_eq!(before.validator_trust[uid], after.validator_trust[name]);
            prop_assert_eq!(before.incentive[uid], after.incentive[name]);
        }
    }

    #[test]
    fn the_order_of_a_row_matters_to_liquid_alpha_only((mut params, stored) in busy()) {
        params.liquid_alpha = None;
        let mut sorted = stored.clone();
        sorted.weights.iter_mut().for_each(|row| row.sort());
        sorted.bonds.iter_mut().for_each(|row| row.sort());
        prop_assert_eq!(stored.epoch(&params), sorted.epoch(&params));
    }
}
