//! What a verb ends with.

use std::process::ExitCode;

/// What a verb prints, and the status that it leaves.
pub(crate) struct Outcome {
    /// For standard output.
    pub(crate) text: String,
    /// 0, or 1 where something differs or is not well.
    pub(crate) status: ExitCode,
}

impl Outcome {
    /// Done.
    pub(crate) fn done(text: String) -> Self {
        Self::judged(text, true)
    }

    /// Looked at, and found to be well or not.
    pub(crate) fn judged(text: String, well: bool) -> Self {
        let status = match well {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        };
        Self { text, status }
    }
}
