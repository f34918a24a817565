//! How much to say.

use clap::{Args, builder::FalseyValueParser};

/// Verbosity and shape of the logs, which go to standard error.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoggingArgs {
    /// Log what the node does step by step
    #[arg(
        long = "logging.debug",
        alias = "logging-debug",
        env = "BT_LOGGING_DEBUG",
        global = true,
        display_order = 1001,
        value_parser = FalseyValueParser::new()
    )]
    pub debug: bool,
    /// Log everything, libraries included
    #[arg(
        long = "logging.trace",
        alias = "logging-trace",
        env = "BT_LOGGING_TRACE",
        global = true,
        display_order = 1001,
        value_parser = FalseyValueParser::new()
    )]
    pub trace: bool,
    /// Log one JSON object per line
    #[arg(
        long = "logging.json",
        alias = "logging-json",
        env = "BT_LOGGING_JSON",
        global = true,
        display_order = 1001,
        value_parser = FalseyValueParser::new()
    )]
    pub json: bool,
}
