//! What is written is read again.

use super::*;
use crate::state::scene;

fn heading() -> Heading {
    Heading {
        athanor_recording: VERSION,
        network: "local".to_owned(),
        netuid: NetUid(1),
        labels: [(scene::hotkey(5), "copy".to_owned())].into(),
        block_time_ms: Some(250),
    }
}

fn updates() -> Vec<Update> {
    vec![
        Update::Chain(Box::new(scene::snapshot(100))),
        Update::Event(scene::graded(0, 5, Some(scene::COPY))),
        scene::lost(),
        Update::Feed {
            url: "http://127.0.0.1:1".to_owned(),
            link: crate::state::Link::Live,
        },
    ]
}

fn write(path: &Path) {
    let mut writer = Writer::create(path, &heading()).unwrap();
    writer.add(Duration::ZERO, &Update::Tick).unwrap();
    for (update, at) in updates().iter().zip(1..) {
        writer.add(Duration::from_millis(at * 100), update).unwrap();
    }
}

#[test]
fn a_recording_comes_back_as_it_was_compressed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jsonl", "a.jsonl.gz"] {
        let path = folder.path().join(name);
        write(&path);
        let read = Recording::read(&path).unwrap();
        assert_eq!(read.heading, heading());
        let came: Vec<Update> = read
            .entries
            .iter()
            .map(|(_, update)| update.clone())
            .collect();
        assert_eq!(came, updates(), "time alone is left out");
        assert_eq!(read.length(), Duration::from_millis(400));
    }
}

#[test]
fn a_recording_that_was_cut_off_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    write(&path);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    assert_eq!(
        Recording::read(&path).unwrap().entries.len(),
        updates().len() - 1
    );
}

#[test]
fn what_is_no_recording_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "{\"swapped\":{}}\n").unwrap();
    let error = Recording::read(&path).unwrap_err().to_string();
    assert!(error.contains("line 1 of"), "{error}");
    let mut later = heading();
    later.athanor_recording = VERSION + 1;
    std::fs::write(&path, serde_json::to_string(&later).unwrap() + "\n").unwrap();
    assert!(matches!(
        Recording::read(&path),
        Err(RecordingError::Version { .. })
    ));
    assert!(Recording::read(&folder.path().join("none")).is_err());
}

#[test]
fn a_state_of_a_recording_is_the_state_of_that_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    write(&path);
    let read = Recording::read(&path).unwrap();
    assert!(read.state_at(Duration::from_millis(50)).chain.is_none());
    let accused = |state: &State| {
        state
            .all_rows()
            .iter()
            .filter(|row| row.fault().is_some())
            .count()
    };
    assert_eq!(accused(&read.state_at(Duration::from_millis(150))), 0);
    assert_eq!(accused(&read.state_at(Duration::from_secs(9))), 1);
}
