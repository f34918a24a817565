//! One run from the command line: start, show, stop, report.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    path::Path,
};

use athanor_node::{LoggingArgs, logging, shutdown};
use athanor_tui::{Events, Look, Options, Source, Theme, epoch_table};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::{
    agreement,
    error::LocalnetError,
    ground::Ground,
    red_team,
    settings::{Command, Settings},
    subnet::Subnet,
    watch::Watcher,
};

/// Runs the subnet until the epochs asked for are over, the person quits, or something fails.
pub async fn run(settings: Settings) -> Result<(), LocalnetError> {
    if let Some(Command::RedTeam(arguments)) = &settings.command {
        // What validators make of attacks is no trouble of this machine's: logs only where the environment asks for them.
        if std::env::var_os("RUST_LOG").is_some() {
            logging::init(&LoggingArgs::default())?;
        }
        let stop = shutdown::signal().map_err(LocalnetError::Signals)?;
        return red_team::run(arguments, &stop).await;
    }
    let interactive = !settings.headless
        && !settings.agreement
        && std::io::stdout().is_terminal()
        && std::io::stdin().is_terminal();
    if !interactive {
        logging::init(&LoggingArgs::default())?;
    }
    let stop = shutdown::signal().map_err(LocalnetError::Signals)?;
    if settings.agreement {
        return agree(&settings, &stop).await;
    }
    let ground = Ground::prepare(&settings).await?;
    eprintln!(
        "starting the subnet (seed {}); chain at {}, data in {}",
        settings.seed,
        ground.url(),
        ground.data_dir().display()
    );
    let mut subnet = tokio::select! {
        subnet = Subnet::populate(ground, &settings) => subnet?,
        () = stop.cancelled() => return Ok(()),
    };
    if let Some((address, key)) = subnet.gateway() {
        eprintln!("users are served at http://{address}/v1, with the key {key}");
    }
    if let Some(address) = subnet.events() {
        eprintln!("events are served at http://{address}/events");
    }
    let mut watcher = subnet.watcher();
    let ended = if interactive {
        let options = Options {
            look: Look::from_environment(Theme::Auto, false),
            record: settings.record.clone(),
            ..Options::default()
        };
        let watched = source(&subnet, &settings);
        let screen = athanor_tui::run(watched, options, stop.clone().cancelled_owned());
        tokio::select! {
            shown = screen => shown.map_err(LocalnetError::from),
            followed = follow(&mut subnet, &mut watcher, &settings, &stop, |_| ()) => followed,
        }
    } else {
        let watched = settings.record.as_ref();
        let watched = watched.map(|path| (source(&subnet, &settings), path.as_path()));
        let recorded = recorded(watched, stop.clone());
        let followed = follow(&mut subnet, &mut watcher, &settings, &stop, |table| {
            // A reader that closed the pipe has seen enough.
            if writeln!(std::io::stdout(), "{table}").is_err() {
                stop.cancel();
            }
        });
        tokio::select! {
            failed = recorded => failed,
            followed = followed => followed,
        }
    };
    let report = watcher.report().clone();
    subnet.shutdown().await?;
    if let Some(path) = &settings.report {
        write_report(path, &report)?;
    }
    ended
}

/// Writes down what a source brings until told to stop; without a source it only waits.
async fn recorded(
    watched: Option<(Source, &Path)>,
    stop: CancellationToken,
) -> Result<(), LocalnetError> {
    match watched {
        Some((source, path)) => {
            Ok(athanor_tui::source::record(source, path, stop.cancelled_owned()).await?)
        }
        None => {
            stop.cancelled_owned().await;
            Ok(())
        }
    }
}

/// Measures how far two validators agree, and says what each round came to.
async fn agree(settings: &Settings, stop: &CancellationToken) -> Result<(), LocalnetError> {
    let rounds = settings.epochs.unwrap_or(agreement::ROUNDS);
    eprintln!(
        "starting eight honest miners and two validators (seed {}), for {rounds} rounds of about {} s",
        settings.seed,
        u64::from(settings.tempo) * settings.block_time / 1000
    );
    let told = |round, tau| eprintln!("round {round} of {rounds}: tau {tau:.2}");
    let outcome = agreement::measure(settings, stop, told).await?;
    println!("{outcome}");
    if let Some(path) = &settings.report {
        write_report(path, &outcome)?;
    }
    match outcome.is_enough() {
        true => Ok(()),
        false => Err(LocalnetError::Disagreement {
            tau: outcome.tau,
            enough: agreement::ENOUGH,
        }),
    }
}

/// Follows the chain until the epochs asked for are over; hands the table of each to `show`.
async fn follow(
    subnet: &mut Subnet,
    watcher: &mut Watcher,
    settings: &Settings,
    stop: &CancellationToken,
    show: impl Fn(String),
) -> Result<(), LocalnetError> {
    let mut blocks = subnet.client.blocks();
    let mut closed = 0;
    loop {
        let block = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            failed = subnet.failed() => return failed,
            block = blocks.next() => match block {
                Some(block) => block?,
                None => return Ok(()),
            },
        };
        if let Some(epoch) = watcher.on_block(block).await? {
            show(epoch_table(epoch.epoch, epoch.block, &watcher.rows(&epoch)));
            closed += 1;
            if settings.epochs.is_some_and(|epochs| closed >= epochs) {
                return Ok(());
            }
        }
    }
}

fn source(subnet: &Subnet, settings: &Settings) -> Source {
    let labels: BTreeMap<_, _> = subnet
        .members
        .iter()
        .map(|member| (member.hotkey, member.behaviour.clone()))
        .collect();
    Source {
        endpoint: subnet.url(),
        netuid: subnet.spec.subnet.netuid,
        events: Events::Live(subnet.feed.subscribe()),
        labels,
        block_time: Some(settings.block_interval()),
    }
}

pub(crate) fn write_report(
    path: &Path,
    report: &impl serde::Serialize,
) -> Result<(), LocalnetError> {
    let json = serde_json::to_string_pretty(report)?;
    std::fs::write(path, json + "\n").map_err(|source| LocalnetError::Write {
        path: path.to_owned(),
        source,
    })
}
