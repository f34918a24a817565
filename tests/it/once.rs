//! Validators that hold some rounds only, as people start them: one that sends nothing, and one that sets weights once.

use std::process::{Command, Output, Stdio};

use athanor_chain::{Wallet, wallet::KeyKind};
use athanor_localnet::{Subnet, settings::Settings, watch::Watcher};
use athanor_spec::Hotkey;
use clap::Parser as _;
use futures::StreamExt as _;
use serde_json::Value;

use crate::binary::binary;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_sends_nothing_and_once_sets_weights_once() {
    let _alone = crate::ONE_SUBNET.lock().await;
    // Built before the chain runs: that takes a while where nothing is.
    let program = tokio::task::spawn_blocking(|| binary("athanor-validator"))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let words = "athanor-localnet --headless --port 0 --seed 3 --spare-validator --data-dir";
    let folder_name = folder.path().to_str().unwrap();
    let settings = Settings::try_parse_from(words.split(' ').chain([folder_name])).unwrap();
    let subnet = Subnet::start(&settings).await.unwrap();
    let wallet = |name: &str| Wallet {
        path: folder.path().join("wallets"),
        name: name.to_owned(),
        hotkey: "default".to_owned(),
    };
    let spare = wallet("spare-0").address(KeyKind::Hotkey).unwrap();
    wallet("nobody").create(KeyKind::Hotkey, None).unwrap();
    let mut watcher = subnet.watcher();
    let mut blocks = subnet.client.blocks();
    // The first epoch hands out the permits.
    while watcher
        .on_block(blocks.next().await.unwrap().unwrap())
        .await
        .unwrap()
        .is_none()
    {}

    let command = |verb: &[&str], wallet: &str| {
        let mut command = Command::new(&program);
        command
            .args(verb)
            .args(["--wallet.path", &format!("{folder_name}/wallets")])
            .args(["--wallet.name", wallet, "--wallet.hotkey", "default"])
            .args(["--subtensor.chain_endpoint", &subnet.url()])
            .arg("--teacher")
            .arg(folder.path().join("teacher"))
            .arg("--data.dir")
            .arg(folder.path().join("apart").join(wallet))
            .args(["--device", "cpu", "--axon.ip", "127.0.0.1"])
            .stdin(Stdio::null());
        command
    };
    let mut run = async |command: Command| -> (Output, Vec<String>) {
        let mut ended = Box::pin(output(command));
        let before = sent(&mut watcher, spare).len();
        let output = loop {
            tokio::select! {
                output = &mut ended => break output,
                block = blocks.next() => {
                    watcher.on_block(block.unwrap().unwrap()).await.unwrap();
                }
            }
        };
        // What went out in its last moments is in the next block.
        for _ in 0..2 {
            let block = blocks.next().await.unwrap().unwrap();
            watcher.on_block(block).await.unwrap();
        }
        let mut calls = sent(&mut watcher, spare);
        (output, calls.split_off(before))
    };

    let (dry, calls) = run(command(&["dry-run", "--rounds", "1"], "spare-0")).await;
    assert!(dry.status.success(), "{}", text(&dry.stderr));
    assert_eq!(calls, [] as [&str; 0], "a dry run sent something");
    let shown = text(&dry.stdout);
    let lines: Vec<Value> = shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1, "{shown}");
    assert_eq!(lines[0]["hindrance"], Value::Null, "{shown}");
    let weights = lines[0]["weights"].as_array().unwrap();
    let some = weights.iter().filter(|pair| pair[1].as_u64() > Some(0));
    assert!(some.count() >= 2, "{shown}");

    let (once, calls) = run(command(&["once"], "spare-0")).await;
    let (told, log) = (text(&once.stdout), text(&once.stderr));
    assert_eq!(once.status.code(), Some(0), "{told}\n{log}");
    assert!(
        told.contains("asks of") && told.contains("in block"),
        "{told}"
    );
    let rounds = |calls: &[String]| {
        let weights = calls.iter().filter(|call| weighs(call)).count();
        let roots = calls.iter().filter(|call| call.contains("set_commitment"));
        (weights, roots.count())
    };
    assert_eq!(rounds(&calls), (1, 1), "{calls:?}\n{told}\n{log}");

    // Another one in the same epoch finds the round held and its weights set.
    let (again, calls) = run(command(&["once"], "spare-0")).await;
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    assert!(rounds(&calls).0 <= 1, "{calls:?}");

    // Whose key has no slot is told so at once, and what to do.
    let (stranger, _) = run(command(&["once"], "nobody")).await;
    assert_eq!(
        stranger.status.code(),
        Some(2),
        "{}",
        text(&stranger.stdout)
    );
    let error = text(&stranger.stderr);
    assert!(error.contains("athanor-validator register"), "{error}");
    subnet.shutdown().await.unwrap();
}

/// What was sent to the chain by a key, in order.
fn sent(watcher: &mut Watcher, by: Hotkey) -> Vec<String> {
    watcher
        .report()
        .extrinsics
        .iter()
        .filter(|extrinsic| extrinsic.signer == Some(by))
        .map(|extrinsic| extrinsic.call.clone())
        .collect()
}

fn weighs(call: &str) -> bool {
    crate::chain::sets_weights(call) || call.contains("commit_") && call.contains("weights")
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
