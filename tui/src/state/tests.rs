//! What the state makes of what it hears.

use std::time::Duration;

use athanor_spec::{BlockNumber, Digest, telemetry::Event};

use super::{scene::*, *};

const SECOND: Duration = Duration::from_secs(1);

fn tell(state: &mut State, event: Event) {
    state.update(Update::Event(event), SECOND);
}

fn show(state: &mut State, picture: Snapshot) {
    state.update(Update::Chain(Box::new(picture)), SECOND);
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
    let rows = state.rows(Sort::Uid);
    let verdict = rows[5].verdict.as_ref().unwrap();
    assert_eq!(
        (
            verdict.fault.unwrap().kind.as_str(),
            verdict.accusers,
            verdict.graders
        ),
        ("copy", 2, 2)
    );
    let first = state.rows(Sort::Fault)[0].neuron.uid;
    assert_eq!(first, Uid(5));
    assert_eq!(state.rows(Sort::Emission)[0].neuron.uid, Uid(0));
}

#[test]
fn a_recycled_slot_does_not_inherit_grades() {
    let mut state = faulty();
    let mut picture = snapshot(109);
    picture.metagraph.neurons[5].registered_at = BlockNumber(109);
    picture.metagraph.neurons[6].hotkey = hotkey(66);
    show(&mut state, picture);
    let rows = state.rows(Sort::Uid);
    assert!(rows[5].verdict.is_none() && rows[6].verdict.is_none());
    assert!(rows[2].verdict.is_some());
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
fn nothing_grows_without_bound() {
    let mut state = normal();
    for n in 0..2_000u32 {
        let stranger = Hotkey(Digest::of(&n.to_le_bytes()).0);
        tell(
            &mut state,
            Event::RequestFailed {
                miner: stranger,
                reason: format!("reason {n}"),
            },
        );
        tell(
            &mut state,
            Event::RoundStarted {
                validator: stranger,
                round: Default::default(),
                block: BlockNumber(n),
                asks: 1,
            },
        );
        let mut grade = graded(0, 2, None);
        if let Event::Graded { validator, .. } = &mut grade {
            *validator = stranger;
        }
        tell(&mut state, grade);
        tell(&mut state, distilled(2, u64::from(n)));
    }
    assert!(state.peers.miners.len() <= 512 && state.peers.validators.len() <= 512);
    let miner = &state.peers.miners[&hotkey(2)];
    assert!(miner.grades.len() <= 128 && miner.losses.len() <= 256);
    assert!(state.log.lines().len() <= 500);
    show(&mut state, snapshot(109));
    assert!(state.peers.miners.len() <= 7 && state.peers.miners[&hotkey(2)].grades.len() <= 7);
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
    picture.weights[1].1.clear();
    picture.weights[0].1 = vec![(Uid(3), 65_535)];
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
        ["earned 45.8 % of all incentive, 0.3000 TAO in the last epoch"]
    );
}

#[test]
fn the_selection_follows_its_neuron_through_sorting_and_leaving() {
    let state = faulty();
    let mut screen = Screen::default();
    assert_eq!(screen.apply(Action::Select(-1), &state), Flow::Continue);
    assert_eq!(screen.selected, Some(hotkey(0)));
    screen.apply(Action::Select(5), &state);
    screen.apply(Action::Sort, &state);
    screen.apply(Action::Sort, &state);
    assert_eq!(screen.selected, Some(hotkey(5)));
    screen.apply(Action::Select(1), &state);
    assert_eq!(
        screen.selected,
        Some(hotkey(6)),
        "the accused come first, and this is the second of them"
    );
    screen.apply(Action::Select(100), &state);
    assert_eq!(screen.selected, Some(hotkey(4)));
    assert_eq!(
        screen.selected_row(&[hotkey(1)]),
        Some(0),
        "one that has left gives way to the first"
    );
    assert_eq!(screen.selected_row(&[]), None);
    assert_eq!(screen.apply(Action::Quit, &state), Flow::Quit);
}

#[test]
fn panes_cycle_both_ways_and_scrolling_is_bounded() {
    let state = faulty();
    let mut screen = Screen::default();
    screen.apply(Action::Pane { back: true }, &state);
    assert_eq!(screen.pane, Pane::Log);
    screen.apply(Action::Scroll(8), &state);
    assert_eq!(screen.scroll, 0, "below the newest line there is nothing");
    screen.apply(Action::Scroll(-8), &state);
    assert_eq!(screen.scroll, 8);
    screen.apply(Action::Pane { back: false }, &state);
    assert_eq!((screen.pane, screen.scroll), (Pane::Detail, 0));
    screen.apply(Action::Scroll(i32::MAX), &state);
    assert_eq!(screen.scroll, 64);
    screen.apply(Action::Help, &state);
    assert!(screen.help);
    screen.apply(Action::Close, &state);
    assert!(!screen.help);
}
