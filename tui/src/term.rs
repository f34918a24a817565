//! Borrow the terminal, and give it back as it was whatever happens.
//!
//! While the screen is borrowed, a panic on any thread would print across it, and its message would vanish with it.
//! So messages are held back and printed once the screen is given back. A panic of the drawing thread itself gives the
//! screen back while it unwinds.

use std::{
    io::{self, IsTerminal, Stdout, Write as _, stdout},
    panic::{self, PanicHookInfo},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crossterm::{
    cursor::Show,
    event::{DisableMouseCapture, EnableMouseCapture},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

/// Panic messages kept for later; a thread that panics in a loop must not fill the memory.
const MAX_HELD: usize = 32;

/// The borrowed screen; dropping it gives the terminal back.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    panics: Arc<HeldPanics>,
}

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

struct HeldPanics {
    borrowed: AtomicBool,
    messages: Mutex<Vec<String>>,
    before: Box<Hook>,
}

impl Screen {
    /// Switches to the alternate screen and raw mode. Fails with [`io::ErrorKind::NotConnected`] without a terminal.
    pub(crate) fn borrow() -> io::Result<Self> {
        if !stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        enable_raw_mode()?;
        // From here on every way out, errors included, goes through `Drop`.
        let panics = HeldPanics::hook();
        let terminal = execute!(stdout(), EnterAlternateScreen, EnableMouseCapture)
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())))
            .inspect_err(|_| give_back(&panics))?;
        Ok(Self { terminal, panics })
    }

    /// Draws a frame.
    pub(crate) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(render).map(|_| ())
    }

    /// Size of the terminal in columns and rows.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Puts a text on the clipboard of the terminal that the person sits at, also over SSH (OSC 52). Terminals that do
    /// not know it, or are told not to, do nothing; there is no answer either way.
    pub(crate) fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut out = stdout();
        write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        out.flush()
    }

    /// Panics held back since the last call, for the log.
    pub(crate) fn new_panics(&self, seen: &mut usize) -> Vec<String> {
        let messages = self
            .panics
            .messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let new = messages.get(*seen..).unwrap_or_default().to_vec();
        *seen = messages.len();
        new
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back(&self.panics);
    }
}

fn give_back(panics: &Arc<HeldPanics>) {
    // Nothing can be done about a terminal that fails here (it may have hung up), and each step is worth trying.
    let _ = disable_raw_mode();
    let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    panics.borrowed.store(false, Ordering::SeqCst);
    for message in panics
        .messages
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .drain(..)
    {
        eprintln!("{message}");
    }
    if !thread::panicking() {
        // The hook stays chained when unwinding, where it may not be changed; it passes everything on by then.
        drop(panic::take_hook());
        let panics = Arc::clone(panics);
        panic::set_hook(Box::new(move |info| (panics.before)(info)));
    }
}

impl HeldPanics {
    fn hook() -> Arc<Self> {
        let held = Arc::new(Self {
            borrowed: AtomicBool::new(true),
            messages: Mutex::new(Vec::new()),
            before: panic::take_hook(),
        });
        let shared = Arc::clone(&held);
        panic::set_hook(Box::new(move |info| {
            if !shared.borrowed.load(Ordering::SeqCst) {
                return (shared.before)(info);
            }
            let mut messages = shared
                .messages
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if messages.len() < MAX_HELD {
                let thread = thread::current();
                messages.push(format!(
                    "thread `{}` {info}",
                    thread.name().unwrap_or("unnamed")
                ));
            }
        }));
        held
    }
}

#[cfg(test)]
mod tests;
