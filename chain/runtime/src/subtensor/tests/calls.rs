//! Random sequences of calls and blocks: nothing panics, nothing is lost, everything fits together.
//!
//! A run of the tests makes 100,000 calls; `ATHANOR_RUNTIME_CALLS` asks for another number, `ATHANOR_RUNTIME_SEED` for
//! the sequences of one seed. A failure names its seed and step.

mod draw;
mod invariants;

use std::collections::BTreeMap;

use frame_support::dispatch::GetDispatchInfo;
use sp_runtime::traits::Dispatchable;

use self::draw::Draw;
use super::*;
use crate::RuntimeCall;

/// Calls per sequence.
const SEQUENCE: u64 = 1_000;
/// Calls between two looks at the whole state.
const LOOK: u64 = 100;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs a test on a chain on which two subnets, six accounts' hotkeys and short limits wait for calls.
fn on_busy_chain(test: impl FnOnce()) {
    let subnets = [1, 2].map(|netuid| SubnetGenesis {
        netuid,
        owner_hotkey: Some(account(10 * u8::try_from(netuid).unwrap())),
        max_allowed_uids: 6,
        tempo: 7,
        immunity_period: 20,
        weights_rate_limit: 2,
        yuma3: netuid == 1,
        commit_reveal: netuid == 2,
        neurons: vec![neuron(1, 50 * TAO), neuron(2, 100 * TAO), neuron(3, 0)],
        ..subnet()
    });
    let config = SubtensorModuleConfig {
        subnet_owner_cut: 11_796,
        ..config(subnets.to_vec())
    };
    on_chain(config, || {
        NetworkRateLimit::<Runtime>::put(5);
        NetworkMinLockCost::<Runtime>::put(20 * TAO);
        NetworkLastLockCost::<Runtime>::put(20 * TAO);
        NetworkImmunityPeriod::<Runtime>::put(300);
        SubnetLimit::<Runtime>::put(4);
        TxRateLimit::<Runtime>::put(3);
        for netuid in [1, 2] {
            MinNonImmuneUids::<Runtime>::insert(netuid, 1);
            MinAllowedUids::<Runtime>::insert(netuid, 3);
            RecycleOrBurn::<Runtime>::insert(netuid, RecycleOrBurnEnum::Recycle);
        }
        CKBurn::<Runtime>::put(u64::MAX / 10);
        test();
    });
}

/// Makes so many random calls, in blocks; how many worked and how many failed.
fn play(seed: u64, calls: u64) -> [u64; 2] {
    let mut done = [0; 2];
    let mut draw = Draw::new(seed);
    for step in 0..calls {
        if draw.below(4) == 0 {
            next_block();
        }
        let (origin, call) = draw.call();
        // What a caller pays for is computed before it runs.
        let _ = call.get_dispatch_info();
        let failed = call.dispatch(origin).is_err();
        done[usize::from(failed)] += 1;
        if step % LOOK == LOOK - 1 || step + 1 == calls {
            invariants::check(&format!("seed {seed}, step {step}"));
        }
    }
    done
}

/// Starts the next block, of all pallets that have to do with it.
fn next_block() {
    let next = System::block_number() + 1;
    System::set_block_number(next);
    System::reset_events();
    SubtensorModule::on_initialize(next);
    crate::Commitments::on_initialize(next);
}

#[test]
fn no_sequence_of_calls_breaks_the_chain() {
    let calls = number("ATHANOR_RUNTIME_CALLS").unwrap_or(100_000);
    let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let first = number("ATHANOR_RUNTIME_SEED").unwrap_or(clock.as_secs() << 20);
    println!("{calls} calls from seed {first}");
    let mut done = [0; 2];
    for index in 0..calls.div_ceil(SEQUENCE) {
        let left = (calls - index * SEQUENCE).min(SEQUENCE);
        let seed = first.wrapping_add(index);
        let played = std::panic::catch_unwind(|| {
            let mut done = [0; 2];
            on_busy_chain(|| done = play(seed, left));
            done
        });
        let [worked, failed] = played.unwrap_or_else(|_| panic!("ATHANOR_RUNTIME_SEED={seed}"));
        done = [done[0] + worked, done[1] + failed];
    }
    println!("{} worked, {} failed", done[0], done[1]);
    assert!(done[0] * 10 > done[1], "nearly every call fails: {done:?}");
}

/// What every coldkey has staked on every subnet, in rao.
fn positions() -> BTreeMap<(AccountId32, NetUid), u64> {
    let mut positions = BTreeMap::new();
    for (hotkey, coldkey, netuid) in Alpha::<Runtime>::iter_keys() {
        let stake = SubtensorModule::stake_of(&hotkey, &coldkey, netuid);
        *positions.entry((coldkey, netuid)).or_default() += stake;
    }
    positions.retain(|_, stake| *stake > 0);
    positions
}

/// The hotkey of every UID, with `old` called `new`.
fn seats(old: &AccountId32, new: &AccountId32) -> BTreeMap<(NetUid, u16), AccountId32> {
    Keys::<Runtime>::iter()
        .map(|(netuid, uid, hotkey)| {
            let hotkey = if hotkey == *old { new.clone() } else { hotkey };
            ((netuid, uid), hotkey)
        })
        .collect()
}

/// Entries of the pallet's storage that mention a hotkey, but for what is encrypted under its name and free text. As some
/// hotkeys also act as coldkeys, only the hotkeys' side of auto-staking is looked at.
fn mentions(who: &AccountId32) -> Vec<Vec<u8>> {
    let prefix = sp_io::hashing::twox_128(b"SubtensorModule");
    let spared = [
        "TimelockedWeightCommits",
        "IdentitiesV2",
        "SubnetIdentitiesV3",
    ]
    .map(|item| sp_io::hashing::twox_128(item.as_bytes()));
    let destinations = sp_io::hashing::twox_128(b"AutoStakeDestination");
    let stakers = sp_io::hashing::twox_128(b"AutoStakeDestinationColdkeys");
    let who: &[u8] = who.as_ref();
    let names = |bytes: &[u8]| bytes.windows(32).any(|window| window == who);
    let mut found = Vec::new();
    let mut next = sp_io::storage::next_key(&prefix);
    while let Some(key) = next.filter(|key| key.starts_with(&prefix)) {
        next = sp_io::storage::next_key(&key);
        let value = sp_io::storage::get(&key).unwrap_or_default();
        let is = |item: &[u8; 16]| key[16..].starts_with(item);
        let mentioned = if is(&destinations) {
            names(&value)
        } else if is(&stakers) {
            names(&key)
        } else {
            !spared.iter().any(is) && (names(&key) || names(&value))
        };
        if mentioned {
            found.push(key);
        }
    }
    found
}

#[test]
fn a_swapped_hotkey_leaves_nothing_behind_and_nobody_loses_or_gains() {
    let mut swaps = 0;
    for seed in 0..60 {
        on_busy_chain(|| {
            play(seed, 400);
            TxRateLimit::<Runtime>::put(0);
            let registered: Vec<(AccountId32, AccountId32)> = Owner::<Runtime>::iter().collect();
            let new = account(250);
            for (old, coldkey) in registered {
                let before = positions();
                let expected = seats(&old, &new);
                let issued = TotalIssuance::<Runtime>::get();
                let call = Call::<Runtime>::swap_hotkey {
                    hotkey: old.clone(),
                    new_hotkey: new.clone(),
                    netuid: None,
                };
                let call = RuntimeCall::from(call);
                if call.dispatch(RuntimeOrigin::signed(coldkey)).is_err() {
                    continue;
                }
                swaps += 1;
                let place = format!("seed {seed}, {old:?}");
                assert_eq!(mentions(&old), Vec::<Vec<u8>>::new(), "{place}");
                assert_eq!(seats(&old, &new), expected, "{place}");
                assert_eq!(
                    TotalIssuance::<Runtime>::get(),
                    issued - TAO / 10,
                    "{place}"
                );
                let after = positions();
                assert_eq!(after.len(), before.len(), "{place}");
                for (position, stake) in after {
                    // Shares are worth whole rao only together.
                    assert!(stake.abs_diff(before[&position]) <= 100, "{place}");
                }
                invariants::check(&place);
                break;
            }
        });
    }
    assert!(swaps >= 40, "{swaps} swaps");
}
