//! Following a file that a daemon appends to.

use std::{fs, io::Write};

use athanor_spec::Hotkey;
use tempfile::TempDir;

use super::*;
use crate::state::scene;

fn failed(reason: &str) -> String {
    let event = Event::RequestFailed {
        miner: Hotkey([1; 32]),
        reason: reason.to_owned(),
    };
    serde_json::to_string(&event).unwrap() + "\n"
}

fn append(path: &Path, text: &str) {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

async fn reasons(follower: &mut Follower) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let lines = follower.more().await.unwrap();
        for line in lines {
            found.push(match parse(&line) {
                Update::Event(Event::RequestFailed { reason, .. }) => reason,
                other => format!("{other:?}"),
            });
        }
        if follower.at_end {
            return found;
        }
    }
}

#[tokio::test]
async fn a_line_counts_once_its_end_is_written() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("events.jsonl");
    let (first, second) = (failed("a"), failed("b"));
    append(&path, &first);
    append(&path, &second[..20]);
    let mut follower = Follower::new(path.clone());
    assert_eq!(reasons(&mut follower).await, ["a"]);
    append(&path, &second[20..]);
    assert_eq!(reasons(&mut follower).await, ["b"]);
}

#[tokio::test]
async fn a_truncated_file_is_read_from_its_start() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("events.jsonl");
    append(&path, &failed("a long reason of the run before"));
    let mut follower = Follower::new(path.clone());
    assert_eq!(reasons(&mut follower).await.len(), 1);
    fs::write(&path, failed("new")).unwrap();
    assert_eq!(reasons(&mut follower).await, ["new"]);
}

#[tokio::test]
async fn of_a_long_file_the_end_is_read_and_no_line_by_halves() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("events.jsonl");
    let line = failed("old");
    append(
        &path,
        &line.repeat(usize::try_from(REPLAY_BYTES).unwrap() / line.len() + 1000),
    );
    append(&path, &failed("last"));
    let found = reasons(&mut Follower::new(path)).await;
    assert!(
        found.iter().rev().skip(1).all(|reason| reason == "old"),
        "no line was cut"
    );
    assert_eq!(found.last().map(String::as_str), Some("last"));
    assert!(found.len() < usize::try_from(REPLAY_BYTES).unwrap() / line.len() + 2);
}

#[tokio::test]
async fn a_line_without_an_end_takes_no_memory() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("events.jsonl");
    append(&path, &"x".repeat(2 * MAX_LINE));
    let mut follower = Follower::new(path.clone());
    assert!(reasons(&mut follower).await.is_empty());
    assert!(follower.partial.capacity() < CHUNK);
    append(&path, &format!("\n{}", failed("after")));
    assert_eq!(reasons(&mut follower).await, ["after"]);
}

#[tokio::test]
async fn rubbish_is_counted_and_a_missing_file_is_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("events.jsonl");
    append(&path, &format!("rubbish\n\n{}", failed("a")));
    let (events, bad) = read_events(&path).await.unwrap();
    assert_eq!((events.len(), bad), (1, 1));
    let missing = read_events(&dir.path().join("none.jsonl"))
        .await
        .unwrap_err()
        .to_string();
    assert!(missing.contains("none.jsonl"), "{missing}");
}

#[test]
fn events_with_figures_are_read_whatever_features_serde_json_has() {
    for event in [
        scene::graded(0, 5, Some(scene::COPY)),
        scene::distilled(2, 20),
    ] {
        let line = serde_json::to_vec(&event).unwrap();
        assert!(matches!(parse(&line), Update::Event(_)), "{event:?}");
    }
}
