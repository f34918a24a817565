//! What probes measure, and that no schedule of a card makes more of it.

use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::{fidelity::FidelitySums, grade, ledger::Load, transcript::Times};

fn answer(tokens: u32, elapsed_ms: u32, service: f64, load: Load) -> AskOutcome {
    AskOutcome::Answered {
        e_value: None,
        fidelity: FidelitySums::default(),
        credit: None,
        liveliness: 1.0,
        service,
        pace: Pace {
            tokens,
            elapsed_ms,
            load,
        },
    }
}

fn loaded(tokens: u32, elapsed_ms: u32, service: f64) -> AskOutcome {
    answer(tokens, elapsed_ms, service, Load::Probe { probe: 0 })
}

fn counted(tokens: u32, arrived: u32, service: f64) -> AskOutcome {
    answer(tokens, 9_000, service, Load::Counted { probe: 0, arrived })
}

const LOST: AskOutcome = AskOutcome::Failed {
    fidelity: FidelitySums::ZERO,
    checkable: false,
    load: Some(0),
};

#[test]
fn a_probe_is_the_tokens_of_all_streams_over_the_longest_time() {
    // Four streams one after the other on a card of 20 tokens per second: not 20 + 10 + 6.7 + 5.
    let queued = [1, 2, 3, 4].map(|turn| loaded(20, 1_000 * turn, 1.0));
    assert_eq!(of_probe(&queued, 4), Some(20.0));
    assert_eq!(
        of_probe(&[loaded(20, 1_000, 0.5), loaded(20, 1_000, 1.0)], 2),
        Some(30.0)
    );
    assert_eq!(of_probe(&[loaded(20, 1_000, 1.0), LOST], 2), Some(20.0));
    assert_eq!(of_probe(&[LOST, LOST], 2), Some(0.0));
}

#[test]
fn a_joint_probe_is_the_tokens_that_were_there_by_the_moment_over_the_time_until_then() {
    let of = |outcomes: &[AskOutcome]| of_joint(outcomes, 2, 2_000);
    assert_eq!(of(&[counted(20, 20, 1.0), counted(20, 6, 1.0)]), Some(13.0));
    assert_eq!(of(&[counted(20, 20, 0.5), counted(20, 6, 1.0)]), Some(8.0));
    assert_eq!(of(&[counted(20, 20, 1.0), LOST]), Some(10.0));
    // Everything at once, a moment too late.
    assert_eq!(of(&[counted(20, 0, 1.0), counted(20, 0, 1.0)]), Some(0.0));
    assert_eq!(of(&[LOST, LOST]), Some(0.0));
}

#[test]
fn what_the_validator_lost_itself_lowers_nothing() {
    assert_eq!(of_probe(&[loaded(20, 1_000, 1.0)], 2), Some(40.0));
    assert_eq!(of_probe(&[], 2), None);
    assert_eq!(of_joint(&[counted(20, 20, 1.0)], 2, 1_000), Some(40.0));
    // Nor is much made of little.
    assert_eq!(of_joint(&[counted(20, 20, 1.0)], 3, 1_000), None);
    assert_eq!(of_joint(&[], 2, 1_000), None);
}

#[test]
fn the_moment_comes_when_the_reference_class_has_drawn_the_shortest_of_each_stream() {
    let mut spec = SubnetSpec::shipped();
    spec.service.load_streams = 8;
    spec.service.goodput_tokens_per_second = 40.0;
    spec.round.continuation_new_tokens = (12, 32);
    assert_eq!(window_ms(&spec), 2_400);
    spec.service.goodput_tokens_per_second = 2.0;
    assert_eq!(window_ms(&spec), spec.round.deadline_ms);
    spec.service.goodput_tokens_per_second = 1e9;
    assert_eq!(window_ms(&spec), 1);
}

#[test]
fn whose_first_token_is_in_time_has_some_by_the_moment_of_the_spec_that_ships() {
    let spec = SubnetSpec::shipped();
    let (moment, in_time) = (window_ms(&spec), spec.service.ttft_ms);
    assert!(moment <= in_time && 10 * moment >= 9 * in_time, "{moment}");
}

/// One stream of a hotkey, as a card draws it.
#[derive(Clone, Copy)]
struct Stream {
    hotkey: usize,
    tokens: u32,
    drawn: u32,
    /// Tokens that the card had drawn in all when this one's first and last were there.
    first: u32,
    last: u32,
    arrived: u32,
}

/// What each hotkey measures whose streams one card of `speed` tokens per second draws, token by token, each time for the
/// stream that `next` picks among those (of the unfinished) at hand.
fn measured(
    spec: &SubnetSpec,
    speed: u32,
    mut streams: Vec<Stream>,
    mut next: impl FnMut(&[usize], &[Stream]) -> usize,
) -> Vec<f64> {
    let window = window_ms(spec);
    let ms = |drawn: u32| (1_000 * drawn).div_ceil(speed);
    let mut open: Vec<usize> = (0..streams.len()).collect();
    let mut drawn = 0;
    while !open.is_empty() {
        let at = next(&open, &streams);
        let stream = &mut streams[open[at]];
        drawn += 1;
        if stream.drawn == 0 {
            stream.first = drawn;
        }
        stream.drawn += 1;
        stream.arrived += u32::from(ms(drawn) <= window);
        if stream.drawn == stream.tokens {
            stream.last = drawn;
            open.remove(at);
        }
    }
    let hotkeys = streams
        .iter()
        .map(|stream| stream.hotkey)
        .max()
        .unwrap_or(0);
    (0..=hotkeys)
        .map(|hotkey| {
            let own = streams.iter().filter(|stream| stream.hotkey == hotkey);
            let outcomes: Vec<AskOutcome> = own
                .map(|stream| {
                    let times = Times {
                        first_token_ms: ms(stream.first),
                        elapsed_ms: ms(stream.last),
                        own_ms: 0,
                    };
                    let load = Load::Counted {
                        probe: 0,
                        arrived: stream.arrived,
                    };
                    AskOutcome::Unopened {
                        service: Some(grade::service(times.charged(stream.tokens), &spec.service)),
                        pace: times.pace(stream.tokens, load),
                    }
                })
                .collect();
            of_joint(&outcomes, spec.service.load_streams, window).unwrap()
        })
        .collect()
}

/// The streams that so many hotkeys get.
fn streams(spec: &SubnetSpec, hotkeys: usize, rng: &mut ChaCha20Rng) -> Vec<Stream> {
    let (shortest, longest) = spec.round.continuation_new_tokens;
    let mut streams = Vec::new();
    for hotkey in 0..hotkeys {
        for _ in 0..spec.service.load_streams {
            streams.push(Stream {
                hotkey,
                tokens: rng.random_range(shortest..=longest),
                drawn: 0,
                first: 0,
                last: 0,
                arrived: 0,
            });
        }
    }
    streams
}

#[test]
fn hotkeys_that_a_card_serves_one_after_the_other_measure_one_card() {
    let spec = SubnetSpec::shipped();
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let speed = spec.service.goodput_tokens_per_second as u32;
    let whole = |hotkeys, rng: &mut ChaCha20Rng| -> f64 {
        let streams = streams(&spec, hotkeys, rng);
        measured(&spec, speed, streams, |_, _| 0).iter().sum()
    };
    let one = whole(1, rng);
    assert!((one - f64::from(speed)).abs() < 0.5, "{one}");
    for hotkeys in [2, 3, 8] {
        assert!((whole(hotkeys, rng) - one).abs() < 1e-9);
    }
    // Over each one's own time they would measure 1 + 1/2 + 1/3 cards.
    let turns = [1, 2, 3].map(|turn| [loaded(96, 2_400 * turn, 1.0)]);
    let own: f64 = turns.iter().filter_map(|it| of_probe(it, 1)).sum();
    assert!((own / 40.0 - (1.0 + 1.0 / 2.0 + 1.0 / 3.0)).abs() < 1e-9);
}

proptest! {
    /// The card draws whatever it wants next, for whichever of its hotkeys.
    #[test]
    fn no_schedule_of_a_card_over_hotkeys_earns_more_than_one_hotkey_with_the_whole_card(
        seed in any::<u64>(),
        hotkeys in 1..9_usize,
        speed in 13..=40_u32,
        manner in 0..4_u32,
    ) {
        let spec = SubnetSpec::shipped();
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let alone = streams(&spec, 1, rng);
        let one: f64 = measured(&spec, speed, alone, |_, _| 0).iter().sum();
        let mut all = streams(&spec, hotkeys, rng);
        all.shuffle(rng);
        let several = measured(&spec, speed, all, |open, streams| match manner {
            // One stream after the other.
            0 => 0,
            // All in turns.
            1 => (0..open.len()).min_by_key(|at| streams[open[*at]].drawn).unwrap(),
            // What ends soonest first.
            2 => (0..open.len())
                .min_by_key(|at| streams[open[*at]].tokens - streams[open[*at]].drawn)
                .unwrap(),
            _ => rng.random_range(0..open.len()),
        });
        let sum: f64 = several.iter().sum();
        prop_assert!(sum <= one * (1.0 + 1e-9), "{sum} of {hotkeys}, {one} of one");
        prop_assert!(sum <= f64::from(speed) * (1.0 + 1e-9));
    }
}

#[test]
fn who_is_too_slow_for_a_probe_is_measured_by_its_single_asks_and_who_is_busy_is_not() {
    let alone = |elapsed_ms, service| answer(20, elapsed_ms, service, Load::Alone);
    let (slow, fast) = (alone(4_000, 0.8), alone(1_000, 1.0));
    assert_eq!(of_waived(&[slow, slow]), Some(4.0));
    assert_eq!(
        of_waived(&[slow, slow, fast]),
        Some((4.0 + 4.0 + 20.0) / 3.0)
    );
    assert_eq!(of_waived(&[LOST, slow]), Some(2.0));
    assert_eq!(of_waived(&[slow, fast]), None);
    assert_eq!(of_waived(&[]), None);
}

#[test]
fn load_counts_before_single_asks_and_nothing_is_nothing() {
    let mut goodput = Goodput::default();
    assert_eq!(goodput.tokens_per_second(), 0.0);
    goodput.alone_sum(50.0, 1.0);
    assert_eq!(goodput.tokens_per_second(), 50.0);
    goodput.loaded(30.0);
    goodput.loaded(f64::NAN);
    goodput.decay(0.5);
    assert_eq!(goodput.tokens_per_second(), 15.0);
    goodput.loaded(f64::INFINITY);
    assert!(goodput.is_bounded());
}
