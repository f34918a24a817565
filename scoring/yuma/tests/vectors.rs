//! The epoch equals the chain's own in every recorded output.

use std::path::Path;

#[expect(unreachable_pub, reason = "the module is shared with an example")]
mod recorded;

use recorded::{ReadError, compare_directory};

#[test]
fn every_output_of_every_recorded_epoch_is_reproduced() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let report = compare_directory(&vectors).unwrap_or_else(|error| panic!("{error}"));
    let differing: Vec<String> = report.mismatches.iter().map(ToString::to_string).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(report.outputs, 12 * report.epochs);
    assert!(report.cases >= 161 && report.epochs >= 957, "{report:?}");
}

#[test]
fn a_directory_without_recorded_epochs_is_an_error() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(matches!(
        compare_directory(&sources),
        Err(ReadError::Empty { .. })
    ));
    assert!(matches!(
        compare_directory(&sources.join("nowhere")),
        Err(ReadError::Open { .. })
    ));
}
