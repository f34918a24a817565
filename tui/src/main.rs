//! Show the live subnet in a terminal.

mod args;

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use args::{Args, ArgsError, Mode};
use athanor_chain::Client;
use athanor_spec::BlockNumber;
use athanor_tui::{
    Events, RunError, Source, State, Update, epoch_table,
    report::Report,
    source::{
        self, FeedError, ReadEventsError, SnapshotError, read_events, read_feed,
        recording::{Recording, RecordingError},
        replay::Player,
        snapshot,
    },
    still,
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
    Args(#[from] ArgsError),
    #[error(transparent)]
    Events(#[from] ReadEventsError),
    #[error("the feed cannot be read: {0}")]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error(transparent)]
    Chain(#[from] SnapshotError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
}

async fn show(args: Args) -> Result<(), ShowError> {
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let mode = args.mode(terminal);
    if let Some((path, speed, at)) = args.replay() {
        let recording = Recording::read(&path)?;
        if mode == Mode::Live {
            let player = Player::new(recording, speed);
            return Ok(athanor_tui::replay(player, args.options(), terminated()?).await?);
        }
        let state = recording.state_at(at.unwrap_or(recording.length()));
        print_once(mode, &args, &state);
        return Ok(());
    }
    let source = args.clone().source()?;
    // A mistyped path should not look like a quiet subnet.
    let events = match &source.events {
        Events::File(path) => read_events(path).await?.0,
        Events::Feeds(feeds) if !matches!(mode, Mode::Live | Mode::Record) => {
            let mut events = Vec::new();
            for feed in feeds {
                events.extend(read_feed(feed.clone()).await?);
            }
            events
        }
        // A feed that is gone is waited for.
        Events::None | Events::Live(_) | Events::Feeds(_) => Vec::new(),
    };
    match mode {
        Mode::Live => Ok(athanor_tui::run(source, args.options(), terminated()?).await?),
        Mode::Record => {
            let path = args.options().record.unwrap_or_default();
            eprintln!("recording to {}; end with Ctrl-C", path.display());
            let stop = terminated()?;
            let stop = async {
                tokio::select! {
                    () = stop => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            };
            Ok(source::record(source, &path, stop).await?)
        }
        Mode::Frame(_) | Mode::Table | Mode::Json => {
            let mut state = source.state();
            for update in picture(&source)
                .await?
                .into_iter()
                .chain(events.into_iter().map(Update::Event))
            {
                state.update(update, Duration::ZERO);
            }
            print_once(mode, &args, &state);
            Ok(())
        }
    }
}

fn terminated() -> Result<impl Future<Output = ()>, ShowError> {
    let mut terminated = signal(SignalKind::terminate()).map_err(ShowError::Signals)?;
    Ok(async move {
        terminated.recv().await;
    })
}

/// Blocks whose extrinsics and events are shown once.
const LAST_BLOCKS: u32 = 8;

/// What the chain says now, and what its last blocks did.
async fn picture(source: &Source) -> Result<Vec<Update>, ShowError> {
    let client = Client::connect(&source.endpoint)
        .await
        .map_err(SnapshotError::from)?;
    let picture = snapshot(&client, source.netuid).await?;
    let block = picture.metagraph.block.0;
    let mut updates = vec![Update::Chain(Box::new(picture))];
    for number in block.saturating_sub(LAST_BLOCKS - 1)..=block {
        // Of a chain that forgets its past the picture is still good.
        if let Ok(content) = client.block_content(BlockNumber(number)).await {
            updates.push(Update::Block(content));
        }
    }
    Ok(updates)
}

fn print_once(mode: Mode, args: &Args, state: &State) {
    match mode {
        Mode::Json => println!("{}", json(state)),
        Mode::Frame(size) => print!(
            "{}",
            still::frame(state, &args.screen(state), size, &args.look())
        ),
        Mode::Live | Mode::Record | Mode::Table => {
            let schedule = state
                .chain
                .as_ref()
                .map(|chain| (chain.metagraph.schedule.epoch, chain.metagraph.block));
            let (epoch, block) = schedule.unwrap_or_default();
            print!("{}", epoch_table(epoch, block, &state.epoch_rows()));
        }
    }
}

fn json(state: &State) -> String {
    serde_json::to_string_pretty(&Report::of(state))
        .expect("a report has only string keys and finite numbers")
}
