//! Bad input ends every binary with status 2 and one line that names the cause and the next step.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use crate::binary::binary;

const BINARIES: [&str; 7] = [
    "athanor-localnet",
    "athanor-miner",
    "athanor-validator",
    "athanor-subnet",
    "athanor-distill",
    "athanor-devnet",
    "athanor-tui",
];

/// Runs a binary to its end and asserts status 2 and one line on standard error that holds every one of `expected`.
fn check(name: &str, arguments: &[&str], expected: &[&str]) {
    let output = Command::new(binary(name))
        .args(arguments)
        .stdin(Stdio::null())
        .env("RUST_LOG", "off")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let context = format!("{name} {arguments:?} said:\n{told}");
    assert_eq!(output.status.code(), Some(2), "{context}");
    assert_eq!(told.trim_end().lines().count(), 1, "{context}");
    for part in expected {
        assert!(told.contains(part), "no {part:?}: {context}");
    }
}

#[test]
fn an_unknown_flag() {
    for name in BINARIES {
        check(name, &["--frobnicate"], &["--frobnicate", "--help"]);
    }
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (name, rest) in [
        ("athanor-localnet", &["--headless"][..]),
        ("athanor-devnet", &[]),
    ] {
        let arguments = [&["--port", &port], rest].concat();
        check(name, &arguments, &[&port, "in use"]);
    }
}

#[test]
fn a_chain_that_is_not_there() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("ws://{}", free.local_addr().unwrap());
    drop(free);
    check(
        "athanor-tui",
        &["--once", "--subtensor.chain_endpoint", &url],
        &[&url],
    );
    check(
        "athanor-subnet",
        &["show", "--netuid", "1", "--subtensor.network", &url],
        &[&url],
    );
    check(
        "athanor-tui",
        &["--subtensor.network", "finny"],
        &["finny", "finney"],
    );
}

#[test]
fn a_spec_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    let garbled = folder.path().join("garbled.toml");
    fs::write(&garbled, "[subnet\nnetuid = ").unwrap();
    let spec = folder.path().join("subnet.toml");
    let made = Command::new(binary("athanor-subnet"))
        .arg("new")
        .arg(&spec)
        .status()
        .unwrap();
    assert!(made.success());
    let valid = fs::read_to_string(&spec).unwrap();
    let contradictory = folder.path().join("contradictory.toml");
    fs::write(&contradictory, contradict(&valid)).unwrap();

    for (file, expected) in [
        (&missing, &["missing.toml", "No such file"][..]),
        (&garbled, &["garbled.toml:1:8:", "unclosed table"]),
        (
            &contradictory,
            &["contradictory.toml", "limits.max_new_tokens", "contradict"],
        ),
    ] {
        let file = file.to_str().unwrap();
        check("athanor-subnet", &["check", file], expected);
        check(
            "athanor-localnet",
            &["--headless", "--port", "0", "--spec", file],
            expected,
        );
        check("athanor-miner", &["check", "--spec", file], expected);
        check(
            "athanor-validator",
            &["run", "--teacher", "/nowhere", "--spec", file],
            expected,
        );
    }
    check(
        "athanor-subnet",
        &["new", spec.to_str().unwrap()],
        &["subnet.toml", "exists"],
    );
}

/// The spec with continuations longer than an answer may be.
fn contradict(spec: &str) -> String {
    let changed = spec.replace("max_new_tokens = 64", "max_new_tokens = 8");
    assert_ne!(changed, spec, "the spec has no such line");
    changed
}

#[test]
fn a_checkpoint_that_is_broken_or_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let wallets = folder.path().join("wallets");
    let wallet = ["--wallet.path", wallets.to_str().unwrap()];
    let made = Command::new(binary("athanor-miner"))
        .arg("wallet")
        .args(wallet)
        .arg("create")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let good = folder.path().join("good");
    athanor_distill::bundled::write_teacher(&good).unwrap();

    let truncated = copy(&good, &folder.path().join("truncated"));
    let weights = truncated.join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();

    let flipped = copy(&good, &folder.path().join("flipped"));
    let weights = flipped.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();

    let data = folder.path().join("data");
    let wrong = "00".repeat(32);
    for (model, digest, expected) in [
        (
            Path::new("/nowhere"),
            None,
            &["/nowhere", "No such file"][..],
        ),
        (&truncated, None, &["truncated", "bytes"]),
        (&flipped, None, &["flipped", "does not hash"]),
        (&good, Some(&wrong), &["good", &wrong]),
    ] {
        let model = model.to_str().unwrap();
        let mut arguments = vec![
            "check",
            "--model",
            model,
            "--data.dir",
            data.to_str().unwrap(),
        ];
        arguments.extend(wallet);
        if let Some(digest) = digest {
            arguments.extend(["--model.digest", digest]);
        } else {
            check("athanor-distill", &["eval", "--model", model], expected);
        }
        check("athanor-miner", &arguments, expected);
    }
}

fn copy(from: &Path, to: &Path) -> std::path::PathBuf {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    to.to_owned()
}

#[test]
fn a_report_that_cannot_be_written() {
    check(
        "athanor-localnet",
        &[
            "--headless",
            "--port",
            "0",
            "--report",
            "/nowhere/report.json",
        ],
        &["/nowhere/report.json", "No such file"],
    );
}

#[test]
fn keys_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    check(
        "athanor-miner",
        &["check", "--wallet.path", path],
        &[path, "default"],
    );
    check(
        "athanor-validator",
        &["run", "--teacher", "/nowhere", "--wallet.path", path],
        &[path, "default"],
    );
}
