//! Keys and the mouse: what they mean, and the thread that reads them.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crossterm::event::{
    self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent,
    MouseEventKind,
};
use tokio::sync::mpsc;

use crate::{
    state::{Action, Play, View},
    view::Seen,
};

/// How long the reader may be deaf to a request to stop: what leaving waits for at most. It wakes that often.
const POLL: Duration = Duration::from_millis(100);
/// Keys waiting to be handled; more are typed only by a paste, and lost.
const QUEUE: usize = 256;
/// Rows that a turn of the wheel moves.
const WHEEL: i32 = 3;
/// Seconds that a recording is moved by a key.
const SEEK: i32 = 10;

/// What the person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Pressed a key.
    Key(KeyEvent),
    /// Did something with the mouse.
    Mouse(MouseEvent),
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

    /// An input that has arrived already.
    pub(crate) fn ready(&mut self) -> Option<Input> {
        self.inputs.try_recv().ok()
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
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Input::Key(key)),
        Event::Mouse(mouse) if mouse.kind != MouseEventKind::Moved => Some(Input::Mouse(mouse)),
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

/// What a key means; while a text is typed, most keys are text.
pub(crate) fn action(key: KeyEvent, typing: bool) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            KeyCode::Char('d') => Some(Action::Page(1)),
            KeyCode::Char('u') => Some(Action::Page(-1)),
            _ => None,
        };
    }
    if typing {
        return match key.code {
            KeyCode::Char(character) => Some(Action::Type(character)),
            KeyCode::Backspace => Some(Action::Erase),
            KeyCode::Enter => Some(Action::Enter),
            KeyCode::Esc => Some(Action::Back),
            KeyCode::Up => Some(Action::Move(-1)),
            KeyCode::Down => Some(Action::Move(1)),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q' | 'Q') => Action::Quit,
        KeyCode::Up | KeyCode::Char('k') => Action::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Move(1),
        KeyCode::Char('g') | KeyCode::Home => Action::First,
        KeyCode::Char('G') | KeyCode::End => Action::Last,
        KeyCode::PageDown | KeyCode::Char(' ') => Action::Page(1),
        KeyCode::PageUp => Action::Page(-1),
        KeyCode::Char('J' | 'n') => Action::Neuron(1),
        KeyCode::Char('K' | 'N') => Action::Neuron(-1),
        KeyCode::Tab => Action::Cycle { back: false },
        KeyCode::BackTab => Action::Cycle { back: true },
        KeyCode::Right | KeyCode::Char('l' | '+') => Action::Turn { up: true },
        KeyCode::Left | KeyCode::Char('h' | '-') => Action::Turn { up: false },
        KeyCode::Char(digit @ '1'..='8') => {
            let at = digit.to_digit(10).map_or(0, |digit| digit as usize - 1);
            Action::Go(View::ALL[at])
        }
        KeyCode::Enter => Action::Enter,
        KeyCode::Esc | KeyCode::Backspace => Action::Back,
        KeyCode::Char('s') => Action::Sort,
        KeyCode::Char('S') => Action::Reverse,
        KeyCode::Char('f') => Action::Filter,
        KeyCode::Char('/') => Action::Search,
        KeyCode::Char('c') => Action::Columns,
        KeyCode::Char('r') => Action::Reset,
        KeyCode::Char('y') => Action::Copy,
        KeyCode::Char('Y') => Action::CopyReasons,
        KeyCode::Char('e') => Action::Export,
        KeyCode::Char('?') => Action::Help,
        KeyCode::Char('u') => Action::Unmask,
        KeyCode::Char('p') => Action::Play(Play::Pause),
        KeyCode::Char('>') => Action::Play(Play::Speed { faster: true }),
        KeyCode::Char('<') => Action::Play(Play::Speed { faster: false }),
        KeyCode::Char(']') => Action::Play(Play::Seek(SEEK)),
        KeyCode::Char('[') => Action::Play(Play::Seek(-SEEK)),
        _ => return None,
    })
}

/// What a click or a turn of the wheel means on the frame that was drawn last: a click on a row selects it, one on the
/// selected row looks closer.
pub(crate) fn mouse(mouse: MouseEvent, seen: &Seen) -> Option<Action> {
    let at = (mouse.column, mouse.row).into();
    match mouse.kind {
        MouseEventKind::ScrollUp => Some(Action::Move(-WHEEL)),
        MouseEventKind::ScrollDown => Some(Action::Move(WHEEL)),
        MouseEventKind::Down(MouseButton::Right) => Some(Action::Back),
        MouseEventKind::Down(MouseButton::Left) => {
            if let Some((_, view)) = seen.tabs.iter().find(|(area, _)| area.contains(at)) {
                return Some(Action::Go(*view));
            }
            if let Some((_, sort)) = seen.heads.iter().find(|(area, _)| area.contains(at)) {
                return Some(Action::SortBy(*sort));
            }
            if !seen.list.contains(at) {
                return None;
            }
            let row = usize::from(mouse.row - seen.list.y);
            Some(match seen.selected == Some(row) {
                true => Action::Enter,
                false => Action::Click(row),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;
    use crate::state::Sort;

    fn check(code: KeyCode, modifiers: KeyModifiers, expected: Option<Action>) {
        let key = KeyEvent::new(code, modifiers);
        assert_eq!(action(key, false), expected, "{code:?} {modifiers:?}");
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
        check(KeyCode::Char('q'), KeyModifiers::CONTROL, None);
        check(KeyCode::Esc, KeyModifiers::NONE, Some(Action::Back));
        let typed = action(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE), true);
        assert_eq!(typed, Some(Action::Type('q')), "a q in a search is text");
    }

    #[test]
    fn arrows_and_letters_move_alike() {
        for (arrow, letter) in [
            (KeyCode::Up, 'k'),
            (KeyCode::Down, 'j'),
            (KeyCode::Left, 'h'),
            (KeyCode::Right, 'l'),
            (KeyCode::Home, 'g'),
            (KeyCode::End, 'G'),
            (KeyCode::PageDown, ' '),
        ] {
            let moved = action(KeyEvent::new(arrow, KeyModifiers::NONE), false);
            assert!(moved.is_some());
            check(KeyCode::Char(letter), KeyModifiers::NONE, moved);
        }
    }

    #[test]
    fn a_key_counts_once_where_the_terminal_reports_releases() {
        let mut key = KeyEvent::new(KeyCode::Tab, KeyModifiers::NONE);
        assert_eq!(action(key, false), Some(Action::Cycle { back: false }));
        key.kind = KeyEventKind::Release;
        assert_eq!(action(key, false), None);
    }

    #[test]
    fn the_mouse_selects_looks_closer_sorts_and_switches() {
        let seen = Seen {
            tabs: vec![(Rect::new(10, 2, 5, 1), View::Rounds)],
            heads: vec![(Rect::new(0, 3, 4, 1), Sort::Stake)],
            list: Rect::new(0, 4, 80, 10),
            selected: Some(2),
            ..Seen::default()
        };
        let click = |column, row| {
            let event = MouseEvent {
                kind: MouseEventKind::Down(MouseButton::Left),
                column,
                row,
                modifiers: KeyModifiers::NONE,
            };
            mouse(event, &seen)
        };
        assert_eq!(click(12, 2), Some(Action::Go(View::Rounds)));
        assert_eq!(click(1, 3), Some(Action::SortBy(Sort::Stake)));
        assert_eq!(click(5, 9), Some(Action::Click(5)));
        assert_eq!(click(5, 6), Some(Action::Enter));
        assert_eq!(click(5, 20), None);
    }
}
