//! Logs to standard error.

use std::io::{self, IsTerminal as _};

use thiserror::Error;
use tracing_subscriber::{
    EnvFilter, filter::ParseError, fmt, reload, util::SubscriberInitExt as _, util::TryInitError,
};

use crate::LoggingArgs;

/// Our crates at `info`; of the libraries, only what an operator can act upon.
const NORMAL: &str = "warn,athanor=info";
const DEBUG: &str = "info,athanor=debug";
const TRACE: &str = "debug,athanor=trace";

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// The environment's filter is malformed.
    #[error("RUST_LOG is not a log filter ({0}): unset it, or write it like `warn,athanor=debug`")]
    Filter(#[from] ParseError),
    /// Something else logs already.
    #[error("logging was set up twice: {0}")]
    Twice(#[from] TryInitError),
    /// Nothing logs any more.
    #[error("the log's level cannot be changed: {0}")]
    Reload(#[from] reload::Error),
}

/// How much is logged, while it is logged.
pub struct LogLevel(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>);

impl LogLevel {
    /// The settings that [`LogLevel::change`] takes over.
    pub const SETTINGS: [&'static str; 2] = ["logging.debug", "logging.trace"];

    /// Logs as much as `arguments` say from now on; whether it is JSON stays as it was.
    pub fn change(&self, arguments: &LoggingArgs) -> Result<(), LoggingError> {
        Ok((self.0)(filter(arguments)?)?)
    }
}

/// Starts logging, once per process. A flag wins over `RUST_LOG`, and that over the default.
pub fn init(arguments: &LoggingArgs) -> Result<LogLevel, LoggingError> {
    let logs = fmt()
        .with_env_filter(filter(arguments)?)
        .with_writer(io::stderr)
        // A file or a pipe has no use for colours.
        .with_ansi(io::stderr().is_terminal());
    if arguments.json {
        let logs = logs.json().with_filter_reloading();
        let handle = logs.reload_handle();
        logs.finish().try_init()?;
        Ok(LogLevel(Box::new(move |filter| handle.reload(filter))))
    } else {
        let logs = logs.with_filter_reloading();
        let handle = logs.reload_handle();
        logs.finish().try_init()?;
        Ok(LogLevel(Box::new(move |filter| handle.reload(filter))))
    }
}

fn filter(arguments: &LoggingArgs) -> Result<EnvFilter, ParseError> {
    match std::env::var("RUST_LOG") {
        Ok(directives) if !arguments.debug && !arguments.trace => EnvFilter::try_new(directives),
        _ => EnvFilter::try_new(directives(arguments)),
    }
}

fn directives(arguments: &LoggingArgs) -> &'static str {
    match (arguments.trace, arguments.debug) {
        (true, _) => TRACE,
        (false, true) => DEBUG,
        (false, false) => NORMAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_says_more_than_debug_and_debug_more_than_nothing() {
        let arguments = |debug, trace| LoggingArgs {
            debug,
            trace,
            json: false,
        };
        for (arguments, expected) in [
            (arguments(false, false), NORMAL),
            (arguments(true, false), DEBUG),
            (arguments(true, true), TRACE),
        ] {
            assert_eq!(directives(&arguments), expected);
            assert!(EnvFilter::try_new(directives(&arguments)).is_ok());
        }
    }
}
