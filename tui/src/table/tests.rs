//! The table as a person reads it in a terminal's scroll-back.

use super::*;
use crate::state::scene;

#[test]
fn an_epoch_says_who_was_paid_what_and_why() {
    let rows = scene::faulty().epoch_rows();
    insta::assert_snapshot!("epoch", epoch_table(Epoch(5), BlockNumber(108), &rows));
}

#[test]
fn an_empty_subnet_is_a_table_too() {
    let text = epoch_table(Epoch(0), BlockNumber(1), &[]);
    assert!(
        text.starts_with("epoch 0, block 1: 0 neurons, 0.0000 TAO paid\n"),
        "{text}"
    );
}

#[test]
fn the_machine_readable_twin_says_the_same() {
    let report = crate::report::Report::of(&scene::faulty()).unwrap();
    insta::assert_snapshot!(
        "report",
        serde_json::to_string_pretty(&report.neurons[5]).unwrap()
    );
    assert_eq!(
        (
            report.block,
            report.next_epoch_block,
            report.next_epoch_seconds
        ),
        (BlockNumber(108), BlockNumber(120), Some(2.6))
    );
}
