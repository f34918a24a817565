//! SIGHUP: the settings are read again, and what can be taken over by a running daemon is.

use clap::Parser;

use crate::{LoggingArgs, Settings, logging::LogLevel};

/// Settings of every daemon that take effect at once.
const LOGGING: [&str; 2] = ["logging.debug", "logging.trace"];

/// Reads the settings again, lets `apply` take them over, and says in the log what has changed. Settings that are wrong
/// change nothing. `at_once` are the daemon's own settings that take effect at once; the others need a new start.
pub fn reload<A: Parser>(
    settings: &mut Settings<A>,
    logging: impl Fn(&A) -> &LoggingArgs,
    log_level: &LogLevel,
    at_once: &[&str],
    apply: impl FnOnce(&A),
) {
    let changed = match settings.reload() {
        Ok(changed) => changed,
        Err(error) => {
            let error = athanor_cli::line(&error);
            return tracing::error!(error, "SIGHUP: the settings stay as they were");
        }
    };
    if changed.is_empty() {
        return tracing::info!("SIGHUP: no setting has changed");
    }
    apply(settings.arguments());
    if let Err(error) = log_level.change(logging(settings.arguments())) {
        tracing::error!(%error, "SIGHUP: the log stays as it was");
    }
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
    for it in &changed {
        let (before, after) = (value(&it.before), value(&it.after));
        let key = it.key.as_str();
        match LOGGING.contains(&key) || at_once.contains(&key) {
            true => tracing::info!(setting = key, before, after, "SIGHUP: changed"),
            false => tracing::warn!(
                setting = key,
                before,
                after,
                "SIGHUP: takes effect with a new start"
            ),
        }
    }
}
