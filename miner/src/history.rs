//! What this miner served, and since when: one line for each change, on disk.
//!
//! It is what "the previous checkpoint" means to a rollback, and keeps that one from being collected.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

use athanor_spec::Digest;

/// Lines that are kept: a month of a change every hour.
const KEPT: usize = 720;

/// The file and what it says.
#[derive(Clone, Debug)]
pub(crate) struct History {
    path: PathBuf,
    served: Vec<Served>,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Served {
    since_ms: u64,
    checkpoint: Digest,
}

impl History {
    /// Reads the file; a line that is no line, as a crash of the machine leaves it, is passed over.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let served = text.lines().filter_map(|line| {
            let (since, checkpoint) = line.split_once(' ')?;
            Some(Served {
                since_ms: since.parse().ok()?,
                checkpoint: checkpoint.parse().ok()?,
            })
        });
        let history = Self {
            path,
            served: served.collect(),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            // The next line must not run on from half of one.
            history.rewrite()?;
        }
        Ok(history)
    }

    /// Notes that `checkpoint` is served from `now_ms` (milliseconds since the Unix epoch) on.
    pub(crate) fn note(&mut self, checkpoint: Digest, now_ms: u64) -> io::Result<()> {
        if self.current() == Some(checkpoint) {
            return Ok(());
        }
        let line = Served {
            since_ms: now_ms,
            checkpoint,
        };
        self.served.push(line);
        if self.served.len() > KEPT {
            self.served.drain(..self.served.len() - KEPT / 2);
            return self.rewrite();
        }
        let mut file = File::options().append(true).create(true).open(&self.path)?;
        file.write_all(line.line().as_bytes())
    }

    /// The checkpoint served last.
    pub(crate) fn current(&self) -> Option<Digest> {
        self.served.last().map(|served| served.checkpoint)
    }

    /// Those served before the last one, the latest first, each once.
    pub(crate) fn earlier(&self) -> Vec<Digest> {
        let current = self.current();
        let mut earlier: Vec<Digest> = Vec::new();
        for served in self.served.iter().rev() {
            let checkpoint = served.checkpoint;
            if Some(checkpoint) != current && !earlier.contains(&checkpoint) {
                earlier.push(checkpoint);
            }
        }
        earlier
    }

    fn rewrite(&self) -> io::Result<()> {
        let text: String = self.served.iter().map(Served::line).collect();
        let unfinished = self.path.with_extension("partial");
        fs::write(&unfinished, text)?;
        fs::rename(&unfinished, &self.path)
    }
}

impl Served {
    fn line(&self) -> String {
        format!("{} {}\n", self.since_ms, self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_served_is_known_after_a_restart_the_latest_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("served");
        let digest = |n| Digest([n; 32]);
        let mut history = History::open(path.clone()).unwrap();
        assert_eq!((history.current(), history.earlier()), (None, vec![]));
        for (at, n) in [(1, 1), (2, 2), (3, 2), (4, 1), (5, 3)] {
            history.note(digest(n), at).unwrap();
        }
        let again = History::open(path.clone()).unwrap();
        assert_eq!(again.served, history.served);
        assert_eq!(again.current(), Some(digest(3)));
        assert_eq!(again.earlier(), [digest(1), digest(2)]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    }

    #[test]
    fn a_line_that_was_cut_is_passed_over_and_the_file_stays_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("served");
        fs::write(&path, format!("1 {}\n2 abc", Digest([1; 32]))).unwrap();
        let mut history = History::open(path.clone()).unwrap();
        assert_eq!(history.current(), Some(Digest([1; 32])));
        for n in 0..2000_u64 {
            history.note(Digest([(n % 7) as u8 + 2; 32]), n).unwrap();
        }
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= KEPT, "{lines}");
        assert_eq!(History::open(path).unwrap().served, history.served);
    }
}
