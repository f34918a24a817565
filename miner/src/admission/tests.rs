//! Each refusal, replay across a restart, and the arithmetic of allowances.

use athanor_spec::{Digest, NetUid, Rao, envelope::MAX_CLOCK_SKEW_MS};
use proptest::prelude::*;
use sp_core::{Pair as _, sr25519};

use super::*;

const CONTEXT: SigningContext = SigningContext {
    genesis: Digest([7; 32]),
    netuid: NetUid(1),
};
const START: u64 = 1_000_000;
const NOW: u64 = START + 60_000;
const ALLOWANCE: Allowance = Allowance {
    tokens_per_second: 100,
    burst_tokens: 600,
    floor: Weight::FULL,
};

fn validator() -> sr25519::Pair {
    sr25519::Pair::from_seed(&[1; 32])
}

fn roster() -> Roster {
    Roster::new([(Hotkey(validator().public().0), Rao(1))])
}

fn admission(started_ms: u64) -> Gates {
    Gates(Admission::new(SubnetSpec::local(), ALLOWANCE, started_ms))
}

/// All three gates, one after the other.
struct Gates(Admission);

impl Gates {
    fn ask<T: Charge>(
        &mut self,
        roster: &Roster,
        request: &Signed<T>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.0.screen(roster, request, now_ms)?;
        verify(request, &CONTEXT)?;
        self.0.admit(roster, request, now_ms).map(drop)
    }
}

fn payload() -> Ask {
    Ask {
        prompt: vec![1, 2, 3],
        max_new_tokens: 7,
        temperature_milli: 800,
        seed: 4,
    }
}

fn signed(payload: Ask, issued_ms: u64, nonce: u64) -> Signed<Ask> {
    Signed::new(&validator(), &CONTEXT, payload, issued_ms, 10_000, nonce)
}

fn check(change: impl Fn(&mut Ask), expected: Result<(), Refusal>) {
    let mut ask = payload();
    change(&mut ask);
    let found = admission(START).ask(&roster(), &signed(ask, NOW, 1), NOW);
    assert_eq!(found, expected);
}

#[test]
fn an_ordinary_ask_is_served() {
    check(|_| {}, Ok(()));
}

#[test]
fn asks_out_of_the_spec_s_bounds_are_refused() {
    let limits = SubnetSpec::local().limits;
    let out = || Err(Refusal::OutOfBounds);
    check(|ask| ask.prompt.clear(), out());
    check(
        |ask| ask.prompt = vec![0; limits.max_prompt_tokens as usize],
        Ok(()),
    );
    check(
        |ask| ask.prompt = vec![0; limits.max_prompt_tokens as usize + 1],
        out(),
    );
    check(|ask| ask.max_new_tokens = 0, out());
    check(
        |ask| ask.max_new_tokens = limits.max_new_tokens as u16,
        Ok(()),
    );
    check(
        |ask| ask.max_new_tokens = limits.max_new_tokens as u16 + 1,
        out(),
    );
    check(|ask| ask.temperature_milli = 2000, Ok(()));
    check(|ask| ask.temperature_milli = 2001, out());
    check(
        |ask| ask.prompt[1] = SubnetSpec::local().subnet.vocab_size - 1,
        Ok(()),
    );
    check(
        |ask| ask.prompt[1] = SubnetSpec::local().subnet.vocab_size,
        out(),
    );
}

#[test]
fn a_stranger_is_refused() {
    let refused = admission(START).ask(&Roster::default(), &signed(payload(), NOW, 1), NOW);
    assert_eq!(refused, Err(Refusal::NotAllowed));
}

#[test]
fn a_forged_or_missing_signature_is_refused_and_burns_no_nonce() {
    let mut admission = admission(START);
    let honest = signed(payload(), NOW, 1);
    for signature in [[0; 64], [7; 64]] {
        let forged = Signed {
            signature,
            ..honest.clone()
        };
        assert_eq!(
            admission.ask(&roster(), &forged, NOW),
            Err(Refusal::BadSignature)
        );
    }
    assert_eq!(admission.ask(&roster(), &honest, NOW), Ok(()));
}

#[test]
fn the_time_window_is_checked_on_both_sides() {
    let expired = Err(Refusal::Expired {
        server_time_ms: NOW,
    });
    for (issued_ms, expected) in [
        (NOW - 10_001, expired.clone()),
        (NOW - 10_000, Ok(())),
        (NOW + MAX_CLOCK_SKEW_MS, Ok(())),
        (NOW + MAX_CLOCK_SKEW_MS + 1, expired),
    ] {
        let found = admission(START).ask(&roster(), &signed(payload(), issued_ms, 1), NOW);
        assert_eq!(found, expected, "issued at {issued_ms}");
    }
}

#[test]
fn a_replay_is_refused_as_long_as_it_has_not_expired() {
    let mut admission = admission(START);
    let ask = signed(payload(), NOW, 1);
    assert_eq!(admission.ask(&roster(), &ask, NOW), Ok(()));
    for later in [NOW, NOW + 1, NOW + 10_000] {
        assert_eq!(
            admission.ask(&roster(), &ask, later),
            Err(Refusal::Replayed)
        );
    }
    assert_eq!(
        admission.ask(&roster(), &ask, NOW + 10_001),
        Err(Refusal::Expired {
            server_time_ms: NOW + 10_001
        })
    );
    // The same nonce in a new envelope, after the first one expired.
    let again = signed(payload(), NOW + 10_001, 1);
    assert_eq!(admission.ask(&roster(), &again, NOW + 10_001), Ok(()));
}

#[test]
fn a_replay_is_refused_by_the_process_after_a_restart() {
    let ask = signed(payload(), NOW, 1);
    assert_eq!(admission(START).ask(&roster(), &ask, NOW), Ok(()));
    let mut restarted = admission(NOW + 1);
    assert_eq!(
        restarted.ask(&roster(), &ask, NOW + 2),
        Err(Refusal::Replayed)
    );
    let fresh = signed(payload(), NOW + 1, 2);
    assert_eq!(restarted.ask(&roster(), &fresh, NOW + 2), Ok(()));
}

#[test]
fn an_ask_and_a_fetch_share_the_nonces() {
    let mut admission = admission(START);
    let fetch = |nonce, len| {
        let fetch = Fetch {
            blob: Digest([1; 32]),
            offset: 0,
            len,
        };
        Signed::new(&validator(), &CONTEXT, fetch, NOW, 10_000, nonce)
    };
    assert_eq!(
        admission.ask(&roster(), &signed(payload(), NOW, 1), NOW),
        Ok(())
    );
    assert_eq!(
        admission.ask(&roster(), &fetch(1, 1024), NOW),
        Err(Refusal::Replayed)
    );
    assert_eq!(admission.ask(&roster(), &fetch(2, 1024), NOW), Ok(()));
    assert_eq!(
        admission.ask(&roster(), &fetch(3, u32::MAX), NOW),
        Err(Refusal::OutOfBounds)
    );
    assert_eq!(
        admission.ask(&Roster::default(), &fetch(4, 1024), NOW),
        Err(Refusal::NotAllowed)
    );
}

#[test]
fn an_allowance_that_is_used_up_comes_back_with_time() {
    let mut admission = admission(START);
    // Ten tokens each, of a burst of 600.
    for nonce in 0..60 {
        assert_eq!(
            admission.ask(&roster(), &signed(payload(), NOW, nonce), NOW),
            Ok(())
        );
    }
    let refused = admission.ask(&roster(), &signed(payload(), NOW, 60), NOW);
    assert_eq!(
        refused,
        Err(Refusal::Overloaded {
            retry_after_ms: 101
        })
    );
    let later = NOW + 101;
    assert_eq!(
        admission.ask(&roster(), &signed(payload(), later, 61), later),
        Ok(())
    );
}

#[test]
fn an_allowance_below_one_ask_is_raised_to_it() {
    let stingy = Allowance {
        tokens_per_second: 1,
        burst_tokens: 0,
        floor: Weight::FULL,
    };
    let mut admission = Gates(Admission::new(SubnetSpec::local(), stingy, START));
    assert_eq!(
        admission.ask(&roster(), &signed(payload(), NOW, 1), NOW),
        Ok(())
    );
}

#[test]
fn looking_changes_nothing_and_a_forgery_burns_neither_nonce_nor_tokens() {
    let mut gates = admission(START);
    let ask = signed(payload(), NOW, 1);
    let forged = Signed {
        signature: [7; 64],
        ..ask.clone()
    };
    for _ in 0..1000 {
        assert!(gates.0.screen(&roster(), &ask, NOW).is_ok());
        assert_eq!(
            gates.ask(&roster(), &forged, NOW),
            Err(Refusal::BadSignature)
        );
    }
    assert_eq!(gates.0.nonces(), 0);
    for nonce in 0..60 {
        let ask = signed(payload(), NOW, nonce);
        assert_eq!(
            gates.ask(&roster(), &ask, NOW),
            Ok(()),
            "all of the burst is there"
        );
    }
}

#[test]
fn what_was_replayed_or_exceeds_its_share_is_refused_before_the_signature() {
    let mut gates = admission(START);
    let ask = signed(payload(), NOW, 0);
    assert_eq!(gates.ask(&roster(), &ask, NOW), Ok(()));
    assert_eq!(gates.0.screen(&roster(), &ask, NOW), Err(Refusal::Replayed));
    for nonce in 1..60 {
        gates
            .ask(&roster(), &signed(payload(), NOW, nonce), NOW)
            .unwrap();
    }
    let over = signed(payload(), NOW, 60);
    let refused = gates.0.screen(&roster(), &over, NOW);
    assert!(matches!(refused, Err(Refusal::Overloaded { .. })));
    // A fetch costs no tokens.
    let fetch = Fetch {
        blob: Digest([1; 32]),
        offset: 0,
        len: 1,
    };
    let fetch = Signed::new(&validator(), &CONTEXT, fetch, NOW, 10_000, 61);
    assert_eq!(gates.ask(&roster(), &fetch, NOW), Ok(()));
}

#[test]
fn two_copies_that_are_verified_at_the_same_time_are_admitted_once() {
    let mut gates = admission(START);
    let ask = signed(payload(), NOW, 1);
    for expected in [true, false] {
        assert_eq!(verify(&ask, &CONTEXT), Ok(()));
        let admitted = gates.0.admit(&roster(), &ask, NOW);
        assert_eq!(admitted.is_ok(), expected);
    }
}

#[test]
fn what_an_answer_did_not_need_is_given_back() {
    let mut gates = admission(START);
    for nonce in 0..60 {
        gates
            .ask(&roster(), &signed(payload(), NOW, nonce), NOW)
            .unwrap();
    }
    let signer = Hotkey(validator().public().0);
    gates.0.give_back(&signer, Weight::FULL, 10);
    assert_eq!(
        gates.ask(&roster(), &signed(payload(), NOW, 60), NOW),
        Ok(())
    );
    let next = gates.ask(&roster(), &signed(payload(), NOW, 61), NOW);
    assert!(matches!(next, Err(Refusal::Overloaded { .. })));
}

#[test]
fn stake_raises_a_share_from_the_floor_to_the_whole() {
    let hotkey = |n| Hotkey([n; 32]);
    let roster = Roster::new([
        (hotkey(1), Rao(4_000)),
        (hotkey(2), Rao(2_000)),
        (hotkey(3), Rao(0)),
    ]);
    let weight = |n| {
        let standing = roster.standing(&hotkey(n)).unwrap();
        standing.weight(Weight::new(200)).thousandths()
    };
    assert_eq!([1, 2, 3].map(weight), [1000, 600, 200]);
    assert_eq!(roster.standing(&hotkey(4)), None);
    // Nobody has stake: all are alike.
    let poor = Roster::new([(hotkey(1), Rao(0)), (hotkey(2), Rao(0))]);
    let standing = poor.standing(&hotkey(1)).unwrap();
    assert_eq!(standing.weight(Weight::new(200)), Weight::FULL);

    let allowance = Allowance {
        tokens_per_second: 1_000,
        burst_tokens: 10_000,
        floor: Weight::new(200),
    };
    let share = allowance.share(Weight::new(600), 256);
    assert_eq!((share.tokens_per_second, share.burst_tokens), (600, 6_000));
    assert_eq!(
        allowance.share(Weight::new(1), 256),
        Rate {
            tokens_per_second: 1,
            burst_tokens: 256
        }
    );
}

#[test]
fn a_peer_that_forges_is_not_verified_any_more_until_it_is_forgiven() {
    let mut strikes = Strikes::default();
    for _ in 0..8 {
        assert!(!strikes.is_banned(&1_u8, NOW));
        strikes.strike(1, NOW);
    }
    assert!(strikes.is_banned(&1, NOW) && strikes.is_banned(&1, NOW + 59_999));
    assert!(!strikes.is_banned(&2, NOW));
    assert!(!strikes.is_banned(&1, NOW + 60_000));
    strikes.strike(1, NOW + 60_000);
    assert!(!strikes.is_banned(&1, NOW + 60_000), "a new count");
}

#[test]
fn peers_that_forge_are_remembered_up_to_a_bound() {
    let mut strikes = Strikes::default();
    for peer in 0..5_000_u32 {
        strikes.strike(peer, NOW + u64::from(peer));
        assert!(strikes.len() <= 1024);
    }
    for _ in 0..8 {
        strikes.strike(4_999, NOW + 5_000);
    }
    assert!(strikes.is_banned(&4_999, NOW + 5_000));
}

#[test]
fn a_hint_follows_the_pace_and_the_asker_s_share() {
    let mut pace = Pace::default();
    assert_eq!(pace.hint(100, 1.0), 500, "nothing is known yet");
    let mut now = NOW;
    for _ in 0..50 {
        pace.begin(now);
        now += 200;
        pace.end(100, now);
        // Idle time does not count.
        now += 1_000;
    }
    let close = |found: u32, expected: u32| found.abs_diff(expected) <= expected / 20;
    assert!(close(pace.hint(100, 1.0), 200), "{}", pace.hint(100, 1.0));
    assert!(close(pace.hint(100, 0.25), 800));
    assert_eq!(pace.hint(1, 1.0), 20);
    assert_eq!(pace.hint(u64::MAX, 1e-9), 60_000);
}

#[test]
fn nonces_are_bounded_per_signer_and_forgotten_in_time() {
    let mut guard = ReplayGuard::default();
    let (one, other) = (Hotkey([1; 32]), Hotkey([2; 32]));
    for nonce in 0..16_384 {
        assert_eq!(guard.remember(one, nonce, NOW + 10, NOW), Ok(()));
    }
    assert_eq!(
        guard.remember(one, 16_384, NOW + 10, NOW),
        Err(Refusal::Overloaded { retry_after_ms: 11 })
    );
    assert_eq!(guard.remember(other, 0, NOW + 10, NOW), Ok(()));
    assert_eq!(guard.remember(one, 0, NOW + 30, NOW + 11), Ok(()));
    assert_eq!(guard.len(), 2);
    // A new signer makes room by what has expired of others.
    let third = Hotkey([3; 32]);
    assert_eq!(guard.remember(third, 0, NOW + 40, NOW + 31), Ok(()));
    assert_eq!(guard.len(), 1);
}

proptest! {
    /// Over any schedule of asks, an asker gets at most the burst plus what the rate allows, and is not refused while a
    /// meter that is refilled by the same rate holds enough.
    #[test]
    fn an_allowance_is_never_exceeded(
        rate in 1_u32..10_000,
        burst in 1_u32..10_000,
        steps in prop::collection::vec((0_u64..2_000, 1_u32..500), 1..200),
    ) {
        let allowance = Rate { tokens_per_second: rate, burst_tokens: burst };
        let mut bucket = TokenBucket::full(&allowance, NOW);
        let mut now = NOW;
        let mut taken = 0_u64;
        for (pause, tokens) in steps {
            now += pause;
            if bucket.take(&allowance, tokens, now).is_ok() {
                taken += u64::from(tokens);
            }
            let most = u64::from(burst) * 1000 + u64::from(rate) * (now - NOW);
            prop_assert!(taken * 1000 <= most);
        }
    }

    /// Waiting as long as told is enough, and a millisecond less than the hint minus its rounding is not.
    #[test]
    fn the_retry_hint_is_right(rate in 1_u32..100_000, burst in 1_u32..1_000, used in 0_u32..1_000, wanted in 1_u32..1_000) {
        prop_assume!(used <= burst && wanted <= burst);
        let allowance = Rate { tokens_per_second: rate, burst_tokens: burst };
        let mut bucket = TokenBucket::full(&allowance, NOW);
        bucket.take(&allowance, used, NOW).unwrap();
        if let Err(wait) = bucket.take(&allowance, wanted, NOW) {
            let mut early = bucket;
            prop_assert!(wait < 2 || early.take(&allowance, wanted, NOW + u64::from(wait) - 2).is_err());
            prop_assert_eq!(bucket.take(&allowance, wanted, NOW + u64::from(wait)), Ok(()));
        }
    }

    /// A clock that goes back gives nothing away.
    #[test]
    fn a_clock_that_goes_back_adds_nothing(back in 0_u64..60_000) {
        let allowance = Rate { tokens_per_second: 1_000, burst_tokens: 10 };
        let mut bucket = TokenBucket::full(&allowance, NOW);
        bucket.take(&allowance, 10, NOW).unwrap();
        prop_assert!(bucket.take(&allowance, 1, NOW - back).is_err());
        prop_assert!(bucket.take(&allowance, 1, NOW).is_err());
    }
}
