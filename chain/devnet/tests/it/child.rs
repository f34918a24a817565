//! Run `athanor-devnet` as a process of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

/// Longest that a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running devnet; it is killed when this is dropped.
pub(crate) struct Running {
    process: Child,
    url: String,
}

/// The program with these arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_athanor-devnet"));
    command.args(arguments);
    command
}

/// What the program prints before it ends by itself.
pub(crate) fn output(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

impl Running {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        assert!(url.starts_with("ws://"), "{arguments:?} printed {url:?}");
        Self {
            process,
            url: url.trim().to_owned(),
        }
    }

    /// Starts a chain that is kept in a directory, on a port (0 for a free one).
    pub(crate) fn start_in(directory: &Path, port: u16, arguments: &[&str]) -> Self {
        let port = port.to_string();
        let directory = directory.to_str().unwrap();
        let mut all = vec!["--port", &port, "--base-path", directory];
        all.extend(arguments);
        Self::start(&all)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Kills it at once, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end, and waits until it does.
    #[cfg(unix)]
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Memory that it holds in kibibytes, where the system tells.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
