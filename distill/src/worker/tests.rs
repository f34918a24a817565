//! The worker's life: start, pause, stop, kill, resume.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::tests::{config, shard, source, write_student};

/// Starts a worker with short steps; its events arrive in the channel.
fn start(dir: &Path, until_step: Option<u64>) -> (Worker, Receiver<DistillEvent>) {
    let (send, events) = channel();
    let student = write_student(&dir.join("start"));
    let config = WorkerConfig {
        trainer: config(1),
        duty: 1.0,
        judge_every: 50,
        judge_examples: 64,
        save_every: 3,
        until_step,
        ..WorkerConfig::small(dir.to_owned(), student, 1)
    };
    let worker = spawn(config, source(), Some(shard()), move |event| {
        drop(send.send(event))
    })
    .unwrap();
    (worker, events)
}

fn started(events: &Receiver<DistillEvent>) -> (u64, bool) {
    match events.recv().unwrap() {
        DistillEvent::Started { step, resumed, .. } => (step, resumed),
        other => panic!("{other:?} came first"),
    }
}

#[test]
fn a_stopped_worker_is_resumed_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (worker, events) = start(dir.path(), Some(5));
    assert_eq!(started(&events), (0, false));
    assert_eq!(worker.wait().unwrap(), 5);
    let (worker, events) = start(dir.path(), Some(7));
    assert_eq!(started(&events), (5, true));
    assert_eq!(worker.wait().unwrap(), 7);
}

#[test]
fn a_state_that_a_kill_left_half_written_costs_only_the_steps_since_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let (worker, _events) = start(dir.path(), Some(8));
    worker.wait().unwrap();
    let (newest, _) = newest(&[dir.path().join("state-a"), dir.path().join("state-b")]).unwrap();
    assert_eq!(newest.manifest.training.steps, 8);
    for file in ["model.safetensors", "resume.bin", "manifest.json"] {
        fs::write(newest.dir.join(file), b"torn").unwrap();
        let (worker, events) = start(dir.path(), Some(8));
        assert_eq!(started(&events), (6, true), "{file}");
        worker.wait().unwrap();
    }
}

#[test]
fn a_run_in_pieces_ends_in_the_very_state_of_a_run_in_one() {
    let digest = |stops: &[u64]| {
        let dir = tempfile::tempdir().unwrap();
        for &stop in stops {
            let (worker, _events) = start(dir.path(), Some(stop));
            worker.wait().unwrap();
        }
        let (checkpoint, rest) = newest(&states(&WorkerConfig::small(
            dir.path().to_owned(),
            write_student(&dir.path().join("start")),
            1,
        )))
        .unwrap();
        (checkpoint.digest(), rest.place, rest.pool)
    };
    assert_eq!(digest(&[9]), digest(&[2, 3, 7, 9]));
}

#[test]
fn the_best_candidates_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (send, events) = channel();
    let config = WorkerConfig {
        trainer: config(1),
        duty: 1.0,
        judge_every: 2,
        judge_examples: 1,
        keep_best: 2,
        until_step: Some(8),
        ..WorkerConfig::small(
            dir.path().to_owned(),
            write_student(&dir.path().join("start")),
            1,
        )
    };
    let worker = spawn(config, source(), Some(shard()), move |event| {
        drop(send.send(event))
    });
    worker.unwrap().wait().unwrap();
    let mut judged: Vec<f32> = events
        .iter()
        .filter_map(|event| match event {
            DistillEvent::Judged { heldout_loss, .. } => Some(heldout_loss),
            _ => None,
        })
        .collect();
    judged.sort_by(f32::total_cmp);
    let mut kept: Vec<f32> = fs::read_dir(dir.path().join("best"))
        .unwrap()
        .map(|entry| Checkpoint::open(&entry.unwrap().path()).unwrap())
        .map(|checkpoint| checkpoint.manifest.training.heldout_loss)
        .collect();
    kept.sort_by(f32::total_cmp);
    assert_eq!(judged.len(), 4);
    assert_eq!(kept, judged[..2]);
}

#[test]
fn what_is_published_verifies_and_is_what_the_next_run_measures_against() {
    let dir = tempfile::tempdir().unwrap();
    let (worker, events) = start(dir.path(), Some(50));
    worker.wait().unwrap();
    let published = events.iter().find_map(|event| match event {
        DistillEvent::Published { checkpoint, .. } => Some(checkpoint),
        _ => None,
    });
    let published =
        Checkpoint::open(&published.expect("a student this noisy improves").dir).unwrap();
    assert!(published.manifest.training.steps.is_multiple_of(50));
    let (state, _) = newest(&[dir.path().join("state-a"), dir.path().join("state-b")]).unwrap();
    let config = WorkerConfig::small(dir.path().to_owned(), published.clone(), 1);
    assert!(published_as(&config, &state).is_some());
}

#[test]
fn a_paused_worker_makes_no_step_until_it_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let (worker, events) = start(dir.path(), None);
    started(&events);
    worker.pause();
    // At most the step in progress is still reported; then the channel falls silent.
    while events.recv_timeout(Duration::from_millis(500)).is_ok() {}
    worker.resume();
    assert!(matches!(events.recv().unwrap(), DistillEvent::Step(_)));
    assert!(worker.stop().unwrap() > 0);
    assert!(matches!(
        events.iter().last(),
        Some(DistillEvent::Stopped { .. })
    ));
}

#[test]
fn no_share_of_the_cpu_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let student = write_student(&dir.path().join("start"));
    for duty in [0.0, 1.5, f64::NAN] {
        let config = WorkerConfig {
            duty,
            ..WorkerConfig::small(dir.path().join("out"), student.clone(), 1)
        };
        assert!(matches!(
            spawn(config, source(), None, |_| ()),
            Err(WorkerError::Duty(_))
        ));
    }
}
