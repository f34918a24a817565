//! Show the live subnet in a terminal.

mod args;

use std::process::ExitCode;

use args::{Args, Mode};
use athanor_chain::{Client, ParseEndpointError};
use athanor_tui::{
    Events, RunError, State, Update, epoch_table,
    report::Report,
    source::{ReadEventsError, SnapshotError, read_events, snapshot},
};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    athanor_cli::report(show(athanor_cli::parse()).await)
}

#[derive(Debug, Error)]
enum ShowError {
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    #[error(transparent)]
    Events(#[from] ReadEventsError),
    #[error(transparent)]
    Chain(#[from] SnapshotError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
}

async fn show(args: Args) -> Result<(), ShowError> {
    let mode = args.mode();
    let source = args.source()?;
    // A mistyped path should not look like a quiet subnet.
    let events = match &source.events {
        Events::File(path) => read_events(path).await?.0,
        Events::None | Events::Live(_) => Vec::new(),
    };
    if mode == Mode::Live {
        let mut terminated = signal(SignalKind::terminate()).map_err(ShowError::Signals)?;
        let shutdown = async move {
            terminated.recv().await;
        };
        return Ok(athanor_tui::run(source, shutdown).await?);
    }
    let client = Client::connect(&source.endpoint)
        .await
        .map_err(SnapshotError::from)?;
    let picture = snapshot(&client, source.netuid).await?;
    let mut state = source.state();
    let (block, epoch) = (picture.metagraph.block, picture.metagraph.schedule.epoch);
    for update in [Update::Chain(Box::new(picture))]
        .into_iter()
        .chain(events.into_iter().map(Update::Event))
    {
        state.update(update, std::time::Duration::ZERO);
    }
    match mode {
        Mode::Json => println!("{}", json(&state)),
        _ => print!("{}", epoch_table(epoch, block, &state.epoch_rows())),
    }
    Ok(())
}

fn json(state: &State) -> String {
    serde_json::to_string_pretty(&Report::of(state))
        .expect("a report has only string keys and finite numbers")
}
