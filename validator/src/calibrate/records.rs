//! Keeps observations in files, so that what was computed once is not computed again.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use athanor_scoring::evidence::TokenObservation;
use codec::{Decode, DecodeAll, Encode};
use thiserror::Error;

/// The largest file that is read: more than a million requests.
const MAX_BYTES: u64 = 1 << 30;

/// Why observations cannot be kept or read.
#[derive(Debug, Error)]
#[error("the record {}: {source}", path.display())]
pub struct RecordsError {
    /// The file or directory.
    pub path: PathBuf,
    /// Cause.
    #[source]
    pub source: io::Error,
}

/// A directory of observations, or nowhere.
#[derive(Clone, Debug)]
pub(super) struct Records {
    dir: Option<PathBuf>,
}

/// What a file holds: what was observed, in words that say everything it depends on, and the requests.
#[derive(Encode, Decode)]
struct Record {
    what: String,
    requests: Vec<Vec<TokenObservation>>,
}

impl Records {
    /// A directory, which is created if need be.
    pub(super) fn open(dir: Option<&Path>) -> Result<Self, RecordsError> {
        if let Some(dir) = dir {
            fs::create_dir_all(dir).map_err(|source| failed(dir, source))?;
        }
        Ok(Self {
            dir: dir.map(Path::to_owned),
        })
    }

    /// What is known of `what`; `None` if it was never observed, or the file is damaged or of something else.
    pub(super) fn get(
        &self,
        what: &str,
    ) -> Result<Option<Vec<Vec<TokenObservation>>>, RecordsError> {
        let Some(path) = self.path(what) else {
            return Ok(None);
        };
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path, error)),
            Ok(metadata) if metadata.len() > MAX_BYTES => return Ok(None),
            Ok(_) => {}
        }
        let bytes = fs::read(&path).map_err(|source| failed(&path, source))?;
        let record = Record::decode_all(&mut bytes.as_slice()).ok();
        Ok(record
            .filter(|record| record.what == what)
            .map(|record| record.requests))
    }

    /// Keeps what was observed; a file is whole or not there.
    pub(super) fn put(
        &self,
        what: &str,
        requests: &[Vec<TokenObservation>],
    ) -> Result<(), RecordsError> {
        let (Some(path), Some(dir)) = (self.path(what), &self.dir) else {
            return Ok(());
        };
        let bytes = (what, requests).encode();
        let store = || -> io::Result<()> {
            let mut file = tempfile::Builder::new()
                .prefix(".partial-")
                .tempfile_in(dir)?;
            file.write_all(&bytes)?;
            file.persist(&path)?;
            Ok(())
        };
        store().map_err(|source| failed(&path, source))
    }

    fn path(&self, what: &str) -> Option<PathBuf> {
        let name = blake3::hash(what.as_bytes()).to_hex();
        Some(self.dir.as_ref()?.join(format!("{}.observed", &name[..32])))
    }
}

fn failed(path: &Path, source: io::Error) -> RecordsError {
    RecordsError {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Vec<Vec<TokenObservation>> {
        let token = |margin, gap| TokenObservation { margin, gap };
        vec![vec![token(0.0, 1.5), token(0.25, 0.5)], Vec::new()]
    }

    #[test]
    fn what_was_kept_is_found_under_its_own_words_only() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(Some(folder.path())).unwrap();
        assert_eq!(records.get("a").unwrap(), None);
        records.put("a", &requests()).unwrap();
        assert_eq!(records.get("a").unwrap(), Some(requests()));
        assert_eq!(records.get("b").unwrap(), None);
        let again = Records::open(Some(folder.path())).unwrap();
        assert_eq!(again.get("a").unwrap(), Some(requests()));
    }

    #[test]
    fn a_damaged_file_counts_as_not_observed() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(Some(folder.path())).unwrap();
        records.put("a", &requests()).unwrap();
        let path = records.path("a").unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(records.get("a").unwrap(), None);
        // A file under the name of something else.
        fs::write(records.path("b").unwrap(), &bytes).unwrap();
        assert_eq!(records.get("b").unwrap(), None);
    }

    #[test]
    fn without_a_directory_nothing_is_kept() {
        let records = Records::open(None).unwrap();
        records.put("a", &requests()).unwrap();
        assert_eq!(records.get("a").unwrap(), None);
    }
}
