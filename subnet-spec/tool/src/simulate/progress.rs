//! A bar on standard error, where somebody looks at it.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicU64, Ordering},
};

/// Cells of the bar.
const WIDTH: u64 = 40;

/// Counts what is done; drawn on a terminal only, each time another percent is done.
pub(super) struct Progress {
    all: u64,
    done: AtomicU64,
    drawn: bool,
}

impl Progress {
    /// Nothing done of so many.
    pub(super) fn of(all: u64) -> Self {
        Self {
            all: all.max(1),
            done: AtomicU64::new(0),
            drawn: io::stderr().is_terminal(),
        }
    }

    /// One more is done.
    pub(super) fn one(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.drawn && (done * 100 / self.all) != ((done - 1) * 100 / self.all) {
            let full = (done * WIDTH / self.all) as usize;
            let line = format!(
                "\r[{}{}] {:>3} %",
                "#".repeat(full),
                ".".repeat(WIDTH as usize - full.min(WIDTH as usize)),
                done * 100 / self.all
            );
            // A bar that cannot be drawn is not missed.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let blank = format!("\r{}\r", " ".repeat(WIDTH as usize + 8));
            let _ = io::stderr().write_all(blank.as_bytes());
        }
    }
}
