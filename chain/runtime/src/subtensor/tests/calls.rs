//! Random sequences of calls and blocks: nothing panics, nothing is lost, everything fits together.
//!
//! A run of the tests makes 100,000 calls; `ATHANOR_RUNTIME_CALLS` asks for another number, `ATHANOR_RUNTIME_SEED` for
//! the sequences of one seed. A failure names its seed and step.

mod draw;
mod invariants;

use frame_support::dispatch::GetDispatchInfo;
use sp_runtime::traits::Dispatchable;

use self::draw::Draw;
use super::*;

/// Calls per sequence.
const SEQUENCE: u64 = 1_000;
/// Calls between two looks at the whole state.
const LOOK: u64 = 100;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn play(seed: u64, calls: u64) -> [u64; 2] {
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
    let mut done = [0; 2];
    let config = SubtensorModuleConfig {
        subnet_owner_cut: 11_796,
        ..config(subnets.to_vec())
    };
    on_chain(config, || {
        NetworkRateLimit::<Runtime>::put(5);
        NetworkMinLockCost::<Runtime>::put(20 * TAO);
        NetworkLastLockCost::<Runtime>::put(20 * TAO);
        SubnetLimit::<Runtime>::put(4);
        for netuid in [1, 2] {
            MinNonImmuneUids::<Runtime>::insert(netuid, 1);
            MinAllowedUids::<Runtime>::insert(netuid, 3);
            RecycleOrBurn::<Runtime>::insert(netuid, RecycleOrBurnEnum::Recycle);
        }
        CKBurn::<Runtime>::put(u64::MAX / 10);
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
    });
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
        let played = std::panic::catch_unwind(|| play(seed, left));
        let [worked, failed] = played.unwrap_or_else(|_| panic!("ATHANOR_RUNTIME_SEED={seed}"));
        done = [done[0] + worked, done[1] + failed];
    }
    println!("{} worked, {} failed", done[0], done[1]);
    assert!(done[0] * 10 > done[1], "nearly every call fails: {done:?}");
}
