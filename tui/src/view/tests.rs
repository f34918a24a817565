//! Frames as a person sees them.

use ratatui::{Terminal, backend::TestBackend};

use super::*;
use crate::state::{Action, scene};

/// The cells as lines of text, right ends trimmed, so that a snapshot reads like the screen.
fn frame(state: &State, screen: &Screen, (width, height): (u16, u16), palette: &Palette) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| render(frame, state, screen, palette))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| {
        (0..width)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
            .trim_end()
            .to_owned()
            + "\n"
    };
    (0..height).map(line).collect()
}

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);

fn check(name: &str, state: &State, screen: &Screen) {
    for size in [SMALL, LARGE] {
        let text = frame(state, screen, size, &Palette::colours());
        assert_eq!(
            text,
            frame(state, screen, size, &Palette::plain()),
            "colour changes no character"
        );
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text);
    }
}

fn selecting(uid: u16) -> Screen {
    Screen {
        selected: Some(scene::hotkey(uid)),
        ..Screen::default()
    }
}

#[test]
fn before_the_first_block_it_says_what_it_waits_for() {
    check("empty", &scene::empty(), &Screen::default());
}

#[test]
fn without_a_node_it_says_why_and_that_it_tries_again() {
    let mut state = scene::empty();
    state.update(scene::lost(), std::time::Duration::from_secs(1));
    state.update(crate::Update::Tick, std::time::Duration::from_secs(7));
    check("unreachable", &state, &Screen::default());
}

#[test]
fn a_subnet_at_work_shows_who_is_paid() {
    check("normal", &scene::normal(), &selecting(2));
}

#[test]
fn a_validator_shows_its_votes() {
    check("validator", &scene::normal(), &selecting(0));
}

#[test]
fn an_accused_miner_shows_the_evidence() {
    check("faulty", &scene::faulty(), &selecting(5));
}

#[test]
fn a_lost_connection_keeps_the_last_state_and_says_so() {
    check("disconnected", &scene::disconnected(), &selecting(6));
}

#[test]
fn training_has_its_own_pane() {
    check(
        "distillation",
        &scene::faulty(),
        &Screen {
            pane: Pane::Distillation,
            ..selecting(3)
        },
    );
}

#[test]
fn the_log_has_its_own_pane() {
    check(
        "log",
        &scene::faulty(),
        &Screen {
            pane: Pane::Log,
            ..selecting(3)
        },
    );
}

#[test]
fn help_covers_the_screen() {
    check(
        "help",
        &scene::normal(),
        &Screen {
            help: true,
            ..Screen::default()
        },
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
    state.update(
        crate::Update::Chain(Box::new(scene::snapshot(108))),
        std::time::Duration::ZERO,
    );
    check("chain_only", &state, &selecting(5));
}

#[test]
fn a_small_terminal_is_told_what_it_needs() {
    let text = frame(
        &scene::normal(),
        &Screen::default(),
        (40, 10),
        &Palette::plain(),
    );
    assert!(
        text.contains("40 columns and 10") && text.contains("80 x 24"),
        "{text}"
    );
}

#[test]
fn any_size_draws_without_a_panic() {
    let screens = [Pane::Detail, Pane::Distillation, Pane::Log].map(|pane| Screen {
        pane,
        help: true,
        ..selecting(6)
    });
    for (width, height) in [
        (0, 0),
        (1, 1),
        (3, 200),
        (500, 2),
        (80, 24),
        (81, 25),
        (109, 34),
        (110, 33),
        (110, 34),
        (400, 120),
    ] {
        for state in [scene::empty(), scene::normal(), scene::disconnected()] {
            for screen in &screens {
                frame(&state, screen, (width, height), &Palette::colours());
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
    state.update(
        crate::Update::Chain(Box::new(picture)),
        std::time::Duration::ZERO,
    );
    let mut screen = Screen::default();
    screen.apply(Action::Last, &state);
    let text = frame(&state, &screen, SMALL, &Palette::plain());
    assert!(text.lines().any(|line| line.starts_with("›255")), "{text}");
}
