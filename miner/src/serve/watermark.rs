//! Until when messages may have been answered by the process before this one, on disk.
//!
//! Nonces are remembered in memory. What keeps a replay out after a restart is this one number: everything signed until
//! then is refused. It is written before what it covers is answered, a little ahead so that it is not written for every
//! message, and lies in the system's cache at once, so that it survives `kill -9`. (A crash of the machine may lose the last
//! writes; it takes longer to start again than a message may be signed ahead of time.)

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

/// How far ahead of what it covers the number is written, in milliseconds.
const AHEAD_MS: u64 = 200;

/// The number and its file.
#[derive(Debug)]
pub(crate) struct Watermark {
    file: File,
    written_ms: u64,
}

impl Watermark {
    /// Opens the file, or begins it at zero.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut bytes = Vec::new();
        (&mut file).take(9).read_to_end(&mut bytes)?;
        // A file that was cut short by a crash of the machine is as none.
        let written_ms = bytes.try_into().map_or(0, u64::from_le_bytes);
        Ok(Self { file, written_ms })
    }

    /// Milliseconds since the Unix epoch until which messages may have been answered.
    pub(crate) fn ms(&self) -> u64 {
        self.written_ms
    }

    /// Covers messages signed until `issued_ms`.
    pub(crate) fn cover(&mut self, issued_ms: u64) -> io::Result<()> {
        if issued_ms > self.written_ms {
            self.write(issued_ms.saturating_add(AHEAD_MS))?;
        }
        Ok(())
    }

    /// Covers no more than messages signed until `issued_ms`: nothing later was admitted, and nothing will be.
    pub(crate) fn settle(&mut self, issued_ms: u64) -> io::Result<()> {
        self.write(issued_ms)
    }

    fn write(&mut self, ms: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&ms.to_le_bytes())?;
        self.written_ms = ms;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_covered_is_covered_by_the_next_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mark");
        let mut mark = Watermark::open(&path).unwrap();
        assert_eq!(mark.ms(), 0);
        for issued in [1_000, 1_100, 5_000] {
            mark.cover(issued).unwrap();
            assert!(Watermark::open(&path).unwrap().ms() >= issued);
        }
        mark.settle(5_000).unwrap();
        assert_eq!(Watermark::open(&path).unwrap().ms(), 5_000);
    }

    #[test]
    fn a_damaged_file_is_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mark");
        for bytes in [&[1_u8; 7][..], &[1; 9]] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Watermark::open(&path).unwrap().ms(), 0);
        }
    }
}
