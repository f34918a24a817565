//! Compare the epoch with a directory of recorded ones: `yuma-vectors DIR`.
//!
//! Prints how many cases, epochs and outputs there are and how many outputs differ, and names the first of these. Exits
//! with 1 if any differs, and with 2 if there is nothing to compare.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

#[expect(unreachable_pub, reason = "the module is shared with a test")]
#[path = "../tests/recorded/mod.rs"]
mod recorded;

use athanor_yuma::epoch;
use recorded::{Report, compare_directory};

/// How many differences are named.
const NAMED: usize = 10;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [directory] = arguments.as_slice() else {
        eprintln!("yuma-vectors takes one argument: a directory of recorded epochs (*.json.gz)");
        return ExitCode::from(2);
    };
    match compare_directory(Path::new(directory), epoch) {
        Ok(report) => print(&report),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn print(report: &Report) -> ExitCode {
    let mut text = format!(
        "{} cases, {} epochs, {} outputs, {} mismatches\n",
        report.cases,
        report.epochs,
        report.outputs,
        report.mismatches.len(),
    );
    for mismatch in report.mismatches.iter().take(NAMED) {
        text += &format!("{mismatch}\n");
    }
    if let more @ 1.. = report.mismatches.len().saturating_sub(NAMED) {
        text += &format!("and {more} more\n");
    }
    // Who closes the pipe has read enough.
    io::stdout().write_all(text.as_bytes()).ok();
    match report.mismatches.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
