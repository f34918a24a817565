//! Frames as a person sees them: every screen of a real run, and the states that such a run does not show.

use std::{path::PathBuf, time::Duration};

use super::*;
use crate::{
    source::recording::Recording,
    state::{Action, scene},
    still,
};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (160, 50);

fn frame(state: &State, screen: &Screen, size: (u16, u16), look: &Look) -> String {
    still::frame(state, screen, size, look)
}

fn colours() -> Look {
    Look {
        palette: Palette::colours(false),
        ascii: false,
    }
}

fn check(name: &str, state: &State, screen: &Screen) {
    for size in [SMALL, LARGE] {
        let text = frame(state, screen, size, &colours());
        assert_eq!(
            text,
            frame(state, screen, size, &Look::default()),
            "colour changes no character"
        );
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text);
    }
}

fn selecting(view: View, uid: u16) -> Screen {
    Screen {
        selected: Some(scene::hotkey(uid)),
        ..Screen::at(view)
    }
}

/// A run of athanor-localnet, as it was recorded.
fn recorded() -> State {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings/localnet.jsonl.gz");
    let recording = Recording::read(&path).unwrap();
    recording.state_at(recording.length())
}

/// The first neuron of the run that is known to be `label`.
fn labelled(state: &State, view: View, label: &str) -> Screen {
    let rows = state.all_rows();
    let row = rows.iter().find(|row| row.label == Some(label)).unwrap();
    Screen {
        selected: Some(row.neuron.hotkey),
        ..Screen::at(view)
    }
}

#[test]
fn every_screen_of_a_real_run() {
    let state = recorded();
    for view in View::ALL {
        check(
            &format!("run_{}", view.name().to_lowercase()),
            &state,
            &Screen::at(view),
        );
    }
    check(
        "run_help",
        &state,
        &Screen {
            help: true,
            ..Screen::default()
        },
    );
    check("run_cheat", &state, &labelled(&state, View::Miner, "relay"));
    let mut turned = state.clone();
    let mut rules = turned.chain.as_ref().unwrap().rules.clone();
    crate::state::Knob::BondsMovingAverage.turn(&mut rules, false);
    crate::state::Knob::Kappa.turn(&mut rules, true);
    turned.suppose(Some(rules));
    check("run_what_if", &turned, &Screen::at(View::Chain));
}

#[test]
fn before_the_first_block_it_says_what_it_waits_for() {
    check("empty", &scene::empty(), &Screen::default());
}

#[test]
fn without_a_node_it_says_why_and_that_it_tries_again() {
    let mut state = scene::empty();
    state.update(scene::lost(), Duration::from_secs(1));
    state.update(crate::Update::Tick, Duration::from_secs(7));
    check("unreachable", &state, &Screen::default());
}

#[test]
fn a_lost_connection_keeps_the_last_state_and_says_so() {
    check(
        "disconnected",
        &scene::disconnected(),
        &selecting(View::Metagraph, 6),
    );
}

#[test]
fn a_chain_without_events_or_labels_is_shown_alone() {
    let mut state = State::new(
        "finney".to_owned(),
        athanor_spec::NetUid(1),
        Default::default(),
        None,
    );
    let picture = Box::new(scene::snapshot(108));
    state.update(crate::Update::Chain(picture), Duration::ZERO);
    for view in View::ALL {
        let name = format!("chain_only_{}", view.name().to_lowercase());
        check(
            &name,
            &state,
            &selecting(view, if view == View::Validator { 0 } else { 5 }),
        );
    }
}

#[test]
fn a_search_an_export_and_the_choice_of_columns_are_seen() {
    let state = scene::faulty();
    let mut screen = Screen::at(View::Metagraph);
    screen.apply(Action::Search, &state);
    screen.apply(Action::Type('h'), &state);
    let text = frame(&state, &screen, SMALL, &Look::default());
    assert!(
        text.contains("search: h") && text.contains("look for: h_"),
        "{text}"
    );
    screen.apply(Action::Back, &state);
    screen.apply(Action::Export, &state);
    let text = frame(&state, &screen, SMALL, &Look::default());
    assert!(
        text.contains("write to: athanor-metagraph-108.csv_"),
        "{text}"
    );
    screen.apply(Action::Back, &state);
    screen.apply(Action::Columns, &state);
    let text = frame(&state, &screen, SMALL, &Look::default());
    assert!(
        text.contains("[x] UID") && text.contains("[ ] COLDKEY"),
        "{text}"
    );
}

#[test]
fn a_lost_feed_is_an_alarm() {
    let mut state = scene::normal();
    let lost = crate::Update::Feed {
        url: "http://10.0.0.7:9710".to_owned(),
        link: crate::state::Link::Lost {
            reason: "connection refused".to_owned(),
        },
    };
    state.update(lost, Duration::from_millis(2_700));
    let text = frame(&state, &Screen::default(), SMALL, &Look::default());
    assert!(text.contains("live, 1 feeds lost"), "{text}");
    assert!(text.contains("http://10.0.0.7:9710 are lost"), "{text}");
}

#[test]
fn ascii_is_ascii() {
    let ascii = Look {
        palette: Palette::plain(),
        ascii: true,
    };
    for state in [scene::faulty(), scene::disconnected()] {
        for view in View::ALL {
            let text = frame(&state, &selecting(view, 5), LARGE, &ascii);
            assert!(text.is_ascii(), "{text}");
            assert!(
                !text.contains('?') || view == View::Log || text.contains("? help"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_small_terminal_is_told_what_it_needs() {
    let text = frame(
        &scene::normal(),
        &Screen::default(),
        (40, 10),
        &Look::default(),
    );
    assert!(
        text.contains("40 columns and 10") && text.contains("80 x 24"),
        "{text}"
    );
}

#[test]
fn any_size_draws_without_a_panic() {
    for (width, height) in [
        (0, 0),
        (1, 1),
        (3, 200),
        (500, 2),
        (80, 24),
        (81, 25),
        (109, 34),
        (131, 24),
        (132, 24),
        (400, 120),
    ] {
        for state in [scene::empty(), scene::normal(), scene::disconnected()] {
            for view in View::ALL {
                for help in [false, true] {
                    let screen = Screen {
                        help,
                        ..selecting(view, 6)
                    };
                    frame(&state, &screen, (width, height), &colours());
                }
            }
        }
    }
}

#[test]
fn the_selected_row_stays_in_sight_on_a_full_subnet() {
    let mut picture = scene::snapshot(108);
    picture.metagraph.neurons = (0..256)
        .map(|uid| athanor_chain::Neuron {
            uid: athanor_spec::Uid(uid),
            hotkey: scene::hotkey(uid),
            ..scene::neuron(uid % 7)
        })
        .collect();
    let mut state = scene::empty();
    state.update(crate::Update::Chain(Box::new(picture)), Duration::ZERO);
    let mut screen = Screen::at(View::Metagraph);
    screen.apply(Action::Last, &state);
    let text = frame(&state, &screen, SMALL, &Look::default());
    assert!(text.lines().any(|line| line.starts_with("› 255")), "{text}");
}

#[test]
fn text_scrolls_to_its_end_and_no_further() {
    let state = scene::faulty();
    let mut still = ratatui::Terminal::new(ratatui::backend::TestBackend::new(80, 24)).unwrap();
    let mut screen = selecting(View::Miner, 5);
    for _ in 0..2 {
        let mut seen = Seen::default();
        still
            .draw(|frame| seen = render(frame, &state, &screen, &Look::default(), None))
            .unwrap();
        screen.room = seen.room;
        screen.apply(Action::Last, &state);
    }
    assert!(screen.room.scroll > 0);
    assert_eq!(screen.scrolled(), screen.room.scroll);
}
