//! What the state makes of what it hears.

use std::time::Duration;

use athanor_spec::{BlockNumber, Digest, telemetry::Event};

use super::{scene::*, *};

mod bounds;

const SECOND: Duration = Duration::from_secs(1);

fn tell(state: &mut State, event: Event) {
    state.update(Update::Event(event), SECOND);
}

fn show(state: &mut State, picture: Snapshot) {
    state.update(Update::Chain(Box::new(picture)), SECOND);
}

fn sorted(state: &State, by: Sort) -> Vec<NeuronRow<'_>> {
    let reversed = false;
    state.rows(Order { by, reversed }, Filter::All, "")
}

fn said(state: &State, text: &str) -> usize {
    state
        .log
        .lines()
        .filter(|line| line.text.contains(text))
        .count()
}

#[test]
fn the_countdown_follows_the_measured_pace() {
    let mut state = State::new("local".to_owned(), NetUid(1), BTreeMap::new(), None);
    state.update(Update::Chain(Box::new(snapshot(100))), SECOND);
    assert_eq!(
        state.next_epoch(),
        Some((20, None)),
        "one block has no pace"
    );
    state.update(Update::Chain(Box::new(snapshot(104))), SECOND * 3);
    assert_eq!(state.next_epoch(), Some((16, Some(SECOND * 8))));
    state.update(Update::Tick, SECOND * 5);
    assert_eq!(
        state.next_epoch(),
        Some((16, Some(SECOND * 6))),
        "it goes on between blocks"
    );
    state.update(Update::Tick, SECOND * 60);
    assert_eq!(state.next_epoch(), Some((16, Some(Duration::ZERO))));
}

#[test]
fn the_nominal_pace_stands_until_there_is_a_measured_one() {
    let mut state = empty();
    show(&mut state, snapshot(100));
    assert_eq!(state.next_epoch(), Some((20, Some(SECOND * 5))));
}

#[test]
fn the_connection_goes_through_its_states() {
    let mut state = empty();
    assert_eq!(state.connection(), Connection::Connecting);
    state.update(lost(), SECOND);
    state.update(lost(), SECOND * 3);
    assert!(matches!(state.connection(), Connection::Lost { since, .. } if since == SECOND * 2));
    assert_eq!(said(&state, "lost the chain"), 1, "an outage is news once");
    state.update(Update::Chain(Box::new(snapshot(100))), SECOND * 4);
    assert_eq!(state.connection(), Connection::Live);
    assert_eq!(said(&state, "can be read again"), 1);
    state.update(Update::Tick, SECOND * 16);
    assert_eq!(
        state.connection(),
        Connection::Stalled { since: SECOND * 12 }
    );
}

#[test]
fn an_older_block_of_a_lagging_node_changes_nothing() {
    let mut state = normal();
    show(&mut state, snapshot(105));
    assert_eq!(
        state.chain.as_ref().map(|chain| chain.metagraph.block),
        Some(BlockNumber(108))
    );
}

#[test]
fn a_chain_that_started_over_is_followed() {
    let mut state = faulty();
    show(&mut state, snapshot(2));
    assert_eq!(
        state.chain.as_ref().map(|chain| chain.metagraph.block),
        Some(BlockNumber(2))
    );
    assert!(
        state.peers.miners.is_empty(),
        "what was heard of the old chain is void"
    );
    assert_eq!(said(&state, "started over"), 1);
    assert_eq!(
        state.next_epoch(),
        Some((18, Some(Duration::from_millis(4500))))
    );
}

#[test]
fn an_accusation_is_news_once_and_so_is_its_end() {
    let mut state = normal();
    for _ in 0..3 {
        tell(&mut state, graded(0, 5, Some(COPY)));
    }
    assert_eq!(said(&state, "accuses"), 1);
    tell(&mut state, graded(0, 5, None));
    tell(&mut state, graded(0, 5, None));
    assert_eq!(said(&state, "no longer accuses"), 1);
}

#[test]
fn the_verdict_shown_is_of_the_grader_with_the_most_stake() {
    let mut state = normal();
    tell(&mut state, graded(1, 5, Some(SUBSTITUTE)));
    tell(&mut state, graded(0, 5, Some(COPY)));
    let rows = state.all_rows();
    let verdict = rows[5].verdict().unwrap();
    assert_eq!(
        (
            verdict.fault.unwrap().kind.as_str(),
            verdict.accusers,
            verdict.graders
        ),
        ("copy", 2, 2)
    );
    let first = sorted(&state, Sort::Fault)[0].neuron.uid;
    assert_eq!(first, Uid(5));
    assert_eq!(sorted(&state, Sort::Emission)[0].neuron.uid, Uid(0));
}

#[test]
fn a_recycled_slot_does_not_inherit_grades() {
    let mut state = faulty();
    let mut picture = snapshot(109);
    picture.metagraph.neurons[5].registered_at = BlockNumber(109);
    picture.metagraph.neurons[6].hotkey = hotkey(66);
    show(&mut state, picture);
    let rows = state.all_rows();
    assert!(rows[5].verdict().is_none() && rows[6].verdict().is_none());
    assert!(rows[2].verdict().is_some());
    assert_eq!(
        (
            said(&state, "uid 6 was deregistered"),
            said(&state, "uid 6 registered")
        ),
        (1, 1)
    );
}

#[test]
fn every_epoch_is_logged_with_what_it_paid() {
    let mut state = normal();
    show(&mut state, snapshot(120));
    assert_eq!(said(&state, "epoch 6 paid 1.3107 TAO to 5 neurons"), 1);
}

#[test]
fn the_log_counts_repetitions_and_carries_no_control_characters() {
    let mut state = normal();
    let reason = "\u{1b}[2Jgone\n".to_owned();
    for _ in 0..4 {
        tell(
            &mut state,
            Event::RequestFailed {
                miner: hotkey(2),
                reason: reason.clone(),
            },
        );
    }
    let last = state.log.lines().next_back().unwrap();
    assert_eq!(
        (last.text.as_str(), last.times),
        ("honest#2 refused a request:  [2Jgone ", 4)
    );
}

fn why(state: &State, uid: usize) -> Vec<String> {
    let neuron = &state.chain.as_ref().unwrap().metagraph.neurons[uid];
    explain(state, neuron)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn zero_incentive_is_explained() {
    let mut state = faulty();
    assert_eq!(
        why(&state, 5),
        [format!("2 of 2 validators accuse it of copy: {}", COPY.1)]
    );
    let mut picture = snapshot(109);
    for neuron in &mut picture.metagraph.neurons {
        neuron.incentive = 0;
    }
    picture.metagraph.neurons[4].commitment = None;
    picture.metagraph.neurons[4].axon = None;
    picture.votes.weights[1].1.clear();
    picture.votes.weights[0].1 = vec![(Uid(3), 65_535)];
    picture.metagraph.neurons[0].last_update = BlockNumber(103);
    show(&mut state, picture.clone());
    assert_eq!(
        why(&state, 2),
        ["graded, but no weight on chain names it yet (quality at least 0.774)"]
    );
    assert_eq!(
        why(&state, 3),
        ["it has weight that counts at the next epoch, in 11 blocks"]
    );
    assert!(
        why(&state, 4)[0].contains("no checkpoint") && why(&state, 4)[1].contains("no address")
    );

    picture.metagraph.neurons[0].last_update = BlockNumber(95);
    show(&mut state, picture);
    assert!(why(&state, 3)[0].contains("clips"), "{:?}", why(&state, 3));
}

#[test]
fn pay_is_explained_too() {
    let state = faulty();
    assert_eq!(
        why(&state, 0),
        ["its votes earned 61.0 % of all dividends, 0.4000 TAO in the last epoch"]
    );
    assert_eq!(
        why(&state, 2),
        [
            "earned 45.8 % of all incentive, 0.3000 TAO in the last epoch",
            "it is paid for a quality of at least 0.774 of 1; the lowest of its axes is correctness, 0.750"
        ]
    );
}

#[test]
fn other_rules_are_computed_from_the_votes_and_follow_the_chain() {
    let mut state = normal();
    let mut screen = Screen::at(View::Chain);
    let Flow::Suppose(rules) = screen.apply(Action::Turn { up: true }, &state) else {
        panic!("nothing is supposed");
    };
    assert_eq!(rules.as_ref().and_then(|rules| rules.kappa), Some(36_044));
    state.suppose(rules);
    let asked = state.what_if.clone().unwrap();
    let paid = |pays: &[Pay]| pays.iter().map(|it| u64::from(it.incentive)).sum::<u64>();
    assert!(
        paid(&asked.now) > 65_500 && paid(&asked.now) <= 65_535,
        "{asked:?}"
    );
    // Both vote alike, so a larger majority agrees to the same.
    assert_eq!(asked.now[2].incentive, asked.then[2].incentive);
    let mut picture = snapshot(109);
    picture.votes.weights[0].1 = vec![(Uid(3), 65_535)];
    show(&mut state, picture);
    let later = state.what_if.clone().unwrap();
    assert_ne!(later.now, asked.now, "new votes are taken in");
    assert_eq!(screen.apply(Action::Back, &state), Flow::Suppose(None));
}

#[test]
fn what_was_lost_is_the_pay_of_the_median_paid_miner() {
    let mut state = faulty();
    let lost = |state: &State, uid| state.history.tracks[&hotkey(uid)].forgone;
    assert_eq!(lost(&state, 5), 0.0, "no epoch was settled since");
    show(&mut state, snapshot(120));
    assert!((lost(&state, 5) - 0.2).abs() < 1e-9, "{}", lost(&state, 5));
    assert_eq!(lost(&state, 2), 0.0);
}

#[test]
fn the_votes_add_up_to_the_incentive() {
    let state = normal();
    let rank = |uid| -> f64 { shares(&state, Uid(uid)).0.iter().map(Share::adds).sum() };
    let all: f64 = (2..5).map(rank).sum();
    for uid in 2..5u16 {
        let told = f64::from(scene::neuron(uid).incentive) / 65_535.0;
        assert!(
            (rank(uid) / all - told).abs() < 0.01,
            "{uid}: {}",
            rank(uid) / all
        );
    }
}

#[test]
fn a_round_counts_what_becomes_of_its_asks() {
    let mut state = normal();
    let (validator, miner, round) = (hotkey(0), hotkey(2), athanor_spec::Round(4));
    for index in 0..4 {
        tell(
            &mut state,
            Event::Asked {
                validator,
                miner,
                round,
                index,
            },
        );
    }
    tell(
        &mut state,
        Event::Answered {
            validator,
            miner,
            round,
            index: 1,
            first_token_ms: 100,
            elapsed_ms: 300,
            tokens: 20,
        },
    );
    tell(
        &mut state,
        Event::Opened {
            validator,
            miner,
            round,
            index: 1,
            tokens: 20,
            strays: 5,
        },
    );
    tell(
        &mut state,
        Event::AskFailed {
            validator,
            miner,
            reason: "late".to_owned(),
        },
    );
    let live = state.peers.validators[&validator].round.as_ref().unwrap();
    assert_eq!((live.in_flight_of(&miner), live.planned), (2, 40));
    let tally = live.miners[&miner];
    assert_eq!(
        (tally.asked, tally.answered, tally.opened, tally.failed),
        (4, 1, 1, 1)
    );
    assert_eq!(tally.stray_share(), Some(0.25));
}

#[test]
fn addresses_in_evidence_become_names() {
    let state = normal();
    let address = |uid| hotkey(uid).to_ss58();
    let text = format!(
        "committed by {}, not {} nor 5Nobody",
        address(2),
        address(99)
    );
    let stranger = short(&hotkey(99));
    assert_eq!(
        state.named(&text),
        format!("committed by honest#2, not {stranger} nor 5Nobody")
    );
}

#[test]
fn what_a_validator_tells_of_collusion_is_bounded_and_ranked() {
    use athanor_spec::telemetry::{CollusionSummary, CoupledSummary, SharedMachineSummary};
    let mut state = normal();
    let pair = |n: u16| SharedMachineSummary {
        a: hotkey(2),
        b: hotkey(3),
        e_value: f64::from(n),
        log_rate_change: -0.7,
        rejected: n > 90,
    };
    let seen = CollusionSummary {
        rounds: 9,
        shared_machines: (0..100).map(pair).collect(),
        coupled_latency: vec![CoupledSummary {
            a: hotkey(4),
            b: hotkey(2),
            correlation: 0.4,
            p_value: 0.02,
        }],
        ..CollusionSummary::default()
    };
    tell(
        &mut state,
        Event::Collusion {
            validator: hotkey(0),
            round: Default::default(),
            seen,
        },
    );
    bounds::check_sizes(&state);
    let found = suspects(&state);
    let shared = found
        .iter()
        .filter(|it| matches!(it, Suspect::SharedMachine { .. }))
        .count();
    assert_eq!(shared, 64);
    let first = found.iter().find_map(|it| match it {
        Suspect::SharedMachine { found, .. } => Some(found.e_value),
        _ => None,
    });
    assert_eq!(first, Some(63.0), "the strongest comes first");
    assert!(
        found
            .iter()
            .any(|it| matches!(it, Suspect::Coupled { .. }) && it.whom() == hotkey(4))
    );
}
