//! Keys: what they mean, and the thread that reads them.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use crate::state::Action;

/// How long the reader may be deaf to a request to stop: what leaving waits for at most.
const POLL: Duration = Duration::from_millis(50);
/// Keys waiting to be handled; more are typed only by a paste, and lost.
const QUEUE: usize = 64;
/// Rows and lines that the page keys move.
const PAGE: i32 = 8;

/// What the person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Pressed a key that means something.
    Action(Action),
    /// Resized the terminal.
    Resized,
}

/// The thread that reads the terminal; dropping it stops and joins it.
pub(crate) struct Reader {
    inputs: mpsc::Receiver<Input>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts reading. The terminal must be in raw mode already.
    pub(crate) fn start() -> io::Result<Self> {
        let (send, inputs) = mpsc::channel(QUEUE);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("tui-input".to_owned())
            .spawn(move || {
                // A terminal that hung up cannot be read any more: the channel closes, and the loop ends.
                while !stopped.load(Ordering::Relaxed) && read(&send).is_ok() {}
            })?;
        Ok(Self {
            inputs,
            stop,
            thread: Some(thread),
        })
    }

    /// The next input; `None` once the terminal has hung up.
    pub(crate) async fn next(&mut self) -> Option<Input> {
        self.inputs.recv().await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panics only if crossterm does, and then there is nothing to add.
            let _ = thread.join();
        }
    }
}

fn read(send: &mpsc::Sender<Input>) -> io::Result<()> {
    if !event::poll(POLL)? {
        return Ok(());
    }
    let input = match event::read()? {
        Event::Key(key) => action(key).map(Input::Action),
        Event::Resize(..) => Some(Input::Resized),
        _ => None,
    };
    if let Some(input) = input
        && let Err(mpsc::error::TrySendError::Closed(_)) = send.try_send(input)
    {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

/// What a key means.
pub(crate) fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q' | 'Q') => Action::Quit,
        KeyCode::Up | KeyCode::Char('k') => Action::Select(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Select(1),
        KeyCode::Char('g') | KeyCode::Home => Action::First,
        KeyCode::Char('G') | KeyCode::End => Action::Last,
        KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => Action::Pane { back: false },
        KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => Action::Pane { back: true },
        KeyCode::PageDown | KeyCode::Char(' ') => Action::Scroll(PAGE),
        KeyCode::PageUp => Action::Scroll(-PAGE),
        KeyCode::Char('J') => Action::Scroll(1),
        KeyCode::Char('K') => Action::Scroll(-1),
        KeyCode::Char('s') => Action::Sort,
        KeyCode::Char('?') => Action::Help,
        KeyCode::Esc => Action::Close,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: KeyCode, modifiers: KeyModifiers, expected: Option<Action>) {
        assert_eq!(
            action(KeyEvent::new(code, modifiers)),
            expected,
            "{code:?} {modifiers:?}"
        );
    }

    #[test]
    fn q_and_ctrl_c_quit_and_nothing_else_does() {
        check(KeyCode::Char('q'), KeyModifiers::NONE, Some(Action::Quit));
        check(KeyCode::Char('Q'), KeyModifiers::SHIFT, Some(Action::Quit));
        check(
            KeyCode::Char('c'),
            KeyModifiers::CONTROL,
            Some(Action::Quit),
        );
        check(KeyCode::Char('c'), KeyModifiers::NONE, None);
        check(KeyCode::Char('q'), KeyModifiers::CONTROL, None);
        check(KeyCode::Esc, KeyModifiers::NONE, Some(Action::Close));
    }

    #[test]
    fn arrows_and_letters_move_alike() {
        for (arrow, letter) in [
            (KeyCode::Up, 'k'),
            (KeyCode::Down, 'j'),
            (KeyCode::Left, 'h'),
            (KeyCode::Right, 'l'),
            (KeyCode::Home, 'g'),
            (KeyCode::PageDown, ' '),
        ] {
            let moved = action(KeyEvent::new(arrow, KeyModifiers::NONE));
            assert!(moved.is_some());
            check(KeyCode::Char(letter), KeyModifiers::NONE, moved);
        }
    }

    #[test]
    fn a_key_counts_once_where_the_terminal_reports_releases() {
        let mut key = KeyEvent::new(KeyCode::Tab, KeyModifiers::NONE);
        assert_eq!(action(key), Some(Action::Pane { back: false }));
        key.kind = KeyEventKind::Release;
        assert_eq!(action(key), None);
    }
}
