//! A training run that is killed at any step ends, after it was resumed, in the very bytes of a run that nobody killed.

// Clippy's exemption for tests stops at the functions that tests share.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// Steps of the run.
const STEPS: u64 = 20;

/// Starts the real binary on a small student; it saves every third step and judges every seventh.
fn start(out: &Path) -> Child {
    let steps = STEPS.to_string();
    let mut arguments = vec!["train", "--json", "--seed", "3", "--device", "cpu"];
    arguments.extend(["--steps", &steps, "--save-every", "3", "--judge-every", "7"]);
    arguments.extend(["--layers", "1", "--tokens", "128", "--keep-best", "1"]);
    arguments.extend(["--schedule", "cosine", "--accumulate", "2"]);
    Command::new(env!("CARGO_BIN_EXE_athanor-distill"))
        .args(arguments)
        .arg("--out")
        .arg(out)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The events of a life that is killed after so many steps, or lives to the end.
fn live(out: &Path, kill_after: Option<usize>) -> Vec<serde_json::Value> {
    let mut child = start(out);
    let mut events = Vec::new();
    let mut steps = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        steps += usize::from(event["event"] == "step");
        events.push(event);
        if Some(steps) == kill_after {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(status.success(), kill_after.is_none(), "{status}");
    events
}

/// Every file below a directory with its contents, but for the log, which tells of every life.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            match path.is_dir() {
                true => open.push(path),
                // Which of the two states is the newer, and what the older holds, depends on the kills.
                false if name == "log.jsonl" || name.starts_with("state-") => {}
                // What a kill in the middle of writing leaves; nobody reads it.
                false if name.contains(".partial-") => {}
                false => drop(found.insert(name, fs::read(path).unwrap())),
            }
        }
    }
    found
}

/// The weights, manifest and optimiser of the newest state.
fn newest_state(out: &Path) -> Vec<Vec<u8>> {
    let steps = |state: &str| {
        let manifest = fs::read(out.join(state).join("manifest.json")).unwrap_or_default();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
        manifest["training"]["steps"].as_u64().unwrap_or_default()
    };
    let newest = ["state-a", "state-b"]
        .into_iter()
        .max_by_key(|state| steps(state))
        .unwrap();
    assert_eq!(steps(newest), STEPS);
    ["manifest.json", "model.safetensors"]
        .map(|file| fs::read(out.join(newest).join(file)).unwrap())
        .to_vec()
}

#[test]
fn a_run_that_is_killed_at_any_step_ends_in_the_bytes_of_one_that_is_not() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    live(whole.path(), None);
    // In the first steps before anything was saved, right at a save, at a judgement, and somewhere between.
    for after in [2, 3, 6, 4, 1] {
        live(killed.path(), Some(after));
    }
    let last = live(killed.path(), None);
    assert_eq!(last[0]["resumed"], true);
    assert!(last[0]["step"].as_u64().unwrap() >= 6, "{}", last[0]);
    assert_eq!(newest_state(killed.path()), newest_state(whole.path()));
    assert_eq!(contents(killed.path()), contents(whole.path()));
}
