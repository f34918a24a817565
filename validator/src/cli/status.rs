//! `status`: how the validator is, and what comes next.

use std::fmt::Write as _;

use athanor_node::{SubnetArgs, WalletArgs, control::ControlError};
use clap::Args;

use super::{CliError, data::DataArgs};
use crate::{control, status::Status, watch};

/// Settings of `status`.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Which key.
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// Which subnet.
    #[command(flatten)]
    pub subnet: SubnetArgs,
    /// Where its data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// The text to print, and whether everything is in order: it runs, is ready, and no alarm is raised.
pub(super) async fn run(args: &StatusArgs) -> Result<(String, bool), CliError> {
    let spec = args.subnet.load()?;
    let data_dir = args.data.dir(&args.wallet, &spec)?;
    let status = match control::status(&data_dir).await {
        Ok(status) => status,
        Err(error @ ControlError::NotRunning { .. }) if args.json => {
            let text = serde_json::json!({ "running": false, "reason": error.to_string() });
            return Ok((text.to_string(), false));
        }
        Err(error) => return Err(error.into()),
    };
    let fine = status.ready && status.alarms.is_empty();
    let text = match args.json {
        true => serde_json::to_string(&status)?,
        false => text(&status),
    };
    Ok((text, fine))
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = describe(&mut text, status);
    text.truncate(text.trim_end().len());
    text
}

fn describe(text: &mut String, status: &Status) -> std::fmt::Result {
    let (minutes, seconds) = (status.uptime_seconds / 60, status.uptime_seconds % 60);
    writeln!(
        text,
        "running     for {} h {} min {seconds} s, process {}, version {}",
        minutes / 60,
        minutes % 60,
        status.pid,
        status.version
    )?;
    let uid = status
        .uid
        .map_or("not seen in an epoch yet".to_owned(), |uid| {
            format!("UID {uid}")
        });
    let permit = match status.validator_permit {
        Some(true) => ", with a validator permit",
        Some(false) => ", without a validator permit",
        None => "",
    };
    writeln!(
        text,
        "hotkey      {} on subnet {}: {uid}{permit}",
        status.hotkey, status.netuid
    )?;
    let reasons = match status.reasons.is_empty() {
        true => String::new(),
        false => format!(" ({})", status.reasons.join(", ")),
    };
    let ready = if status.ready { "ready" } else { "not ready" };
    writeln!(text, "state       {}, {ready}{reasons}", status.phase)?;
    if let (Some(block), Some(age)) = (status.block, status.block_age_seconds) {
        let epoch = status
            .epoch
            .map_or(String::new(), |it| format!(", epoch {it}"));
        writeln!(text, "chain       block {block}, {age:.0} s ago{epoch}")?;
    }
    match &status.round {
        None => writeln!(text, "round       none yet")?,
        Some(round) => {
            writeln!(
                text,
                "round       {} from block {}: {} miners, {} of {} asks sent, {} ended, {} lost by own trouble",
                round.round,
                round.first_block,
                round.miners,
                round.sent,
                round.planned,
                round.ended,
                round.own_trouble
            )?;
            let done = if round.submitted { ", done" } else { "" };
            writeln!(
                text,
                "            weights between blocks {} and {}{done}",
                round.submit_from, round.submit_until
            )?;
        }
    }
    let queues = &status.queues;
    writeln!(
        text,
        "queues      {} of {} asks in flight, {} of {} findings waiting",
        queues.in_flight, queues.in_flight_limit, queues.findings, queues.findings_limit
    )?;
    writeln!(
        text,
        "artifacts   {} bytes fetched for {} bytes of checkpoints",
        status.artifacts.fetched_bytes, status.artifacts.obtained_bytes
    )?;
    if let Some(readiness) = &status.readiness {
        writeln!(text, "evidence    {readiness}")?;
    }
    let weights = &status.weights;
    let last = weights.last.as_deref().unwrap_or("none since the start");
    writeln!(text, "weights     {last}")?;
    let next = [
        ("the next epoch", weights.epoch_blocks),
        ("the reveal", weights.reveal_blocks),
        ("they are too old to count", weights.cutoff_blocks),
    ];
    for (what, blocks) in next {
        if let Some(blocks) = blocks {
            writeln!(text, "            {blocks} blocks until {what}")?;
        }
    }
    if let Some(seen) = &status.collusion {
        let lines = watch::lines(seen, None);
        let rounds = seen.rounds;
        match lines.is_empty() {
            true => writeln!(
                text,
                "together    nobody is seen to act with others, over {rounds} rounds"
            )?,
            false => lines
                .iter()
                .try_for_each(|line| writeln!(text, "together    {line}"))?,
        }
    }
    for (name, alarm) in &status.alarms {
        writeln!(text, "{:<11} {name}: {}", alarm.severity.name(), alarm.text)?;
    }
    Ok(())
}
