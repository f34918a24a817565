//! Ends a daemon in order: one token tells every task, and a second signal ends the process at once.

use std::{io, time::Duration};

use tokio_util::sync::CancellationToken;

/// Exit status of a process that an impatient second signal ended, as shells count it.
const INTERRUPTED: i32 = 130;

/// A token that is cancelled by ctrl-c or SIGTERM. Must be called within a tokio runtime.
///
/// A second signal does not wait for anything.
pub fn signal() -> io::Result<CancellationToken> {
    let mut signals = Signals::new()?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = signals.next().await;
        tracing::info!("{name}: finishing what is in progress (once more to stop at once)");
        cancelled.cancel();
        let name = signals.next().await;
        tracing::warn!("{name}: stopping at once, whatever is in progress");
        std::process::exit(INTERRUPTED);
    });
    Ok(token)
}

/// How long what is in progress may take after a daemon was told to end: a chain that answers needs less, and one that does not
/// is not waited for.
const LAST: Duration = Duration::from_secs(5);

/// What `work` comes to; `None` if it is still not done some seconds after `stop` was cancelled. It is dropped then, so it must
/// bear that as it bears a kill.
pub async fn finish<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST).await;
        } => {
            tracing::warn!("what is still in progress is left to the next start");
            None
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "ctrl-c",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "ctrl-c"
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_done_in_time_counts_and_what_hangs_is_dropped_once_told_to_end() {
        let stop = CancellationToken::new();
        let takes = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        assert_eq!(finish(&stop, takes(3600)).await, Some(()));
        stop.cancel();
        assert_eq!(finish(&stop, takes(4)).await, Some(()));
        assert_eq!(finish(&stop, std::future::pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn a_termination_signal_cancels_the_token() {
        let token = signal().unwrap();
        assert!(!token.is_cancelled());
        let own_process = std::process::id().to_string();
        let status = std::process::Command::new("kill")
            .args(["-TERM", &own_process])
            .status()
            .unwrap();
        assert!(status.success());
        token.cancelled().await;
    }
}
