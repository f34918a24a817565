//! Tests of closing a round: the order of what was seen is nothing, and everything that was seen counts once.

use athanor_spec::{Hotkey, params::Curve};
use proptest::prelude::*;

use super::*;
use crate::{
    fidelity::{Ending, FidelitySums, TokenDivergence},
    goodput,
    ledger::{Load, Pace},
};

/// The local spec with a crown, and with the half-life by which the ledger was settled whose bits are held below.
fn spec() -> SubnetSpec {
    let mut spec = SubnetSpec::local();
    spec.allocation.curve = Curve::Crown;
    spec.grade.half_life_epochs = 4.0;
    spec
}

fn account(id: u8) -> Account {
    Account {
        hotkey: Hotkey([id; 32]),
        registered_at: BlockNumber(u32::from(id)),
    }
}

/// A miner with tensors of its own.
fn miner(id: u8) -> SeenMiner {
    SeenMiner {
        account: account(id),
        uid: Uid(u16::from(id)),
        peer_key: Digest([id; 32]),
        checkpoint: Digest([100 + id; 32]),
        committed_at: BlockNumber(u32::from(id)),
        previous: None,
        asks: 9,
        artifact: Artifact::Fetched {
            tensors: Digest([200 - id; 32]),
        },
    }
}

fn answered(kl: f64, e_value: f64) -> AskOutcome {
    let token = TokenDivergence { kl, entropy: 0.7 };
    AskOutcome::Answered {
        e_value: Some(e_value),
        fidelity: FidelitySums::of_answer(&[token; 5], Ending::Limit, &[token; 5], &spec().grade),
        credit: Some(0.8),
        liveliness: 1.0,
        service: 0.9,
        pace: Pace {
            tokens: 12,
            elapsed_ms: 600,
            load: Load::Alone,
        },
    }
}

fn result(id: u8, index: u32, outcome: AskOutcome) -> AskResult {
    AskResult {
        account: account(id),
        purpose: Purpose::Audit,
        index,
        shared: None,
        from: Some(Digest([100 + id; 32])),
        outcome,
        fault: None,
    }
}

fn closed(before: Ledger, round: u64, miners: &[SeenMiner], results: &[AskResult]) -> Closed {
    let input = RoundInput {
        round: Round(round),
        miners,
        results,
        limits: &ChainLimits::NONE,
    };
    close(before, &input, &spec())
}

/// Three rounds of three miners, each seen in the order that `shuffle` gives.
fn three_rounds(shuffle: impl Fn(&mut Vec<AskResult>, &mut Vec<SeenMiner>)) -> Vec<Closed> {
    let mut ledger = Ledger::default();
    (5..8)
        .map(|round| {
            let mut miners = vec![miner(1), miner(2), miner(3)];
            let mut results = Vec::new();
            for id in 1..4 {
                for index in 0..9 {
                    let kl = 0.013 * f64::from(id) + 0.0017 * f64::from(index);
                    let e_value = 0.3 + 0.1 * f64::from(index % 4);
                    results.push(result(id, index, answered(kl, e_value)));
                }
            }
            shuffle(&mut results, &mut miners);
            let closed = closed(std::mem::take(&mut ledger), round, &miners, &results);
            ledger = closed.ledger.clone();
            closed
        })
        .collect()
}

proptest! {
    #[test]
    fn the_order_in_which_things_were_seen_changes_no_bit(seed in any::<u64>()) {
        use rand::{SeedableRng as _, seq::SliceRandom as _};
        let straight = three_rounds(|_, _| ());
        let shuffled = three_rounds(|results, miners| {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            // What is seen twice counts once.
            results.extend(results[..5].to_vec());
            results.shuffle(&mut rng);
            miners.shuffle(&mut rng);
        });
        for (one, other) in straight.iter().zip(&shuffled) {
            prop_assert_eq!(one.ledger.to_bytes(), other.ledger.to_bytes());
            prop_assert_eq!(one, other);
        }
    }
}

#[test]
fn a_ledger_round_trips_and_what_is_none_is_refused() {
    let closed = three_rounds(|_, _| ()).pop().unwrap();
    let bytes = closed.ledger.to_bytes();
    assert_eq!(Ledger::from_bytes(&bytes), Ok(closed.ledger.clone()));
    assert_eq!(closed.ledger.last(), Some(Round(7)));
    let check = |bytes: &[u8]| {
        assert_eq!(Ledger::from_bytes(bytes), Err(DecodeLedgerError::Malformed));
    };
    check(&[]);
    check(&bytes[1..]);
    check(&bytes[..bytes.len() - 1]);
    check(&[&bytes[..], &[0]].concat());
}

#[test]
fn better_answers_weigh_more_and_a_newcomer_begins_with_the_round() {
    let first = three_rounds(|_, _| ()).remove(0);
    let weights: Vec<u16> = first.weights.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights.len(), 3);
    assert!(weights[0] == u16::MAX && weights[0] > weights[1] && weights[1] > weights[2]);
    // Nine asks, none of which has faded, however late the first epoch is.
    let effective = first.ledger.records()[&account(1)].effective_asks();
    assert!((effective - 9.0).abs() < 1e-9, "{effective}");
    let alone = |round| {
        let results = [result(1, 0, answered(0.01, 0.5))];
        closed(Ledger::default(), round, &[miner(1)], &results).graded
    };
    assert_eq!(alone(3), alone(1_000_000));
}

#[test]
fn the_earliest_commitment_owns_the_tensors_whoever_is_looked_at_first() {
    let mut copy = miner(1);
    copy.committed_at = BlockNumber(50);
    copy.artifact = miner(2).artifact;
    // The copy's account comes first.
    let round = closed(Ledger::default(), 3, &[copy.clone(), miner(2)], &[]);
    let fault = round.graded[0].grade.fault.clone().unwrap();
    assert_eq!(fault.kind, "copy");
    assert!(fault.evidence.contains("in block 2, here in block 50"));
    assert_eq!(round.graded[1].grade.fault, None);
    // It stands when the author has gone.
    let later = closed(round.ledger, 4, &[copy], &[]);
    assert_eq!(later.graded[0].grade.fault.clone().unwrap().kind, "copy");
}

#[test]
fn what_was_signed_and_must_not_be_goes_before_what_was_committed() {
    let mut bad = miner(1);
    bad.artifact = Artifact::Bad {
        evidence: "the manifest is not valid".to_owned(),
    };
    let kind = |results: &[AskResult]| {
        let closed = closed(Ledger::default(), 3, std::slice::from_ref(&bad), results);
        assert!(closed.weights.is_empty());
        closed.graded[0].grade.fault.clone().unwrap().kind
    };
    let good = result(1, 0, answered(0.01, 0.5));
    assert_eq!(kind(std::slice::from_ref(&good)), "bad_artifact");
    let faulty = AskResult {
        index: 1,
        fault: Some(Fault {
            kind: FaultKind::BadAnswer,
            evidence: "the answer is to another ask".to_owned(),
        }),
        ..good.clone()
    };
    assert_eq!(kind(&[good, faulty]), "bad_answer");
}

#[test]
fn a_checkpoint_that_is_not_at_hand_is_no_fault_and_unpaid() {
    let mut missing = miner(1);
    missing.artifact = Artifact::Missing;
    let results = [result(1, 0, answered(0.01, 0.5))];
    let closed = closed(Ledger::default(), 3, &[missing], &results);
    assert_eq!(closed.graded[0].grade.fault, None);
    assert!(closed.graded[0].grade.quality_low > 0.0);
    assert_eq!(closed.entries[0].quality_low, 0.0);
    assert!(closed.weights.is_empty());
}

#[test]
fn shared_prompts_that_were_not_opened_compare_nobody_and_keep_a_claim_alive() {
    let unopened = |service| AskOutcome::Unopened {
        service,
        pace: Pace::default(),
    };
    let on_shared = |id, index, outcome| AskResult {
        shared: Some(index),
        ..result(id, index, outcome)
    };
    let seen = |outcomes: [AskOutcome; 3]| {
        let results: Vec<AskResult> = (0..)
            .zip(outcomes)
            .map(|(index, outcome)| on_shared(1, index, outcome))
            .collect();
        let spec = spec();
        let mut asks = asks::Asks::new(Round(3), &results, &spec);
        let shown = asks.count(&miner(1), &mut Record::default());
        let compared: Vec<u32> = asks.qualities(&miner(1)).into_keys().collect();
        (shown.answered, shown.compared, compared)
    };
    let one = seen([unopened(Some(1.0)), answered(0.01, 0.5), unopened(None)]);
    assert_eq!(one, (true, true, vec![1]));
    // It answered, though nothing of it was opened: its priority does not lapse.
    let served = seen([unopened(Some(1.0)), unopened(None), unopened(None)]);
    assert_eq!(served, (true, false, vec![]));
    assert_eq!(seen([unopened(None); 3]), (false, false, vec![]));
}

#[test]
fn a_user_s_exchange_is_evidence_and_no_quality() {
    let organic = |index| AskResult {
        purpose: Purpose::Organic,
        ..result(1, index, answered(0.0, 500.0))
    };
    let alone = closed(Ledger::default(), 3, &[miner(1)], &[organic(0)]);
    let record = &alone.ledger.records()[&account(1)];
    assert_eq!(record.evidence().requests(), 1);
    assert_eq!(record.effective_asks(), 0.0);
    // Index 0 of an audit is another ask.
    let both = [result(1, 0, answered(0.01, 0.5)), organic(0)];
    let both = closed(Ledger::default(), 3, &[miner(1)], &both);
    let record = &both.ledger.records()[&account(1)];
    assert_eq!(record.evidence().requests(), 2);
    assert_eq!(record.effective_asks(), 1.0);
    // Enough of them condemn.
    let many: Vec<AskResult> = (0..20).map(organic).collect();
    let many = closed(Ledger::default(), 3, &[miner(1)], &many);
    let fault = many.graded[0].grade.fault.clone().unwrap();
    assert_eq!(fault.kind, "wrong_checkpoint");
}

/// An answer to a shared prompt.
fn shared(id: u8, prompt: u32, kl: f64) -> AskResult {
    AskResult {
        shared: Some(prompt),
        ..result(id, prompt, answered(kl, 0.5))
    }
}

#[test]
fn the_crown_is_taken_by_who_is_better_on_the_shared_prompts_and_is_paid_for() {
    let miners = [miner(1), miner(2)];
    let class = |id: u8| Digest([200 - id; 32]);
    let mut ledger = Ledger::default();
    let mut share = 0.0;
    for round in 1..40 {
        // The first alone in the first round, then both; the second is much closer to the teacher.
        let of = |id: u8, kl| (0..12).map(move |prompt| shared(id, prompt, kl));
        let mut results: Vec<AskResult> = of(1, 0.6).collect();
        if round > 1 {
            results.extend(of(2, 0.02));
        }
        let closed = closed(ledger, round, &miners, &results);
        if round == 1 {
            assert_eq!(closed.ledger.crown().holder(), Some(class(1)));
        }
        let total: f64 = closed.weights.iter().map(|(_, w)| f64::from(*w)).sum();
        let second = closed.weights.iter().find(|(uid, _)| *uid == Uid(2));
        share = second.map_or(0.0, |(_, w)| f64::from(*w)) / total;
        ledger = closed.ledger;
        if ledger.crown().holder() == Some(class(2)) {
            break;
        }
    }
    assert_eq!(ledger.crown().holder(), Some(class(2)));
    assert!(share > spec().allocation.crown_share);
    let stored = Ledger::from_bytes(&ledger.to_bytes()).unwrap();
    assert_eq!(stored.crown(), ledger.crown());
}

#[test]
fn answers_from_the_checkpoint_before_are_no_evidence_for_this_one() {
    let miners = [miner(1), miner(2)];
    let mut results: Vec<AskResult> = (0..4).map(|prompt| shared(1, prompt, 0.5)).collect();
    results.extend((0..4).map(|prompt| AskResult {
        from: Some(Digest([9; 32])),
        ..shared(2, prompt, 0.01)
    }));
    let closed = closed(Ledger::default(), 1, &miners, &results);
    let crown = closed.ledger.crown();
    // The better answers were not its own: it has no priority, and the other holds the crown.
    assert_eq!(crown.holder(), Some(Digest([199; 32])));
    assert_eq!(crown.priority(Digest([198; 32])), None);
}

#[test]
fn goodput_is_what_all_streams_together_had_by_the_probe_s_moment() {
    let service = spec().service;
    let streams = service.load_streams;
    let loaded = |index: u32, load: Load| {
        let mut result = result(1, index, answered(0.01, 0.5));
        if let AskOutcome::Answered { pace, service, .. } = &mut result.outcome {
            *service = 1.0;
            *pace = Pace {
                tokens: 6,
                elapsed_ms: 1_000 * (index + 1),
                load,
            };
        }
        result
    };
    let goodput = |load: &dyn Fn(u32) -> Load| {
        let results: Vec<AskResult> = (0..streams).map(|it| loaded(it, load(it))).collect();
        let closed = closed(Ledger::default(), 1, &[miner(1)], &results);
        closed.entries[0].goodput * service.goodput_tokens_per_second
    };
    // All of the first stream was there by then, half of every other.
    let arrived = |stream| if stream == 0 { 6 } else { 3 };
    let counted = goodput(&|stream| Load::Counted {
        probe: 0,
        arrived: arrived(stream),
    });
    let seconds = f64::from(goodput::window_ms(&spec())) / 1_000.0;
    let tokens: u32 = (0..streams).map(arrived).sum();
    assert!((counted - f64::from(tokens) / seconds).abs() < 1e-9);
    // In a transcript from before there was a moment: six tokens a second, one stream after the other.
    assert!((goodput(&|_| Load::Probe { probe: 0 }) - 6.0).abs() < 1e-9);
    // What a random half of all miners was loaded with pays nobody.
    assert_eq!(goodput(&|_| Load::Probe { probe: 1 }), 0.0);
}

#[test]
fn a_ledger_s_bits_are_fixed() {
    let closed = three_rounds(|_, _| ()).pop().unwrap();
    assert_eq!(
        closed.ledger.digest().to_string(),
        "714399131b4ee6cd2f0fce7f7a2c659f5588e3b471ee92756dff9a320024bcbc"
    );
}
