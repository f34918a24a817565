//! Whether too many jobs are refused, and the others done.

use std::sync::{Barrier, mpsc};

use super::*;

#[tokio::test]
async fn a_full_queue_is_told_at_once() {
    let workers = Workers::start(1).unwrap();
    let (all_busy, release) = (
        Arc::new(Barrier::new(THREADS + 1)),
        Arc::new(Barrier::new(THREADS + 1)),
    );
    let (started, starts) = mpsc::channel();
    let mut running = Vec::new();
    for _ in 0..THREADS {
        let (all_busy, release, workers) = (all_busy.clone(), release.clone(), workers.clone());
        let started = started.clone();
        running.push(tokio::spawn(async move {
            let job = move || {
                let _ = started.send(());
                all_busy.wait();
                release.wait();
            };
            workers.run(job).await
        }));
        tokio::task::yield_now().await;
        starts.recv().unwrap();
    }
    all_busy.wait();
    // One waits, and nobody else may.
    let waits = tokio::spawn({
        let workers = workers.clone();
        async move { workers.run(|| 7).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(workers.run(|| 8).await, Err(NotRun::Busy));
    release.wait();
    assert_eq!(waits.await.unwrap(), Ok(7));
    for job in running {
        job.await.unwrap().unwrap();
    }
}
