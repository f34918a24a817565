//! What the program says, and how it ends.

use std::fs;

use jsonrpsee::{core::client::ClientT, rpc_params, ws_client::WsClientBuilder};
use serde_json::Value;

use crate::child::{Running, output};

/// The one line on stderr of a program that refuses to start.
#[track_caller]
fn refusal(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    said
}

#[test]
fn a_taken_port_ends_in_one_line() {
    let first = Running::start(&["--port", "0", "--sealing", "manual"]);
    let port = first.port().to_string();
    let said = refusal(&["--port", &port]);
    assert!(said.contains(&port) && said.contains("port 0"), "{said}");
}

#[test]
fn a_directory_in_use_ends_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Running::start_in(directory.path(), 0, &["--sealing", "manual"]);
    let path = directory.path().to_str().unwrap();
    let said = refusal(&["--port", "0", "--base-path", path]);
    assert!(said.contains("in use"), "{said}");
}

#[test]
fn a_wrong_genesis_ends_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("genesis.json");
    let file = path.to_str().unwrap();
    for (text, expected) in [
        ("{", "cannot be read as JSON"),
        (r#"{"subtensorModule": {"noSuchThing": 1}}"#, "noSuchThing"),
        (r#"{"noSuchPallet": {}}"#, "noSuchPallet"),
        (
            r#"{"subtensorModule": {"subnets": [{"netuid": 1}, {"netuid": 1}]}}"#,
            "appears twice",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let said = refusal(&["--port", "0", "--genesis", file]);
        assert!(said.contains(expected), "{said}");
    }
    let said = refusal(&["--port", "0", "--genesis", "/nowhere/genesis.toml"]);
    assert!(said.contains("/nowhere/genesis.toml"), "{said}");
}

#[test]
fn the_printed_genesis_is_one_that_it_starts_from() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("genesis.json");
    let printed = output(&["genesis", "--tempo", "7", "--block-time", "250"]);
    assert!(printed.status.success(), "{printed:?}");
    let whole: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(whole["subtensorModule"]["subnets"][0]["tempo"], 7);
    assert_eq!(whole["aura"]["slotDuration"], 250);
    fs::write(&path, &printed.stdout).unwrap();
    let again = output(&["genesis", "--genesis", path.to_str().unwrap()]);
    assert_eq!(again.stdout, printed.stdout);
}

#[test]
fn a_chain_spec_holds_the_code_it_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runtime.wasm");
    fs::write(&path, b"\0asm\x01\0\0\0").unwrap();
    let wasm = path.to_str().unwrap();
    let printed = output(&["build-spec", "--raw", "--wasm", wasm]);
    assert!(printed.status.success(), "{printed:?}");
    let spec: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(
        spec["genesis"]["raw"]["top"]["0x3a636f6465"],
        "0x0061736d01000000"
    );
    let without = output(&["build-spec"]);
    assert!(without.status.success());
    assert!(String::from_utf8_lossy(&without.stderr).contains("scripts/wasm.sh"));
    fs::write(&path, b"#!/bin/sh").unwrap();
    let said = refusal(&["build-spec", "--wasm", wasm]);
    assert!(said.contains("not a WASM module"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn it_ends_when_it_is_told_to_and_continues_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--sealing", "manual", "--clock", "virtual"];
    let mut head = Value::Null;
    for expected in [Value::Null, "0x5".into(), "0xa".into()] {
        let devnet = Running::start_in(directory.path(), 0, &arguments);
        let client = WsClientBuilder::default()
            .build(devnet.url())
            .await
            .unwrap();
        let header: Value = client
            .request("chain_getHeader", rpc_params![])
            .await
            .unwrap();
        if expected != Value::Null {
            assert_eq!(header["number"], expected);
            let hash: Value = client
                .request("chain_getHead", rpc_params![])
                .await
                .unwrap();
            assert_eq!(hash, head);
        }
        head = client
            .request("dev_newBlock", rpc_params![5])
            .await
            .unwrap();
        let status = devnet.terminate();
        assert!(status.success(), "{status}");
    }
}
