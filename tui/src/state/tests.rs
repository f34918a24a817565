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
    let verdict = rows[5].verdict.as_ref().unwrap();
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

/// Sizes of everything that could grow, by name.
fn sizes(state: &State) -> Vec<(&'static str, usize, usize)> {
    let peers = &state.peers;
    let miners = || peers.miners.values();
    let validators = || peers.validators.values();
    let rounds = || validators().filter_map(|it| it.round.as_ref());
    let tracks = || state.history.tracks.values();
    let most = |counts: &mut dyn Iterator<Item = usize>| counts.max().unwrap_or(0);
    vec![
        ("miners", peers.miners.len(), 4096),
        ("validators", peers.validators.len(), 4096),
        ("resemblances", peers.resemblances.len(), 1024),
        ("alarms", peers.alarms.len(), 1024),
        ("feeds", state.feeds.len(), 64),
        ("log", state.log.lines().len(), 2000),
        ("extrinsics", state.activity.extrinsics.len(), 512),
        ("events", state.activity.events.len(), 512),
        ("epochs", state.history.epochs.len(), 32),
        ("weights", state.history.weights(), 32 * 64 * 256),
        ("tracks", state.history.tracks.len(), 4096),
        (
            "emissions",
            most(&mut tracks().map(|it| it.emission.len())),
            256,
        ),
        (
            "incentives",
            most(&mut tracks().map(|it| it.incentive.len())),
            256,
        ),
        (
            "lineages",
            most(&mut tracks().map(|it| it.lineage.len())),
            24,
        ),
        ("paid", state.history.paid.len(), 256),
        ("price", state.history.price.len(), 256),
        ("grades", most(&mut miners().map(|it| it.grades.len())), 128),
        (
            "records",
            most(&mut miners().map(|it| it.records.len())),
            128,
        ),
        ("losses", most(&mut miners().map(|it| it.losses.len())), 256),
        (
            "heldout",
            most(&mut miners().map(|it| it.heldout.len())),
            256,
        ),
        (
            "qualities",
            most(&mut miners().map(|it| it.axes.quality.len())),
            256,
        ),
        (
            "evidence",
            most(&mut miners().map(|it| it.axes.evidence.len())),
            256,
        ),
        ("swaps", most(&mut miners().map(|it| it.swapped.len())), 24),
        (
            "in flight",
            most(&mut rounds().map(|it| it.in_flight.len())),
            4096,
        ),
        ("asked", most(&mut rounds().map(|it| it.miners.len())), 4096),
    ]
}

fn check_sizes(state: &State) {
    for (what, size, bound) in sizes(state) {
        assert!(size <= bound, "{what}: {size} of {bound}");
    }
}

fn stranger(n: u32) -> Hotkey {
    Hotkey(Digest::of(&n.to_le_bytes()).0)
}

/// Everything that a stranger can say, each with a hotkey of its own.
#[test]
fn strangers_cannot_make_it_grow_without_bound() {
    let mut state = normal();
    for n in 0..6_000u32 {
        let who = stranger(n);
        let text = format!("text {n}");
        let round = Default::default();
        for event in [
            Event::RequestFailed {
                miner: who,
                reason: text.clone(),
            },
            Event::RoundStarted {
                validator: who,
                round,
                block: BlockNumber(n),
                asks: 1,
            },
            Event::Asked {
                validator: hotkey(0),
                miner: who,
                round: athanor_spec::Round(4),
                index: n,
            },
            Event::Resembles {
                validator: hotkey(0),
                round,
                miner: who,
                uid: Uid(1),
                earlier: hotkey(2),
                verdict: text.clone(),
                behaviour: 0.1,
                weights: None,
                p_bound: None,
                p_smallest: 0.1,
            },
            Event::Alarm {
                validator: who,
                name: text.clone(),
                severity: text.clone(),
                text: text.clone(),
                raised: true,
            },
            Event::Measured {
                validator: who,
                miner: hotkey(2),
                round,
                record: Default::default(),
            },
        ] {
            tell(&mut state, event);
        }
        let mut grade = graded(0, 2, None);
        if let Event::Graded { validator, .. } = &mut grade {
            *validator = who;
        }
        tell(&mut state, grade);
        state.update(
            Update::Feed {
                url: text,
                link: Link::Connecting,
            },
            SECOND,
        );
    }
    check_sizes(&state);
    show(&mut state, snapshot(109));
    assert!(state.peers.miners.len() <= 7 && state.peers.validators.len() <= 7);
    assert!(state.peers.miners[&hotkey(2)].grades.len() <= 7);
    assert!(state.peers.alarms.is_empty() && state.peers.resemblances.is_empty());
}

/// A day of a subnet with blocks of twelve seconds, epochs of 20 of them, and a round in each.
#[test]
fn a_day_stays_within_its_bounds() {
    let mut state = empty();
    let mut halfway = Vec::new();
    for n in 0..7_200u32 {
        let at = Duration::from_secs(u64::from(n) * 12);
        let mut picture = snapshot(100 + n);
        let committed = Digest::of(&(n / 50).to_le_bytes());
        if let Some((record, block)) = &mut picture.metagraph.neurons[3].commitment {
            (record.checkpoint, *block) = (committed, BlockNumber(100 + n / 50));
        }
        let content = athanor_chain::BlockContent {
            block: picture.metagraph.block,
            extrinsics: vec![athanor_chain::ExtrinsicSummary {
                block: picture.metagraph.block,
                hash: committed,
                call: "SubtensorModule.set_weights".to_owned(),
                signer: Some(hotkey(0)),
                success: true,
            }],
            events: vec![athanor_chain::EventSummary {
                name: "SubtensorModule.WeightsSet".to_owned(),
                extrinsic: Some(0),
                fields: format!("({n})"),
            }],
        };
        state.update(Update::Chain(Box::new(picture)), at);
        state.update(Update::Block(content), at);
        let round = athanor_spec::Round(u64::from(n / 20));
        let (validator, miner) = (hotkey(0), hotkey(2 + (n % 5) as u16));
        for index in 0..4 {
            let index = n * 4 + index;
            for event in [
                Event::Asked {
                    validator,
                    miner,
                    round,
                    index,
                },
                Event::Answered {
                    validator,
                    miner,
                    round,
                    index,
                    first_token_ms: n % 900,
                    elapsed_ms: n,
                    tokens: 9,
                },
                Event::Opened {
                    validator,
                    miner,
                    round,
                    index,
                    tokens: 9,
                    strays: 1,
                },
            ] {
                state.update(Update::Event(event), at);
            }
        }
        state.update(Update::Event(distilled(2, u64::from(n))), at);
        state.update(Update::Event(graded(0, 2, None)), at);
        let swap = Event::Swapped {
            miner,
            from: committed,
            to: Digest::of(&n.to_le_bytes()),
        };
        state.update(Update::Event(swap), at);
        if n == 3_600 {
            halfway = sizes(&state);
        }
    }
    check_sizes(&state);
    let miner = &state.peers.miners[&hotkey(2)];
    assert_eq!(
        miner.first_token.count(),
        7_200 / 5 * 4,
        "nothing was left out"
    );
    let full = |(what, size, bound): (&str, usize, usize)| (what == "log").then_some((size, bound));
    assert_eq!(
        halfway.into_iter().find_map(full),
        sizes(&state).into_iter().find_map(full),
        "what is full grows no more"
    );
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
        ["earned 45.8 % of all incentive, 0.3000 TAO in the last epoch"]
    );
}

#[test]
fn the_selection_follows_its_neuron_through_sorting_and_leaving() {
    let state = faulty();
    let mut screen = Screen::at(View::Metagraph);
    assert_eq!(screen.apply(Action::Move(-1), &state), Flow::Continue);
    assert_eq!(screen.selected, Some(hotkey(0)));
    screen.apply(Action::Move(5), &state);
    screen.apply(Action::SortBy(Sort::Fault), &state);
    assert_eq!(screen.selected, Some(hotkey(5)));
    screen.apply(Action::Move(1), &state);
    assert_eq!(
        screen.selected,
        Some(hotkey(6)),
        "the accused come first, and this is the second of them"
    );
    screen.apply(Action::Move(100), &state);
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
fn the_reason_for_a_number_is_two_keys_away_and_esc_goes_back() {
    let state = faulty();
    let mut screen = Screen::default();
    screen.apply(Action::Move(1), &state);
    screen.apply(Action::Enter, &state);
    assert_eq!(
        (screen.view, screen.selected),
        (View::Miner, Some(hotkey(6)))
    );
    screen.apply(Action::Enter, &state);
    assert_eq!(
        (screen.view, screen.selected),
        (View::Validator, Some(hotkey(0))),
        "who judged it"
    );
    screen.apply(Action::Back, &state);
    screen.apply(Action::Back, &state);
    assert_eq!(screen.view, View::Overview);
    screen.apply(Action::Go(View::Log), &state);
    screen.apply(Action::Filter, &state);
    screen.apply(Action::Enter, &state);
    assert_eq!(
        screen.view,
        View::Miner,
        "from an accusation to the accused"
    );
}

#[test]
fn a_search_and_a_filter_narrow_the_table() {
    let state = faulty();
    let mut screen = Screen::at(View::Metagraph);
    screen.apply(Action::Search, &state);
    "SUBST".chars().for_each(|it| {
        screen.apply(Action::Type(it), &state);
    });
    assert_eq!(screen.listed(&state), [hotkey(6)]);
    screen.apply(Action::Erase, &state);
    screen.apply(Action::Enter, &state);
    assert!(!screen.is_typing());
    assert_eq!(screen.listed(&state), [hotkey(6)]);
    screen.apply(Action::Back, &state);
    assert_eq!(screen.listed(&state).len(), 7);
    for (filter, count) in [
        ("miners", 5),
        ("validators", 2),
        ("accused", 2),
        ("paid", 5),
        ("all", 7),
    ] {
        screen.apply(Action::Filter, &state);
        assert_eq!(
            (screen.filter.name(), screen.listed(&state).len()),
            (filter, count)
        );
    }
}

#[test]
fn columns_can_be_chosen_and_put_back() {
    let state = faulty();
    let mut screen = Screen::at(View::Metagraph);
    let before = screen.columns.clone();
    screen.apply(Action::Columns, &state);
    screen.apply(Action::Move(3), &state);
    screen.apply(Action::Enter, &state);
    assert!(screen.columns.contains(&Column::Coldkey) && !before.contains(&Column::Coldkey));
    screen.apply(Action::Back, &state);
    screen.apply(Action::Reset, &state);
    assert_eq!((screen.choosing, screen.columns), (None, before));
}

#[test]
fn a_view_is_copied_and_exported_by_the_loop_not_by_the_screen() {
    let state = faulty();
    let mut screen = Screen::at(View::Metagraph);
    screen.selected = Some(hotkey(5));
    assert_eq!(
        screen.apply(Action::Copy, &state),
        Flow::Copy(hotkey(5).to_ss58())
    );
    let Flow::Copy(reasons) = screen.apply(Action::CopyReasons, &state) else {
        panic!("nothing is copied");
    };
    assert!(
        reasons.starts_with("copy#5: 2 of 2 validators accuse it"),
        "{reasons}"
    );
    screen.apply(Action::Export, &state);
    assert_eq!(
        screen.apply(Action::Enter, &state),
        Flow::Export("athanor-metagraph-108.csv".to_owned())
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
fn help_closes_before_anything_else_does() {
    let state = faulty();
    let mut screen = Screen::at(View::Metagraph);
    screen.apply(Action::Help, &state);
    assert!(screen.help);
    screen.apply(Action::Back, &state);
    assert!(!screen.help);
    screen.apply(Action::Cycle { back: true }, &state);
    assert_eq!(screen.view, View::Overview);
    screen.apply(Action::Cycle { back: true }, &state);
    assert_eq!(screen.view, View::Log);
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
    check_sizes(&state);
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
