//! The loop: inputs and updates come in, frames go out.

use std::{future::Future, io, pin::pin, time::Duration};

use thiserror::Error;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    input::{Input, Reader},
    source::{self, Source},
    state::{Flow, Screen, State, Update},
    term,
    view::{self, Palette},
};

/// The countdown moves at least this often; a redraw without changes costs next to nothing over SSH.
const TICK: Duration = Duration::from_millis(250);
/// Updates taken in before a frame is drawn, so that a burst of events cannot starve the screen.
const BATCH: usize = 256;

/// The terminal UI cannot go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// Standard input or output is a file or a pipe.
    #[error(
        "standard input and output are not a terminal; run it in one, or ask for a single picture with --once"
    )]
    NoTerminal,
    /// The terminal failed.
    #[error("the terminal failed: {0}")]
    Terminal(#[source] io::Error),
}

/// Shows `source` in the terminal until the person quits (`q`, Ctrl-C), the terminal hangs up or `shutdown` resolves.
/// The terminal is as it was when this returns, whichever way it does, and all tasks of the source have been aborted.
///
/// Nobody else may write to standard output or error meanwhile: send logs to a file. Messages of panics on other
/// threads are held back until the terminal is restored.
pub async fn run(source: Source, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let mut terminal = term::Screen::borrow().map_err(|error| match error.kind() {
        io::ErrorKind::NotConnected => RunError::NoTerminal,
        _ => RunError::Terminal(error),
    })?;
    let mut reader = Reader::start().map_err(RunError::Terminal)?;
    let palette = Palette::from_environment();
    let start = Instant::now();
    let mut state = source.state();
    let mut screen = Screen::default();
    let mut updates = source::start(source);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut shutdown = pin!(shutdown);
    let mut panics_seen = 0;
    loop {
        for reason in terminal.new_panics(&mut panics_seen) {
            state.update(Update::EventsTrouble { reason }, start.elapsed());
        }
        terminal
            .draw(|frame| view::render(frame, &state, &screen, &palette))
            .map_err(RunError::Terminal)?;
        tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            input = reader.next() => match input {
                Some(Input::Action(action)) => if screen.apply(action, &state) == Flow::Quit { return Ok(()) },
                Some(Input::Resized) => {}
                None => return Ok(()),
            },
            update = updates.next() => take(&mut state, update, &mut updates, start),
            _ = tick.tick() => state.update(Update::Tick, start.elapsed()),
        }
    }
}

fn take(state: &mut State, first: Update, updates: &mut source::Updates, start: Instant) {
    state.update(first, start.elapsed());
    for _ in 1..BATCH {
        let Some(update) = updates.ready() else { break };
        state.update(update, start.elapsed());
    }
}
