//! The chain client when nodes die, come back, or turn out to be another chain's.

use std::{net::SocketAddr, time::Duration};

use athanor_chain::Client;
use athanor_devnet::{Config, Devnet};
use futures::StreamExt as _;

use crate::chain::{MINER, NETUID, config, genesis, hotkey, within};

/// A port that was free a moment ago: nothing listens there.
fn dead_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

async fn node() -> Devnet {
    athanor_devnet::spawn(config(genesis(|_| {})))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over_and_all_are_named_if_all_are_dead() {
    let node = node().await;
    let dead = format!("ws://{}", dead_address());
    let client = within(Client::connect(&format!("{dead},{}", node.url())))
        .await
        .unwrap();
    assert_eq!(client.endpoint().url(), node.url());
    assert_eq!(client.metagraph(NETUID).await.unwrap().neurons.len(), 3);
    node.shutdown().await;

    let other = format!("ws://{}", dead_address());
    let error = within(Client::connect(&format!("{dead},{other}")))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains(&dead) && error.contains(&other), "{error}");
}

#[tokio::test]
async fn another_node_takes_over_when_one_dies_and_one_of_another_chain_does_not() {
    let (first, last) = (node().await, node().await);
    let stranger = athanor_devnet::spawn(config(genesis(|subnet| subnet.tempo += 1)))
        .await
        .unwrap();
    let list = format!("{},{},{}", first.url(), stranger.url(), last.url());
    let client = Client::connect(&list).await.unwrap();
    assert_eq!(client.endpoint().url(), first.url());
    let mut blocks = client.blocks();
    within(blocks.next()).await.unwrap().unwrap();

    first.shutdown().await;
    // Reads and the stream of blocks go on by themselves.
    let metagraph = within(client.metagraph(NETUID)).await.unwrap();
    assert!(metagraph.by_hotkey(&hotkey(MINER)).is_some());
    assert_eq!(client.endpoint().url(), last.url());
    let head = client.finalized().await.unwrap().number;
    loop {
        let block = within(blocks.next()).await.unwrap().unwrap();
        if block.number > head {
            break;
        }
    }
    stranger.shutdown().await;
    last.shutdown().await;
}

#[tokio::test]
async fn a_client_waits_for_its_node_and_needs_no_restart() {
    let data = tempfile::tempdir().unwrap();
    let persistent = || Config {
        base_path: Some(data.path().to_owned()),
        ..config(genesis(|_| {}))
    };
    let node = athanor_devnet::spawn(persistent()).await.unwrap();
    let address = node.local_addr();
    let client = Client::connect(&node.url()).await.unwrap();
    let mut blocks = client.blocks();
    let before = within(blocks.next()).await.unwrap().unwrap();
    node.shutdown().await;

    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.balance(&hotkey("Alice")).await }
    });
    // Longer than the longest pause between two attempts to reconnect.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!asked.is_finished(), "a read must wait for the node");
    let node = athanor_devnet::spawn(Config {
        listen: address,
        ..persistent()
    })
    .await
    .unwrap();
    within(asked).await.unwrap().unwrap();
    loop {
        let block = within(blocks.next()).await.unwrap().unwrap();
        if block.number > before.number {
            break;
        }
    }
    client
        .register(
            &athanor_devnet::development_pair("Alice"),
            NETUID,
            hotkey("Eve"),
        )
        .await
        .unwrap();
    node.shutdown().await;
}
