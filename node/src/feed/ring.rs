//! The latest events of a feed, numbered, for readers that come back.
//!
//! Whoever reads keeps its own position, so a slow reader costs nothing here: what it has not read goes when there is too
//! much, and it finds out by the numbers.

use std::{
    collections::VecDeque,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

/// Bounds of what is kept: some rounds' worth at 256 miners.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Events.
    pub(super) events: usize,
    /// Bytes of their JSON.
    pub(super) bytes: usize,
}

/// An event as it is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The event's name.
    pub(super) name: &'static str,
    /// One line of JSON, without its end.
    pub(super) json: String,
}

/// Where a reader is: the last event that it has, of one run of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// When the feed began, in milliseconds since the Unix epoch: numbers begin anew with it.
    pub(super) run: u64,
    /// Number of the event, from 1; 0 stands before the first.
    pub(super) event: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.run, self.event)
    }
}

/// A text is no position.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (run, event) = text.split_once('-').ok_or(NoPosition)?;
        let number = |text: &str| text.parse().map_err(|_| NoPosition);
        Ok(Self {
            run: number(run)?,
            event: number(event)?,
        })
    }
}

/// What follows a position.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Next {
    /// Events after the position that are no longer kept.
    pub(super) missed: u64,
    /// The number of the first of `lines`.
    pub(super) first: u64,
    /// Events that are kept, in order.
    pub(super) lines: Vec<Arc<Line>>,
}

#[derive(Debug)]
pub(super) struct Ring {
    run: u64,
    room: Room,
    /// A leaf: nothing waits while it is held.
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    /// The number of the newest event; 0 before the first.
    newest: u64,
}

impl Ring {
    pub(super) fn new(room: Room) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let run = since_epoch.unwrap_or_default().as_millis();
        Self {
            run: u64::try_from(run).unwrap_or(u64::MAX),
            room,
            kept: Mutex::default(),
            newest: watch::Sender::new(0),
        }
    }

    /// The run that positions are of.
    pub(super) fn run(&self) -> u64 {
        self.run
    }

    /// Keeps an event as the newest; the oldest go where there is no room. One that is larger than all the room is kept alone.
    pub(super) fn push(&self, line: Arc<Line>) {
        let mut kept = self.kept();
        kept.newest += 1;
        kept.bytes += line.json.len();
        kept.lines.push_back(line);
        while kept.lines.len() > 1
            && (kept.lines.len() > self.room.events || kept.bytes > self.room.bytes)
        {
            let gone = kept.lines.pop_front();
            kept.bytes -= gone.map_or(0, |line| line.json.len());
        }
        // Within the lock, so that the number never goes back.
        self.newest.send_replace(kept.newest);
    }

    /// Tells of every new event by its number.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The number of the newest event.
    pub(super) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// What follows event `after`, of about `bytes` bytes at most, and at least one event if there is any.
    pub(super) fn after(&self, after: u64, bytes: usize) -> Next {
        let kept = self.kept();
        let oldest = kept.newest + 1 - kept.lines.len() as u64;
        let first = oldest.max(after.saturating_add(1));
        let skip = usize::try_from(first - oldest).unwrap_or(usize::MAX);
        let mut taken = 0;
        let fits = |line: &&Arc<Line>| {
            let fits = taken == 0 || taken + line.json.len() <= bytes;
            taken += line.json.len();
            fits
        };
        Next {
            missed: oldest.saturating_sub(after.saturating_add(1)),
            first,
            lines: kept
                .lines
                .iter()
                .skip(skip)
                .take_while(fits)
                .cloned()
                .collect(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: Room = Room {
        events: 8,
        bytes: 64,
    };

    fn line(length: usize) -> Arc<Line> {
        Arc::new(Line {
            name: "x",
            json: "x".repeat(length),
        })
    }

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let position = Position { run: 7, event: 12 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for wrong in ["", "7", "-", "7-", "-7", "a-1", "1-2-3", "1--2"] {
            assert_eq!(wrong.parse::<Position>(), Err(NoPosition), "{wrong}");
        }
    }

    #[test]
    fn an_event_larger_than_all_the_room_is_kept_alone() {
        let ring = Ring::new(ROOM);
        ring.push(line(1));
        ring.push(line(100));
        let next = ring.after(0, 1);
        assert_eq!(
            (next.missed, next.first, next.lines),
            (1, 2, vec![line(100)])
        );
    }

    proptest! {
        #[test]
        fn a_reader_gets_every_event_once_or_hears_that_it_is_gone(
            steps in proptest::collection::vec((0usize..6, 1usize..20, 1usize..80), 1..60)
        ) {
            let ring = Ring::new(ROOM);
            let (mut pushed, mut at, mut got) = (0, 0, 0);
            for (pushes, length, bytes) in steps {
                for _ in 0..pushes {
                    ring.push(line(length));
                    pushed += 1;
                }
                let next = ring.after(at, bytes);
                prop_assert_eq!(next.first, at + next.missed + 1);
                prop_assert!(next.lines.len() <= ROOM.events);
                let total: usize = next.lines.iter().map(|line| line.json.len()).sum();
                prop_assert!(total <= ROOM.bytes.max(20));
                prop_assert_eq!(next.lines.is_empty(), at == pushed);
                prop_assert!(next.lines.len() == 1 || total <= bytes || next.lines.is_empty());
                got += next.missed + next.lines.len() as u64;
                at = next.first + next.lines.len() as u64 - 1;
                prop_assert_eq!(got, at);
            }
            prop_assert_eq!(ring.newest(), pushed);
        }
    }
}
