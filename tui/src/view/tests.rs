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

/// A view of the neuron of the run that is known to be `label`.
fn labelled(state: &State, view: View, label: &str) -> Screen {
    let mut labels = state.labels.iter();
    let (hotkey, _) = labels.find(|(_, known)| *known == label).unwrap();
    Screen {
        selected: Some(*hotkey),
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
    for cheat in CHEATS {
        check(
            &format!("run_{cheat}"),
            &state,
            &labelled(&state, View::Miner, cheat),
        );
    }
    let mut turned = state.clone();
    let mut rules = turned.chain.as_ref().unwrap().rules.clone();
    crate::state::Knob::BondsMovingAverage.turn(&mut rules, false);
    crate::state::Knob::Kappa.turn(&mut rules, true);
    turned.suppose(Some(rules));
    check("run_what_if", &turned, &Screen::at(View::Chain));
    let mut unmasked = state;
    unmasked.unmasked = true;
    check("run_unmasked", &unmasked, &Screen::at(View::Metagraph));
}

/// The red team of a local subnet.
const CHEATS: [&str; 4] = ["copycat", "relay", "ignored_seed", "looper"];

#[test]
fn no_frame_says_who_cheats_before_it_is_asked() {
    let mut state = recorded();
    for view in View::ALL {
        for cheat in CHEATS {
            let mut screen = labelled(&state, view, cheat);
            let text = frame(&state, &screen, LARGE, &Look::default());
            for name in CHEATS {
                assert!(!text.contains(name), "{name} stands in {view:?}:\n{text}");
            }
            screen.apply(Action::Search, &state);
            cheat
                .chars()
                .for_each(|typed| drop(screen.apply(Action::Type(typed), &state)));
            assert_eq!(screen.listed(&state), [], "a search for {cheat} finds it");
        }
    }
    state.unmasked = true;
    let text = frame(
        &state,
        &Screen::at(View::Metagraph),
        LARGE,
        &Look::default(),
    );
    assert!(CHEATS.iter().all(|name| text.contains(name)), "{text}");
}

/// The question of a new user: who cheats, how was it found, what did it cost? Two keys from the first frame.
#[test]
fn the_first_frame_and_one_key_say_who_cheats_how_it_was_found_and_what_it_lost() {
    let state = recorded();
    let mut screen = Screen::default();
    let text = frame(&state, &screen, SMALL, &Look::default());
    let accused = screen.listed(&state);
    assert_eq!(accused.len(), 3, "{text}");
    for hotkey in &accused {
        assert!(text.contains(&state.name(hotkey)), "{text}");
    }
    for hotkey in accused {
        screen.selected = Some(hotkey);
        let mut closer = screen.clone();
        closer.apply(Action::Enter, &state);
        let text = frame(&state, &closer, SMALL, &Look::default());
        for said in ["Why its incentive is zero", "accuse it of", "it lost"] {
            assert!(text.contains(said), "{said}:\n{text}");
        }
    }
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
fn a_replay_that_is_told_of_leaves_the_block_and_the_epoch_in_sight() {
    let state = recorded();
    let playing = Playing {
        position: Duration::from_secs(3_000),
        length: Duration::from_secs(100_000),
        speed: 256.0,
        paused: true,
    };
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(80, 24)).unwrap();
    let screen = Screen::default();
    terminal
        .draw(|frame| {
            drop(render(
                frame,
                &state,
                &screen,
                &Look::default(),
                Some(playing),
            ))
        })
        .unwrap();
    let text = terminal.backend().to_string();
    let first = text.lines().next().unwrap();
    for said in [
        "netuid 1  block 120  epoch 5 ",
        "paused 3000 of 100000 s ×256",
    ] {
        assert!(first.contains(said), "{first}");
    }
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
