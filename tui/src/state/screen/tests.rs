//! What keys do.

use super::*;
use crate::state::{Column, Sort, scene::*};

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
fn what_neurons_are_is_said_where_it_is_known_and_asked_for() {
    let mut state = faulty();
    let mut screen = Screen::default();
    assert_eq!(screen.apply(Action::Unmask, &state), Flow::Unmask);
    state.labels.clear();
    assert_eq!(screen.apply(Action::Unmask, &state), Flow::Continue);
    assert!(screen.notice.is_some());
}

#[test]
fn a_key_that_means_nothing_here_says_where_it_does() {
    let state = faulty();
    for action in [
        Action::Sort,
        Action::Reverse,
        Action::Filter,
        Action::Columns,
    ] {
        let mut screen = Screen::at(View::Rounds);
        let before = (screen.order, screen.filter, screen.kind);
        screen.apply(action.clone(), &state);
        assert_eq!((screen.order, screen.filter, screen.kind), before);
        assert_eq!(screen.choosing, None);
        assert!(screen.notice.is_some(), "{action:?} is dead");
    }
    let mut screen = Screen::at(View::Chain);
    screen.apply(Action::Search, &state);
    assert_eq!(screen.view, View::Metagraph, "neurons are what is searched");
    assert!(screen.is_typing());
}

#[test]
fn enter_on_an_overview_without_accusations_shows_everybody() {
    let mut screen = Screen::default();
    screen.apply(Action::Enter, &normal());
    assert_eq!(screen.view, View::Metagraph);
}
