//! One process per data directory, and one per hotkey of a subnet.
//!
//! Two processes on one hotkey would use each other's nonces, commit over each other and look like a fault. Both locks are
//! the kernel's, so a process that is killed leaves none behind; what is in the file only names who holds it. The hotkey's
//! lock lies in `~/.athanor/run`, the same for every data directory of a user: another user or another machine is not seen.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use athanor_spec::{Digest, Hotkey, NetUid};
use thiserror::Error;

/// Longer than any holder's name.
const MAX_BYTES: u64 = 256;

/// A lock, held until this is dropped or the process ends in whatever way.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock is released with the file")] File);

/// Why a lock is not held.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has the directory.
    #[error(
        "{holder} uses {} already: end it first, or give this one another --data.dir",
        path.display()
    )]
    DirectoryInUse {
        /// The data directory.
        path: PathBuf,
        /// Who.
        holder: Holder,
    },
    /// Another process has the hotkey.
    #[error(
        "{holder} serves hotkey {hotkey} on subnet {netuid} already: end it first, or use another --wallet.hotkey"
    )]
    HotkeyInUse {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// Who.
        holder: Holder,
    },
    /// The lock's file cannot be used.
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The process that holds a lock, as far as the file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(pub Option<u32>);

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

/// Takes a data directory, which is made if it is not there.
pub fn directory(path: &Path) -> Result<Lock, LockError> {
    let file = path.join("lock");
    take(&file)?.map_err(|holder| LockError::DirectoryInUse {
        path: path.to_owned(),
        holder,
    })
}

/// Takes a hotkey on one subnet of one chain, with a file in `run` ([`run_directory`]).
pub fn hotkey(
    run: &Path,
    hotkey: Hotkey,
    genesis: Digest,
    netuid: NetUid,
) -> Result<Lock, LockError> {
    let file = run.join(format!("{hotkey}-{netuid}-{}.lock", genesis.short()));
    take(&file)?.map_err(|holder| LockError::HotkeyInUse {
        hotkey,
        netuid,
        holder,
    })
}

/// Where the locks of a user's hotkeys lie.
pub fn run_directory() -> PathBuf {
    let home = std::env::home_dir().unwrap_or_else(std::env::temp_dir);
    home.join(".athanor/run")
}

fn take(path: &Path) -> Result<Result<Lock, Holder>, LockError> {
    let told = |source| LockError::Io {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(told)?;
    }
    let options = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .clone();
    let mut file = options.open(path).map_err(told)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Who it is only helps to find it.
            let _ = file.take(MAX_BYTES).read_to_string(&mut text);
            return Ok(Err(Holder(text.trim().parse().ok())));
        }
        Err(TryLockError::Error(source)) => return Err(told(source)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(told)?;
    Ok(Ok(Lock(file)))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const GENESIS: Digest = Digest([1; 32]);
    const HOTKEY: Hotkey = Hotkey([2; 32]);

    #[test]
    fn a_directory_is_one_process_s_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data");
        let first = directory(&path).unwrap();
        let error = directory(&path).unwrap_err().to_string();
        let own = format!("process {} uses", std::process::id());
        assert!(
            error.starts_with(&own) && error.contains("--data.dir"),
            "{error}"
        );
        drop(first);
        directory(&path).unwrap();
    }

    #[test]
    fn a_hotkey_is_one_process_s_on_one_subnet_of_one_chain() {
        let folder = tempfile::tempdir().unwrap();
        let lock = |of, genesis, netuid| hotkey(folder.path(), of, genesis, NetUid(netuid));
        let _held = lock(HOTKEY, GENESIS, 1).unwrap();
        let error = lock(HOTKEY, GENESIS, 1).unwrap_err().to_string();
        assert!(error.contains("subnet 1 already"), "{error}");
        for other in [
            lock(Hotkey([3; 32]), GENESIS, 1),
            lock(HOTKEY, Digest([9; 32]), 1),
            lock(HOTKEY, GENESIS, 2),
        ] {
            other.unwrap();
        }
    }

    /// Runs this very test again as the process that is killed.
    #[test]
    fn a_killed_process_leaves_no_lock() {
        const VARIABLE: &str = "ATHANOR_TEST_LOCK";
        if let Some(path) = std::env::var_os(VARIABLE) {
            let _held = directory(Path::new(&path)).unwrap();
            println!("held");
            std::thread::sleep(std::time::Duration::from_secs(600));
        }
        let folder = tempfile::tempdir().unwrap();
        let mut other = Command::new(std::env::current_exe().unwrap())
            .args([
                "lock::tests::a_killed_process_leaves_no_lock",
                "--exact",
                "--nocapture",
            ])
            .env(VARIABLE, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = io::BufRead::lines(io::BufReader::new(other.stdout.take().unwrap()));
        assert!(lines.any(|line| line.unwrap().contains("held")));
        let error = directory(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("process {}", other.id())),
            "{error}"
        );
        other.kill().unwrap();
        other.wait().unwrap();
        directory(folder.path()).unwrap();
    }
}
