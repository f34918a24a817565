//! How every binary begins and ends: the command line, and the last word.
//!
//! A mistake, in the command line or later, is one line on standard error and status 2, so that people see the cause
//! at once and scripts need not parse paragraphs.

use std::{error::Error, process::ExitCode};

use clap::Parser;

/// Status of a run that failed, the same that the argument parser uses.
pub const FAILURE: u8 = 2;

/// The next step after a mistake on the command line.
pub const HINT: &str = "--help lists what there is";

/// Reads the command line. A mistake in it ends the process with one line and status 2; `--help` and `--version` are
/// shown as ever.
pub fn parse<Arguments: Parser>() -> Arguments {
    Arguments::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        eprintln!("error: {}; {HINT}", sentence(&error));
        std::process::exit(FAILURE.into())
    })
}

/// The parser's message without its usage, on one line.
pub fn sentence(error: &clap::Error) -> String {
    let message = error.to_string();
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let lines = message
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"));
    let told: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .collect();
    told.join("; ")
}

/// Turns the result of `main` into an exit status, and writes the error to standard error as one line.
pub fn report<E: Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", line(&error));
            ExitCode::from(FAILURE)
        }
    }
}

/// The error without its line breaks: a cause from a library may have some.
pub fn line<E: Error>(error: &E) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_on_the_command_line_is_one_line() {
        #[derive(Debug, Parser)]
        struct Arguments {
            #[arg(long)]
            epochs: Option<u32>,
        }
        let error = Arguments::try_parse_from(["run", "--epoch", "3"]).unwrap_err();
        let line = sentence(&error);
        assert!(
            line.starts_with("unexpected argument '--epoch' found"),
            "{line}"
        );
        assert!(
            line.contains("--epochs") && !line.contains("Usage"),
            "{line}"
        );
        assert!(!line.contains('\n'), "{line}");
        let error = Arguments::try_parse_from(["run", "--epochs", "x"]).unwrap_err();
        assert!(sentence(&error).contains("'x' for '--epochs"), "{error}");
    }

    #[test]
    fn an_error_is_one_line() {
        let error = std::io::Error::other("cannot parse\n  |\n1 | x\n");
        assert_eq!(line(&error), "cannot parse | 1 | x");
    }
}
