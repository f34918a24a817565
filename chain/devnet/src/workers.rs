//! Run the runtime on threads of its own.
//!
//! A runtime call is computation, and in an unoptimised build it needs a deep stack: neither belongs on the threads of
//! an asynchronous server.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Threads that answer calls.
const THREADS: usize = 2;
/// Stack of each thread that runs the runtime.
pub(crate) const STACK_BYTES: usize = 16 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// A handle on the threads, which end when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Workers {
    jobs: SyncSender<Job>,
}

/// A job was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// As many jobs wait as may.
    Busy,
    /// The threads ended before they answered.
    Stopped,
}

impl Workers {
    /// Starts the threads; at most `waiting` jobs wait for them.
    pub(crate) fn start(waiting: usize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(waiting);
        let queue = Arc::new(Mutex::new(queue));
        for index in 0..THREADS {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("devnet-call-{index}"))
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    while let Some(job) = next(&queue) {
                        job()
                    }
                })?;
        }
        Ok(Self { jobs })
    }

    /// Runs a job and waits for what it returns.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, NotRun> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            // Whoever asked may have gone.
            let _ = answer.send(job());
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => NotRun::Busy,
            TrySendError::Disconnected(_) => NotRun::Stopped,
        })?;
        answered.await.map_err(|_| NotRun::Stopped)
    }
}

/// The next job; the lock is held only while waiting for it.
fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().recv().ok()
}

#[cfg(test)]
mod tests;
