//! The transcripts of closed rounds as files, and the ledgers from which they can be checked.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use athanor_spec::Round;
use thiserror::Error;

/// Ending of a transcript's file.
const TRANSCRIPT: &str = "transcript";
/// Ending of the file of a ledger on which a round was closed.
const LEDGER: &str = "ledger";

/// The archive's disk failed.
#[derive(Debug, Error)]
#[error("the transcripts cannot be kept at {}: {source}", path.display())]
pub struct ArchiveError {
    /// Where.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// A directory of transcripts, named by their rounds.
#[derive(Clone, Debug)]
pub struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// An archive in `dir`, which is created when absent.
    pub fn open(dir: PathBuf) -> Result<Self, ArchiveError> {
        fs::create_dir_all(&dir).map_err(at(&dir))?;
        Ok(Self { dir })
    }

    /// Where the transcript of a round lies, or would.
    pub fn transcript(&self, round: Round) -> PathBuf {
        self.dir.join(format!("{round}.{TRANSCRIPT}"))
    }

    /// Where the ledger lies on which a round was closed, if it was kept.
    pub fn ledger(&self, round: Round) -> PathBuf {
        self.dir.join(format!("{round}.{LEDGER}"))
    }

    /// Keeps a transcript; it is whole on disk when this returns.
    pub fn keep_transcript(&self, round: Round, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.keep(&self.transcript(round), bytes)
    }

    /// Keeps the ledger on which a round was closed; it is whole on disk when this returns.
    pub fn keep_ledger(&self, round: Round, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.keep(&self.ledger(round), bytes)
    }

    /// The rounds whose transcripts are kept, oldest first.
    pub fn rounds(&self) -> Result<Vec<Round>, ArchiveError> {
        let mut rounds: Vec<Round> = self
            .files()?
            .into_iter()
            .filter(|(_, path)| path.extension().is_some_and(|end| end == TRANSCRIPT))
            .map(|(round, _)| round)
            .collect();
        rounds.sort_unstable();
        Ok(rounds)
    }

    /// Drops everything about rounds before `oldest`.
    pub fn prune(&self, oldest: Round) -> Result<(), ArchiveError> {
        for (round, path) in self.files()? {
            if round < oldest {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<(Round, PathBuf)>, ArchiveError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(at(&self.dir))? {
            let path = entry.map_err(at(&self.dir))?.path();
            let round = path.file_stem().and_then(|name| name.to_str());
            if let Some(Ok(round)) = round.map(str::parse) {
                files.push((round, path));
            }
        }
        Ok(files)
    }

    fn keep(&self, path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir).map_err(at(path))?;
        file.write_all(bytes).map_err(at(path))?;
        file.as_file().sync_all().map_err(at(path))?;
        file.persist(path).map_err(|error| ArchiveError {
            path: path.to_owned(),
            source: error.error,
        })?;
        // The name is durable only once its directory is.
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(at(&self.dir))
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_until_it_is_pruned() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(folder.path().join("transcripts")).unwrap();
        for round in [9, 10, 11] {
            archive.keep_transcript(Round(round), &[1; 9]).unwrap();
        }
        archive.keep_ledger(Round(9), &[2]).unwrap();
        archive.keep_transcript(Round(10), &[3]).unwrap();
        assert_eq!(fs::read(archive.transcript(Round(10))).unwrap(), [3]);
        let all = [Round(9), Round(10), Round(11)];
        assert_eq!(archive.rounds().unwrap(), all);
        archive.prune(Round(10)).unwrap();
        assert_eq!(archive.rounds().unwrap(), all[1..]);
        assert!(!archive.ledger(Round(9)).exists());
    }
}
