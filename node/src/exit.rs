//! The last word of a process: nothing on success, one line and status 2 on failure.

use std::{error::Error, process::ExitCode};

/// Status of a run that failed, the same that the argument parser uses.
pub const FAILURE: u8 = 2;

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
    fn an_error_is_one_line() {
        let error = std::io::Error::other("cannot parse\n  |\n1 | x\n");
        assert_eq!(line(&error), "cannot parse | 1 | x");
    }
}
