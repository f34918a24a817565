//! Whether a devnet starts ready, seals when it should, keeps its limits, fails on purpose only, and stops when asked.

use std::time::Duration;

use jsonrpsee::{
    core::{
        client::{ClientT, Error, SubscriptionClientT},
        params::BatchRequestBuilder,
    },
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use serde_json::{Value, json};

use super::{Devnet, SpawnError, spawn};
use crate::{
    config::{Clock, Config, Limits, Sealing},
    development::{development_pair, sign},
    testing::{add_stake, genesis},
};

fn config(sealing: Sealing) -> Config {
    Config {
        sealing,
        clock: Clock::Wall,
        ..Config::deterministic(genesis())
    }
}

async fn number(url: &str) -> String {
    let client = WsClientBuilder::default().build(url).await.unwrap();
    let header: serde_json::Value = client
        .request("chain_getHeader", rpc_params![])
        .await
        .unwrap();
    header["number"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_devnet_listens_when_it_is_there_and_not_after() {
    let devnet = spawn(config(Sealing::Manual)).await.unwrap();
    let url = devnet.url();
    assert_eq!(number(&url).await, "0x0");
    devnet.seal(3).await;
    assert_eq!(number(&url).await, "0x3");
    devnet.shutdown().await;
    assert!(WsClientBuilder::default().build(&url).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = spawn(config(Sealing::Manual)).await.unwrap();
    let taken = first.local_addr();
    let second = Config {
        listen: taken,
        ..config(Sealing::Manual)
    };
    match spawn(second).await {
        Err(SpawnError::Bind { addr, .. }) => assert_eq!(addr, taken),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two devnets listen on {taken}"),
    }
    first.shutdown().await;
}

#[tokio::test]
async fn blocks_come_by_themselves_at_intervals() {
    let devnet = spawn(config(Sealing::Interval(Duration::from_millis(5))))
        .await
        .unwrap();
    let client = WsClientBuilder::default()
        .build(devnet.url())
        .await
        .unwrap();
    let reached = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let header: serde_json::Value = client
                .request("chain_getHeader", rpc_params![])
                .await
                .unwrap();
            if header["number"] != "0x0" {
                break;
            }
        }
    });
    reached.await.expect("no block in 30 seconds");
    devnet.shutdown().await;
}

#[tokio::test]
async fn a_genesis_that_contradicts_itself_is_refused() {
    let mut twice = genesis();
    twice.subnets.push(twice.subnets[0].clone());
    match spawn(Config::deterministic(twice)).await {
        Err(SpawnError::Genesis(error)) => {
            assert!(error.to_string().contains("appears twice"), "{error}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a subnet was built twice"),
    }
}

async fn connect(devnet: &Devnet) -> WsClient {
    WsClientBuilder::default()
        .build(devnet.url())
        .await
        .unwrap()
}

/// The error object of a call that fails.
async fn refused(client: &WsClient, method: &str, arguments: Value) -> (i32, String) {
    let arguments: Vec<Value> = arguments.as_array().unwrap().clone();
    match client.request::<Value, _>(method, arguments).await {
        Err(Error::Call(error)) => (error.code(), error.message().to_owned()),
        other => panic!("{method}: {other:?}"),
    }
}

#[tokio::test]
async fn whoever_asks_for_too_much_is_refused_and_nobody_else() {
    let limits = Limits {
        connections: 2,
        subscriptions: 1,
        request_bytes: 4_096,
        response_bytes: 65_536,
        batch: 3,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..config(Sealing::Manual)
    };
    let devnet = spawn(config).await.unwrap();
    let (greedy, modest) = (connect(&devnet).await, connect(&devnet).await);
    let third = WsClientBuilder::default().build(devnet.url()).await;
    assert!(third.is_err(), "three connections of two");

    let subscribe = async |client: &WsClient| {
        let (name, end) = ("chain_subscribeNewHeads", "chain_unsubscribeNewHeads");
        client.subscribe::<Value, _>(name, rpc_params![], end).await
    };
    let first = subscribe(&greedy).await.unwrap();
    assert!(
        subscribe(&greedy).await.is_err(),
        "two subscriptions of one"
    );
    drop(first);
    let _one = subscribe(&modest).await.unwrap();

    let (_, message) = refused(&greedy, "state_getMetadata", json!([])).await;
    assert!(message.contains("too big"), "{message}");
    let mut batch = BatchRequestBuilder::new();
    for _ in 0..4 {
        batch.insert("system_chain", rpc_params![]).unwrap();
    }
    assert!(greedy.batch_request::<Value>(batch).await.is_err());
    let large = "00".repeat(4_096);
    let large = greedy.request::<Value, _>("system_dryRun", rpc_params![large]);
    assert!(
        large.await.is_err(),
        "a request of 8 KiB, and 4 are allowed"
    );

    let name: String = modest.request("system_chain", rpc_params![]).await.unwrap();
    assert_eq!(name, crate::rpc::CHAIN);
    devnet.shutdown().await;
}

async fn with_faults() -> (Devnet, WsClient) {
    let config = Config {
        faults: true,
        ..config(Sealing::Manual)
    };
    let devnet = spawn(config).await.unwrap();
    let client = connect(&devnet).await;
    (devnet, client)
}

async fn ask(client: &WsClient, method: &str, arguments: Value) -> Value {
    let arguments: Vec<Value> = arguments.as_array().unwrap().clone();
    client.request(method, arguments).await.unwrap()
}

/// An extrinsic of Alice's.
fn extrinsic(devnet: &Devnet, nonce: u32) -> Vec<u8> {
    let alice = development_pair("Alice");
    let call = add_stake("Bob//hotkey", 1);
    sign(devnet.genesis_hash(), &alice, nonce, 0, call)
}

#[tokio::test]
async fn nothing_goes_wrong_on_purpose_unless_that_is_allowed() {
    let devnet = spawn(config(Sealing::Manual)).await.unwrap();
    let client = connect(&devnet).await;
    for method in [
        "dev_dropConnections",
        "dev_delayInclusion",
        "dev_refuse",
        "dev_faults",
        "dev_clearFaults",
    ] {
        let (code, _) = refused(&client, method, json!([])).await;
        assert_eq!(code, -32_601, "{method}");
    }
    devnet.shutdown().await;
}

#[tokio::test]
async fn connections_are_cut_and_come_back_when_they_may() {
    let (devnet, client) = with_faults().await;
    ask(&client, "dev_dropConnections", json!([400])).await;
    tokio::time::timeout(Duration::from_secs(30), client.on_disconnect())
        .await
        .expect("the connection stays");
    assert!(
        WsClientBuilder::default()
            .build(devnet.url())
            .await
            .is_err()
    );
    let back = async {
        while WsClientBuilder::default()
            .build(devnet.url())
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back)
        .await
        .expect("nobody can connect any more");
    devnet.shutdown().await;
}

#[tokio::test]
async fn inclusion_is_delayed_by_so_many_blocks() {
    let (devnet, client) = with_faults().await;
    ask(&client, "dev_delayInclusion", json!([3])).await;
    devnet.submit(extrinsic(&devnet, 0)).await.unwrap();
    ask(&client, "dev_clearFaults", json!([])).await;
    // Alice's next extrinsic cannot overtake the one that is held back.
    devnet.submit(extrinsic(&devnet, 1)).await.unwrap();
    let mut lengths = Vec::new();
    for _ in 0..4 {
        devnet.seal(1).await;
        let block = ask(&client, "chain_getBlock", json!([])).await;
        lengths.push(block["block"]["extrinsics"].as_array().unwrap().len());
    }
    assert_eq!(lengths, [1, 1, 1, 3]);
    devnet.shutdown().await;
}

#[tokio::test]
async fn a_method_is_refused_as_often_as_asked_and_by_any_of_its_names() {
    let (devnet, client) = with_faults().await;
    let error = json!({ "code": 1012, "message": "not now", "data": "later", "count": 2 });
    ask(&client, "dev_refuse", json!(["chain_getHead", error])).await;
    let faults = ask(&client, "dev_faults", json!([])).await;
    assert_eq!(
        faults,
        json!({ "inclusionDelay": 0, "refusals": { "chain_getHead": 2 } })
    );
    for method in ["chain_getBlockHash", "chain_getHead"] {
        let expected = (1012, "not now".to_owned());
        assert_eq!(refused(&client, method, json!([])).await, expected);
    }
    ask(&client, "chain_getHead", json!([])).await;

    ask(
        &client,
        "dev_refuse",
        json!(["author_submitAndWatchExtrinsic"]),
    )
    .await;
    let bytes = format!("0x{}", hex::encode(extrinsic(&devnet, 0)));
    let watch = client.subscribe::<Value, _>(
        "author_submitAndWatchExtrinsic",
        rpc_params![bytes],
        "author_unwatchExtrinsic",
    );
    match watch.await {
        Err(Error::Call(error)) => assert_eq!(error.message(), "refused on purpose"),
        other => panic!("{:?}", other.map(|_| ())),
    }
    ask(
        &client,
        "dev_refuse",
        json!(["system_chain", { "count": 9 }]),
    )
    .await;
    ask(&client, "dev_clearFaults", json!([])).await;
    ask(&client, "system_chain", json!([])).await;
    for wrong in [
        json!([]),
        json!(["x", { "code": "y" }]),
        json!(["x", { "message": 1 }]),
    ] {
        assert_eq!(refused(&client, "dev_refuse", wrong).await.0, -32_602);
    }
    devnet.shutdown().await;
}
