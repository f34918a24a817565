//! The loop: inputs and updates come in, frames go out.

use std::{future::Future, io, path::PathBuf, pin::pin, time::Duration};

use thiserror::Error;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::{
    export,
    input::{self, Input, Reader},
    source::{
        self, Source,
        recording::RecordingError,
        replay::{Player, Playing},
    },
    state::{Flow, Screen, State, Update, View},
    term,
    view::{self, Look, Seen},
};

/// The countdown moves this often.
const TICK: Duration = Duration::from_secs(1);
/// How often a recording moves on.
const REPLAY_TICK: Duration = Duration::from_millis(100);
/// Least time between two frames: changes that come faster are drawn together, and a burst of events cannot keep the
/// machine busy with drawing.
const FRAME: Duration = Duration::from_millis(50);
/// Updates taken in at a time, so that a burst of events cannot starve the keys.
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
    /// The recording failed.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// How to show it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The view to begin with.
    pub view: View,
    /// Colours and characters.
    pub look: Look,
    /// Where to write everything down that comes.
    pub record: Option<PathBuf>,
}

/// Where the loop's updates come from.
enum Feed {
    Live(source::Updates),
    Replay { player: Player, last: Instant },
}

/// Shows `source` in the terminal until the person quits (`q`, Ctrl-C), the terminal hangs up or `shutdown` resolves.
/// The terminal is as it was when this returns, whichever way it does, and all tasks of the source have been aborted.
///
/// Nobody else may write to standard output or error meanwhile: send logs to a file. Messages of panics on other
/// threads are held back until the terminal is restored.
pub async fn run(
    source: Source,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let state = source.state();
    let open = |record: &Option<PathBuf>| source::start(source, record.as_deref()).map(Feed::Live);
    drive(state, open, options, shutdown).await
}

/// Plays a recording in the terminal, as [`run`] shows what is live.
pub async fn replay(
    player: Player,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let state = player.state();
    let last = Instant::now();
    let open = |_: &Option<PathBuf>| Ok(Feed::Replay { player, last });
    drive(state, open, options, shutdown).await
}

async fn drive(
    mut state: State,
    open: impl FnOnce(&Option<PathBuf>) -> Result<Feed, RecordingError>,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let mut terminal = term::Screen::borrow().map_err(|error| match error.kind() {
        io::ErrorKind::NotConnected => RunError::NoTerminal,
        _ => RunError::Terminal(error),
    })?;
    let mut reader = Reader::start().map_err(RunError::Terminal)?;
    let start = Instant::now();
    let mut screen = Screen::at(options.view);
    let mut feed = open(&options.record)?;
    let mut tick = interval(match feed {
        Feed::Live(_) => TICK,
        Feed::Replay { .. } => REPLAY_TICK,
    });
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut shutdown = pin!(shutdown);
    let mut panics_seen = 0;
    let mut seen = Seen::default();
    let mut drawn_at: Option<Instant> = None;
    let mut dirty = true;
    loop {
        for reason in terminal.new_panics(&mut panics_seen) {
            state.update(Update::EventsTrouble { reason }, start.elapsed());
            dirty = true;
        }
        let due = drawn_at.map_or_else(Instant::now, |at| at + FRAME);
        if dirty && due <= Instant::now() {
            let playing = feed.playing();
            terminal
                .draw(|frame| seen = view::render(frame, &state, &screen, &options.look, playing))
                .map_err(RunError::Terminal)?;
            screen.room = seen.room;
            (drawn_at, dirty) = (Some(Instant::now()), false);
        }
        tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            input = reader.next() => {
                let Some(mut input) = input else { return Ok(()) };
                dirty = true;
                loop {
                    let flow = act(input, &seen, &mut screen, &state);
                    match perform(flow, &mut state, &mut screen, &mut feed, &mut terminal, &options.look)? {
                        Next::Quit => return Ok(()),
                        Next::Go => {}
                    }
                    // Keys that came together are drawn together.
                    match reader.ready() {
                        Some(next) => input = next,
                        None => break,
                    }
                }
            }
            update = feed.next() => {
                feed.take(update, &mut state);
                dirty = true;
            }
            _ = tick.tick() => dirty |= feed.tick(&mut state, start),
            () = sleep_until(due), if dirty => {}
        }
    }
}

fn act(input: Input, seen: &Seen, screen: &mut Screen, state: &State) -> Flow {
    let action = match input {
        Input::Key(key) => input::action(key, screen.is_typing()),
        Input::Mouse(mouse) => input::mouse(mouse, seen),
        Input::Resized => None,
    };
    action.map_or(Flow::Continue, |action| screen.apply(action, state))
}

enum Next {
    Go,
    Quit,
}

/// Does what the screen asked for, and says what came of it.
fn perform(
    flow: Flow,
    state: &mut State,
    screen: &mut Screen,
    feed: &mut Feed,
    terminal: &mut term::Screen,
    look: &Look,
) -> Result<Next, RunError> {
    match flow {
        Flow::Continue => {}
        Flow::Quit => return Ok(Next::Quit),
        Flow::Copy(text) => {
            terminal.copy(&text).map_err(RunError::Terminal)?;
            screen.notice = Some(format!("copied: {text}"));
        }
        Flow::Export(path) => {
            let size = terminal.size().map_err(RunError::Terminal)?;
            screen.notice = Some(match export::write(&path, state, screen, size, look) {
                Ok(()) => format!("written to {path}"),
                Err(error) => error.to_string(),
            });
        }
        Flow::Unmask => state.unmasked = !state.unmasked,
        Flow::Suppose(rules) => state.suppose(rules),
        Flow::Play(play) => match feed {
            Feed::Replay { player, .. } => player.play(play, state),
            Feed::Live(_) => {
                screen.notice = Some(
                    "only a recording can be paused, sped up or moved: see --replay".to_owned(),
                );
            }
        },
    }
    Ok(Next::Go)
}

impl Feed {
    async fn next(&mut self) -> Update {
        match self {
            Self::Live(updates) => updates.next().await,
            Self::Replay { .. } => std::future::pending().await,
        }
    }

    fn take(&mut self, first: Update, state: &mut State) {
        let Self::Live(updates) = self else { return };
        state.update(first, updates.elapsed());
        for _ in 1..BATCH {
            let Some(update) = updates.ready() else { break };
            state.update(update, updates.elapsed());
        }
    }

    /// Says whether there is anything new to draw.
    fn tick(&mut self, state: &mut State, start: Instant) -> bool {
        match self {
            Self::Live(updates) => {
                state.update(Update::Tick, updates.elapsed().max(start.elapsed()));
                true
            }
            Self::Replay { player, last } => {
                let now = Instant::now();
                let passed = now - *last;
                *last = now;
                player.advance(state, passed)
            }
        }
    }

    fn playing(&self) -> Option<Playing> {
        match self {
            Self::Live(_) => None,
            Self::Replay { player, .. } => Some(player.playing()),
        }
    }
}
