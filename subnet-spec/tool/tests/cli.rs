//! The command as scripts use it: what it prints, and how it exits.

// Clippy's exemption for tests stops at the functions that tests share.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use athanor_spec::SubnetSpec;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_athanor-subnet"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("BT_SUBTENSOR_NETWORK")
        .output()
        .unwrap()
}

fn check_succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn check_fails(folder: &Path, arguments: &[&str], expected: &[&str]) {
    let output = run(folder, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    for expected in expected {
        assert!(
            error.contains(expected),
            "`{error}` does not mention `{expected}`"
        );
    }
}

#[test]
fn a_new_spec_is_valid_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    check_succeeds(folder.path(), &["new"]);
    let file = folder.path().join("subnet.toml");
    assert_eq!(fs::read_to_string(&file).unwrap(), SubnetSpec::DEFAULT_TOML);
    fs::write(&file, "mine").unwrap();
    check_fails(folder.path(), &["new"], &["subnet.toml", "exists already"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn an_invalid_spec_is_refused_in_one_line_with_key_and_range() {
    let folder = tempfile::tempdir().unwrap();
    let check = |from: &str, to: &str, expected: &[&str]| {
        let text = SubnetSpec::DEFAULT_TOML.replacen(from, to, 1);
        assert_ne!(text, SubnetSpec::DEFAULT_TOML);
        fs::write(folder.path().join("bad.toml"), text).unwrap();
        check_fails(folder.path(), &["check", "bad.toml"], expected);
    };
    check(
        "kl_skew = 0.1",
        "kl_skew = 1.5",
        &["bad.toml:", "grade.kl_skew", "1.5", "between 0 and 1"],
    );
    check(
        "[round]",
        "[round]\nasks_per_minor = 1",
        &[
            "bad.toml:70:1:",
            "asks_per_minor",
            "the nearest is `round.asks_per_miner`",
        ],
    );
    check("netuid = 1", "netuid = \"one\"", &["bad.toml", "netuid"]);
    check_fails(
        folder.path(),
        &["check", "missing.toml"],
        &["missing.toml", "athanor-subnet new"],
    );
}

#[test]
fn a_valid_spec_is_shown_with_its_digest_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    check_succeeds(folder.path(), &["new", "own.toml"]);
    let digest = SubnetSpec::shipped().digest().to_string();
    assert!(check_succeeds(folder.path(), &["check", "own.toml"]).contains(&digest));
    let text = check_succeeds(folder.path(), &["show", "own.toml"]);
    assert!(
        text.contains(&digest) && text.contains("subnet.netuid = 1"),
        "{text}"
    );
    let json = check_succeeds(folder.path(), &["show", "own.toml", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["digest"], digest);
    assert_eq!(json["spec"]["subnet"]["netuid"], 1);
}

#[test]
fn a_new_spec_takes_values_from_another_and_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let set = [
        "--set",
        "allocation.exponent=3",
        "--set",
        "subnet.name=deep",
    ];
    check_succeeds(folder.path(), &[&["new", "deep.toml"][..], &set].concat());
    let shown = check_succeeds(
        folder.path(),
        &["new", "deeper.toml", "--from", "deep.toml", "--json"],
    );
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let text = fs::read_to_string(folder.path().join("deeper.toml")).unwrap();
    let spec = SubnetSpec::from_toml(&text).unwrap();
    assert_eq!(shown["digest"], spec.digest().to_string());
    assert_eq!(
        (spec.allocation.exponent, spec.subnet.name.as_str()),
        (3.0, "deep")
    );
    assert!(text.contains("# Why: "), "it is commented");
    check_fails(
        folder.path(),
        &["new", "x.toml", "--set", "allocation.exponant=3"],
        &[
            "allocation.exponant",
            "the nearest is `allocation.exponent`",
        ],
    );
    assert!(!folder.path().join("x.toml").exists());
}

#[test]
fn two_specs_are_compared_with_who_gains_and_who_loses() {
    let folder = tempfile::tempdir().unwrap();
    check_succeeds(folder.path(), &["new", "old.toml"]);
    check_succeeds(
        folder.path(),
        &["new", "new.toml", "--set", "allocation.crown_share=0.3"],
    );
    let same = check_succeeds(folder.path(), &["diff", "old.toml", "old.toml"]);
    assert!(same.contains("no value differs"), "{same}");
    let output = run(folder.path(), &["diff", "old.toml", "new.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "allocation.crown_share: 0.1 -> 0.3 (share of pay)",
        "gain: the one miner that is proven best",
        "lose: all others",
    ] {
        assert!(text.contains(expected), "no {expected:?} in: {text}");
    }
    let output = run(folder.path(), &["diff", "old.toml", "new.toml", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["differences"][0]["key"], "allocation.crown_share");
    assert_eq!(json["differences"][0]["raised"], true);
    assert_eq!(json["differences"].as_array().unwrap().len(), 1);
}

#[test]
fn the_reference_in_the_documentation_is_what_the_table_of_keys_says() {
    let folder = tempfile::tempdir().unwrap();
    let written = check_succeeds(folder.path(), &["reference"]);
    let documented = include_str!("../../../docs/spec.md");
    assert!(
        written == documented,
        "write it anew: athanor-subnet reference > docs/spec.md"
    );
    assert!(written.lines().all(|line| line.chars().count() <= 120));
    for section in [
        "subnet",
        "limits",
        "round",
        "tasks",
        "tasks.sort",
        "audit",
        "grade",
        "service",
    ] {
        assert!(written.contains(&format!("### `[{section}]`")), "{section}");
    }
}

#[test]
fn a_chain_that_does_not_answer_is_one_line_with_its_address() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago: nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endpoint = format!("ws://127.0.0.1:{port}");
    check_fails(
        folder.path(),
        &["show", "--netuid", "1", "--subtensor.network", &endpoint],
        &[&endpoint],
    );
    check_succeeds(folder.path(), &["new"]);
    for verb in [
        &["check"][..],
        &["publish", "--dry-run"],
        &["hyperparameters"],
        &["register"],
    ] {
        let chain = ["--subtensor.network", &endpoint];
        check_fails(folder.path(), &[verb, &chain].concat(), &[&endpoint]);
    }
}
