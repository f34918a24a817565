//! The epoch equals the chain's own in every recorded output.

use std::path::Path;

#[expect(unreachable_pub, reason = "the module is shared with an example")]
mod recorded;

#[expect(unreachable_pub, reason = "the module is shared with a bench")]
#[path = "../benches/transcription.rs"]
mod transcription;

use recorded::{Epoch, ReadError, compare_directory};

fn check(epoch: Epoch) {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let report = compare_directory(&vectors, epoch).unwrap_or_else(|error| panic!("{error}"));
    let differing: Vec<String> = report.mismatches.iter().map(ToString::to_string).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(report.outputs, 12 * report.epochs);
    assert!(report.cases >= 161 && report.epochs >= 957, "{report:?}");
}

#[test]
fn every_output_of_every_recorded_epoch_is_reproduced() {
    check(athanor_yuma::epoch);
}

#[test]
fn the_plain_transcription_of_the_rules_reproduces_them_too() {
    check(transcription::epoch);
}

#[test]
fn a_directory_without_recorded_epochs_is_an_error() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(matches!(
        compare_directory(&sources, athanor_yuma::epoch),
        Err(ReadError::Empty { .. })
    ));
    assert!(matches!(
        compare_directory(&sources.join("nowhere"), athanor_yuma::epoch),
        Err(ReadError::Open { .. })
    ));
}
