//! Whether a devnet starts ready, seals when it should and stops when asked.

use std::time::Duration;

use jsonrpsee::{core::client::ClientT, rpc_params, ws_client::WsClientBuilder};

use super::{SpawnError, spawn};
use crate::{
    config::{Clock, Config, Sealing},
    testing::genesis,
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
