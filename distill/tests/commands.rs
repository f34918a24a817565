//! The commands as people run them, one after the other, on a student of the bundled teacher.

// Clippy's exemption for tests stops at the functions that tests share.
#![allow(clippy::unwrap_used)]

use std::{
    ffi::OsStr,
    fmt::Debug,
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

fn run(arguments: &[impl AsRef<OsStr>]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_athanor-distill"))
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(arguments: &[impl AsRef<OsStr> + Debug]) -> String {
    let output = run(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line that a mistake ends with.
#[track_caller]
fn fails(arguments: &[impl AsRef<OsStr> + Debug]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

fn teacher(dir: &Path) -> String {
    let dir = dir.join("teacher");
    athanor_distill::bundled::write_teacher(&dir).unwrap();
    dir.display().to_string()
}

#[test]
fn a_teacher_is_recorded_once_and_students_learn_from_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let teacher = teacher(dir.path());
    let record = |out: &str, seed: &str| {
        let sizes = ["--items", "24", "--passages", "4", "--continuations", "12"];
        let mut arguments = vec![
            "record",
            "--teacher",
            &teacher,
            "--out",
            out,
            "--seed",
            seed,
        ];
        arguments.extend(sizes);
        assert!(succeeds(&arguments).contains("40 examples"));
        fs::read(out).unwrap()
    };
    let (shard, again, other) = (at("shard"), at("again"), at("other"));
    assert_eq!(record(&shard, "3"), record(&again, "3"));
    assert_ne!(record(&shard, "3"), record(&other, "4"));

    let train = |shard: &str, out: &str| {
        let mut arguments = vec![
            "train",
            "--teacher",
            &teacher,
            "--shard",
            shard,
            "--out",
            out,
        ];
        arguments.extend(["--steps", "6", "--layers", "1", "--tokens", "128", "--json"]);
        arguments.extend(["--judge-every", "3", "--keep-best", "2", "--device", "cpu"]);
        succeeds(&arguments)
    };
    let events = train(&shard, &at("a"));
    let steps: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &Value| event["event"] == "step")
        .collect();
    assert_eq!(steps.len(), 6);
    train(&again, &at("b"));
    train(&other, &at("c"));
    let weights = |run: &str| fs::read(dir.path().join(run).join("state-a/model.safetensors"));
    assert_eq!(weights("a").unwrap(), weights("b").unwrap());
    assert_ne!(weights("a").unwrap(), weights("c").unwrap());

    let [three, six] = ["a/best/000000003", "a/best/000000006"].map(at);
    let told = succeeds(&["delta", &three, &six, "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let bytes = |key: &str| told[key].as_u64().unwrap();
    assert!(2 * bytes("delta_bytes") < bytes("whole_bytes"), "{told}");

    // The record alone, and two of them together, are a teacher too.
    let student = at("a/start");
    let alone = |more: &[&str]| {
        let mut arguments = vec!["train", "--shard", &shard, "--shard", &other];
        arguments.extend(["--student", &student, "--tokens", "128", "--device", "cpu"]);
        arguments.extend(["--judge-every", "3", "--steps", "6", "--json"]);
        arguments.extend(more);
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (f, g) = (at("f"), at("g"));
    let events = succeeds(&alone(&["--out", &f]));
    let judged = events.lines().filter(|line| line.contains("\"judged\""));
    assert_eq!(judged.count(), 2, "{events}");
    let error = fails(&alone(&["--out", &g, "--rollout-every", "2"]));
    assert!(error.contains("only a record of the teacher"), "{error}");
    let error = fails(&["train", "--shard", &shard, "--out", &g]);
    assert!(error.contains("--student"), "{error}");
    let url = "http://127.0.0.1:9/v1";
    let mut arguments = vec!["record", "--endpoint", url, "--api-model", "m", "--out", &g];
    arguments.extend(["--tokenizer", &teacher, "--items", "1"]);
    let error = fails(&arguments);
    assert!(error.contains("127.0.0.1:9/v1/completions"), "{error}");

    let mut damaged = fs::read(&shard).unwrap();
    damaged[100] ^= 1;
    fs::write(at("damaged"), damaged).unwrap();
    let error = fails(&["train", "--shard", &at("damaged"), "--out", &at("d")]);
    assert!(error.contains("hash does not match"), "{error}");
    // Not this teacher's: a student of it speaks otherwise.
    let error = fails(&[
        "train",
        "--teacher",
        &three,
        "--shard",
        &shard,
        "--out",
        &at("e"),
    ]);
    assert!(error.contains("no examples of this teacher"), "{error}");
}

#[test]
fn a_model_speaks_as_it_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let teacher = teacher(dir.path());
    let common = ["generate", "--model", &teacher, "--device", "cpu"];
    let generate = |more: &[&str]| -> Vec<String> {
        common
            .iter()
            .chain(more)
            .map(|part| (*part).to_owned())
            .collect()
    };
    let told = |more: &[&str]| -> Value {
        serde_json::from_str(&succeeds(&generate(&[more, &["--json"]].concat()))).unwrap()
    };
    let limit = ["--prompt", "fn main() {", "--max-new-tokens", "24"];
    let whole = told(&limit);
    assert_eq!(whole["text"], told(&limit)["text"], "one seed, one text");
    assert_ne!(
        whole["text"],
        told(&[&limit[..], &["--seed", "2"]].concat())["text"]
    );
    let text = whole["text"].as_str().unwrap();
    // What is shown as it comes is what is told at the end.
    assert_eq!(succeeds(&generate(&limit)), format!("{text}\n"));

    // A stop string in the middle of the text ends it there.
    let middle: Vec<char> = text.chars().collect();
    let stop: String = middle[middle.len() / 2..middle.len() / 2 + 2]
        .iter()
        .collect();
    let stopped = told(&[&limit[..], &["--stop", &stop]].concat());
    assert_eq!(stopped["finish_reason"], "stop");
    assert_eq!(stopped["text"], text.split(&stop).next().unwrap());

    let error = fails(&generate(&["--prompt", "Hi", "--chat"]));
    assert!(error.contains("no chat template"), "{error}");
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
    fs::write(Path::new(&teacher).join("chat_template.jinja"), template).unwrap();
    let asked = [
        "--prompt",
        "Hi",
        "--chat",
        "--system",
        "Be brief",
        "--max-new-tokens",
        "4",
    ];
    let plain = [
        "--prompt",
        "system: Be brief\nuser: Hi\n",
        "--max-new-tokens",
        "4",
    ];
    assert_eq!(told(&asked)["text"], told(&plain)["text"]);
    let error = fails(&generate(&["--prompt", ""]));
    assert!(error.contains("at least one"), "{error}");
    let error = fails(&generate(&["--prompt", "a", "--temperature=-1"]));
    assert!(error.contains("--temperature"), "{error}");
}
