//! Whether blocks give what Subtensor's own code gave, on every recorded epoch.
//!
//! Each epoch runs in a block of a chain of its own. What extrinsics can bring about is brought about by signed ones in the
//! block before: the hyperparameters by `AdminUtils`, stake on the subnet and on root by `add_stake`, weights by
//! `set_weights`. What they cannot is written to storage: the registrations' and updates' blocks, permits, bonds, pending emission, the position
//! in the schedule and commits, which a history of many blocks would have left; and those values that the calls refuse
//! (stake below the least or above all that there is, weights that are not scaled or point beyond the subnet, settings
//! out of range).
//!
//! What validators earn is not stored: it is held against what the block staked on their hotkeys, to the rao. All of the
//! emission waits in the validators' pot, where no rounding hides a difference.

#[allow(
    unreachable_pub,
    reason = "the reader is shared with a test of another crate"
)]
#[path = "../../../../../scoring/yuma/tests/recorded/mod.rs"]
mod recorded;

use std::{
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use athanor_yuma::{Outcome, Params, State};
use codec::{Compact, Decode, Encode};
use sp_core::{H256, Pair, sr25519};
use sp_runtime::{
    BuildStorage,
    traits::{BlakeTwo256, Hash, Header as _},
};

use super::*;
use crate::{
    Executive, Header, RuntimeCall, RuntimeEvent, SudoConfig, UncheckedExtrinsic, VERSION,
    admin::Call as Admin,
};

/// Extrinsics that did their work, and extrinsics whose work was done on storage.
static BY_CALL: AtomicU64 = AtomicU64::new(0);
static BY_STORAGE: AtomicU64 = AtomicU64::new(0);

/// The richest account, whose stake everybody's is, and who may dispatch as root.
static RICH: LazyLock<sr25519::Pair> = LazyLock::new(|| sr25519::Pair::from_seed(&[0xee; 32]));
/// Keys of the hotkeys by UID.
static KEYS: LazyLock<Vec<sr25519::Pair>> = LazyLock::new(|| {
    let seed = |uid: u16| {
        let mut seed = [0x11; 32];
        seed[..2].copy_from_slice(&uid.to_be_bytes());
        seed
    };
    (0..=256)
        .map(|uid| sr25519::Pair::from_seed(&seed(uid)))
        .collect()
});

fn rich() -> AccountId32 {
    RICH.public().into()
}

fn hotkey(uid: u16) -> AccountId32 {
    KEYS[usize::from(uid)].public().into()
}

/// An immortal extrinsic, byte by byte as clients send it.
fn extrinsic(signer: &sr25519::Pair, call: RuntimeCall) -> UncheckedExtrinsic {
    let nonce = System::account_nonce(AccountId32::from(signer.public()));
    let genesis = System::block_hash(0);
    let extra = (0_u8, Compact(nonce), Compact(0_u64), 0_u8);
    let implicit = (
        VERSION.spec_version,
        VERSION.transaction_version,
        genesis,
        genesis,
        Option::<[u8; 32]>::None,
    );
    let mut payload = (&call, &extra, implicit).encode();
    if payload.len() > 256 {
        payload = BlakeTwo256::hash(&payload).0.to_vec();
    }
    let signature = signer.sign(&payload);
    // Version 4, signed; an account by its id; an sr25519 signature.
    let bytes = (
        (0x84_u8, 0_u8, signer.public().0),
        (1_u8, signature.0),
        extra,
        call,
    );
    UncheckedExtrinsic::decode(&mut &bytes.encode().encode()[..]).unwrap()
}

/// Applies an extrinsic; if it is refused, fails or does not have the effect, `otherwise` has.
fn reach(
    signer: &sr25519::Pair,
    call: impl Into<RuntimeCall>,
    reached: impl Fn() -> bool,
    otherwise: impl FnOnce(),
) {
    let _ = Executive::apply_extrinsic(extrinsic(signer, call.into()));
    if reached() {
        BY_CALL.fetch_add(1, Ordering::Relaxed);
    } else {
        BY_STORAGE.fetch_add(1, Ordering::Relaxed);
        otherwise();
        assert!(reached());
    }
}

fn chain(params: &Params) -> TestExternalities {
    let neurons = (0..params.n)
        .map(|uid| NeuronGenesis {
            coldkey: rich(),
            hotkey: hotkey(uid),
            stake: 0,
        })
        .collect();
    let subnet = SubnetGenesis {
        owner_hotkey: params.owner_uid.map(hotkey),
        max_allowed_uids: params.n.max(1),
        min_allowed_weights: 0,
        weights_rate_limit: 0,
        emission_per_block: 0,
        neurons,
        ..super::subnet()
    };
    let storage = RuntimeGenesisConfig {
        balances: BalancesConfig {
            balances: vec![(rich(), u64::MAX / 4)],
            ..Default::default()
        },
        subtensor_module: SubtensorModuleConfig {
            subnets: vec![subnet],
            ..Default::default()
        },
        sudo: SudoConfig { key: Some(rich()) },
        ..Default::default()
    }
    .build_storage()
    .unwrap();
    TestExternalities::new(storage)
}

/// The call as root's.
fn as_root(call: impl Into<RuntimeCall>) -> pallet_sudo::Call<Runtime> {
    let call = Box::new(call.into());
    pallet_sudo::Call::sudo { call }
}

macro_rules! set {
    ($item:ident, $call:ident { $argument:ident: $value:expr }) => {{
        let value = $value;
        reach(
            &RICH,
            as_root(Admin::<Runtime>::$call {
                netuid: NETUID,
                $argument: value,
            }),
            || $item::<Runtime>::get(NETUID) == value,
            || $item::<Runtime>::insert(NETUID, value),
        );
    }};
}

fn settings(params: &Params) {
    AdminFreezeWindow::<Runtime>::put(0);
    set!(
        Tempo,
        sudo_set_tempo {
            tempo: params.tempo
        }
    );
    set!(
        Kappa,
        sudo_set_kappa {
            kappa: params.kappa
        }
    );
    set!(
        BondsMovingAverage,
        sudo_set_bonds_moving_average {
            bonds_moving_average: params.bonds_moving_average
        }
    );
    set!(
        BondsPenalty,
        sudo_set_bonds_penalty {
            bonds_penalty: params.bonds_penalty
        }
    );
    set!(
        Yuma3On,
        sudo_set_yuma3_enabled {
            enabled: params.yuma3
        }
    );
    let liquid = params.liquid_alpha.is_some();
    set!(
        LiquidAlphaOn,
        sudo_set_liquid_alpha_enabled { enabled: liquid }
    );
    set!(
        MaxAllowedValidators,
        sudo_set_max_allowed_validators {
            max_allowed_validators: params.max_allowed_validators
        }
    );
    set!(
        RevealPeriodEpochs,
        sudo_set_commit_reveal_weights_interval {
            interval: params.reveal_period
        }
    );
    if let Some(alpha) = params.liquid_alpha {
        let steepness = alpha.steepness;
        set!(
            AlphaSigmoidSteepness,
            sudo_set_alpha_sigmoid_steepness {
                steepness: steepness
            }
        );
        reach(
            &RICH,
            as_root(Admin::<Runtime>::sudo_set_alpha_values {
                netuid: NETUID,
                alpha_low: alpha.low,
                alpha_high: alpha.high,
            }),
            || AlphaValues::<Runtime>::get(NETUID) == (alpha.low, alpha.high),
            || AlphaValues::<Runtime>::insert(NETUID, (alpha.low, alpha.high)),
        );
    }
    reach(
        &RICH,
        as_root(Call::<Runtime>::set_activity_cutoff_factor {
            netuid: NETUID,
            factor_milli: params.activity_cutoff_factor_milli,
        }),
        || ActivityCutoffFactorMilli::<Runtime>::get(NETUID) == params.activity_cutoff_factor_milli,
        || {
            let factor = params.activity_cutoff_factor_milli;
            ActivityCutoffFactorMilli::<Runtime>::insert(NETUID, factor)
        },
    );
    // No call sets it.
    TaoWeight::<Runtime>::put(params.tao_weight);
}

fn stake(netuid: NetUid, amounts: &[u64]) {
    for (uid, amount) in (0_u16..).zip(amounts) {
        let staked = || TotalHotkeyAlpha::<Runtime>::get(hotkey(uid), netuid);
        reach(
            &RICH,
            Call::<Runtime>::add_stake {
                hotkey: hotkey(uid),
                netuid,
                amount_staked: *amount,
            },
            || staked() == *amount,
            || TotalHotkeyAlpha::<Runtime>::insert(hotkey(uid), netuid, amount),
        );
    }
}

fn weights(rows: &[Vec<(u16, u16)>]) {
    for (uid, row) in (0_u16..).zip(rows) {
        let (dests, values) = row.iter().copied().unzip();
        reach(
            &KEYS[usize::from(uid)],
            Call::<Runtime>::set_weights {
                netuid: NETUID,
                dests,
                weights: values,
                version_key: 0,
            },
            || Weights::<Runtime>::get(NETUID, uid) == *row,
            || Weights::<Runtime>::insert(NETUID, uid, row),
        );
    }
}

/// What a history of blocks would have left.
fn history(params: &Params, state: &State<'_>) {
    let n = usize::from(params.n);
    for (uid, block) in (0_u16..).zip(state.block_at_registration).take(n) {
        BlockAtRegistration::<Runtime>::insert(NETUID, uid, block);
    }
    for (uid, row) in (0_u16..).zip(state.bonds).take(n) {
        Bonds::<Runtime>::insert(NETUID, uid, row);
    }
    LastUpdate::<Runtime>::insert(NETUID, state.last_update.to_vec());
    ValidatorPermit::<Runtime>::insert(NETUID, state.validator_permit.to_vec());
    LastMechansimStepBlock::<Runtime>::insert(NETUID, state.last_mechanism_step_block);
    SubnetEpochIndex::<Runtime>::insert(NETUID, state.epoch_index.saturating_sub(1));
    PendingEpochAt::<Runtime>::insert(NETUID, 1);
    PendingValidatorEmission::<Runtime>::insert(NETUID, state.rao_emission);
    for commit in state.commits {
        let entry = (H256::zero(), commit.epoch, commit.block, 0);
        WeightCommits::<Runtime>::mutate(NETUID, hotkey(commit.uid), |queue| {
            queue.get_or_insert_default().push_back(entry)
        });
    }
    for commit in state.timelocked_commits {
        let entry = (
            hotkey(commit.uid),
            commit.block,
            Default::default(),
            u64::MAX,
        );
        TimelockedWeightCommits::<Runtime>::mutate(NETUID, commit.epoch, |queue| {
            queue.push_back(entry)
        });
    }
    CommitRevealWeightsEnabled::<Runtime>::insert(NETUID, params.commit_reveal);
    StakeThreshold::<Runtime>::put(params.stake_threshold);
}

fn epoch_in_a_block(params: &Params, state: &State<'_>) -> Outcome {
    let block = u32::try_from(state.block).unwrap();
    let n = usize::from(params.n);
    chain(params).execute_with(|| {
        if block > 1 {
            begin(block - 1);
        }
        settings(params);
        ValidatorPermit::<Runtime>::insert(NETUID, vec![true; n]);
        weights(&state.weights[..n.min(state.weights.len())]);
        stake(NETUID, &state.alpha_stake[..n.min(state.alpha_stake.len())]);
        stake(0, &state.tao_stake[..n.min(state.tao_stake.len())]);
        history(params, state);
        let totals = (0..params.n)
            .map(|uid| SubtensorModule::stake_weight(&hotkey(uid), NETUID))
            .collect();
        let before = staked(params.n);
        begin(block);
        let incentives = incentives();
        let paid = Paid {
            before: &before,
            incentives: &incentives,
            emission: state.rao_emission,
            owner_uid: params.owner_uid,
        };
        let validators = paid.to_validators(&athanor_yuma::epoch(params, state).validator_emission);
        outcome(params.n, totals, incentives, validators)
    })
}

/// Begins a block, which starts with the epochs that are due.
fn begin(number: u32) {
    System::set_block_number(number - 1);
    Executive::initialize_block(&Header::new(
        number,
        Default::default(),
        Default::default(),
        System::parent_hash(),
        Default::default(),
    ));
}

/// Stake on each hotkey, in rao.
fn staked(n: u16) -> Vec<u64> {
    (0..n)
        .map(|uid| TotalHotkeyAlpha::<Runtime>::get(hotkey(uid), NETUID))
        .collect()
}

/// What the block says that it paid the miners, in rao.
fn incentives() -> Vec<u64> {
    let paid = System::events().into_iter().find_map(|record| {
        let RuntimeEvent::SubtensorModule(Event::IncentiveAlphaEmittedToMiners {
            emissions, ..
        }) = record.event
        else {
            return None;
        };
        Some(emissions)
    });
    paid.unwrap_or_default()
}

/// An epoch's pay, as the stake on the hotkeys shows it.
struct Paid<'a> {
    before: &'a [u64],
    incentives: &'a [u64],
    emission: u64,
    owner_uid: Option<u16>,
}

impl Paid<'_> {
    /// These emissions where they are what the block staked: for each validator its part of what the miners left. Where
    /// they are not, all that the block staked.
    fn to_validators(&self, emissions: &[u64]) -> Vec<u64> {
        let mined: u64 = self.incentives.iter().sum();
        let pot = u128::from(self.emission.saturating_sub(mined));
        let all: u128 = emissions.iter().copied().map(u128::from).sum();
        let uids = 0..u16::try_from(self.before.len()).unwrap();
        let rows = uids
            .zip(emissions)
            .zip(self.before.iter().zip(self.incentives));
        rows.map(|((uid, emission), (before, incentive))| {
            let after = TotalHotkeyAlpha::<Runtime>::get(hotkey(uid), NETUID);
            let dividend = (pot * u128::from(*emission)).checked_div(all).unwrap_or(0);
            // An owner's own miner is paid nothing.
            let mined = if self.owner_uid == Some(uid) {
                0
            } else {
                *incentive
            };
            let due = before
                .saturating_add(mined)
                .saturating_add(u64::try_from(dividend).unwrap());
            match after == due {
                true => *emission,
                false => after - before,
            }
        })
        .collect()
    }
}

fn outcome(
    n: u16,
    stake: Vec<u64>,
    server_emission: Vec<u64>,
    validator_emission: Vec<u64>,
) -> Outcome {
    Outcome {
        active: Active::<Runtime>::get(NETUID),
        stake,
        stake_weight: StakeWeight::<Runtime>::get(NETUID),
        consensus: Consensus::<Runtime>::get(NETUID),
        validator_trust: ValidatorTrust::<Runtime>::get(NETUID),
        incentive: Incentive::<Runtime>::get(NETUID),
        dividends: Dividends::<Runtime>::get(NETUID),
        server_emission,
        validator_emission,
        emission: Emission::<Runtime>::get(NETUID),
        validator_permit: ValidatorPermit::<Runtime>::get(NETUID),
        bonds: (0..n)
            .map(|uid| Bonds::<Runtime>::get(NETUID, uid))
            .collect(),
    }
}

#[test]
fn every_recorded_epoch_comes_out_of_a_block_as_recorded() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scoring/yuma/tests/vectors");
    let report = recorded::compare_directory(&vectors, epoch_in_a_block)
        .unwrap_or_else(|error| panic!("{error}"));
    let differing: Vec<String> = report.mismatches.iter().map(ToString::to_string).collect();
    let (calls, storage) = (
        BY_CALL.load(Ordering::Relaxed),
        BY_STORAGE.load(Ordering::Relaxed),
    );
    println!(
        "{} epochs; {calls} steps by signed extrinsics, {storage} by storage",
        report.epochs
    );
    assert!(
        differing.is_empty(),
        "{} differ: {:#?}",
        differing.len(),
        &differing[..differing.len().min(20)]
    );
    assert!(report.cases >= 161 && report.epochs >= 957, "{report:?}");
    assert!(
        calls > 4 * storage,
        "{calls} by extrinsics, {storage} by storage"
    );
}
