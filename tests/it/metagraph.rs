//! One picture of a subnet, whichever way it is read.

use athanor_chain::{Change, Client, Metagraph};
use athanor_devnet::{Config, Devnet, Sealing, TAO, development_pair};
use athanor_spec::{Commitment, Digest, Rao, Uid};
use rand::{Rng, SeedableRng, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::{
    chain::{NETUID, config, genesis, hotkey},
    gateway::Gateway,
};

const SEED: u64 = 5;
const STEPS: usize = 40;
const NAMES: [&str; 6] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"];

async fn start() -> Devnet {
    let devnet = athanor_devnet::spawn(Config {
        sealing: Sealing::Instant,
        ..config(genesis(|subnet| {
            subnet.weights_rate_limit = 0;
            subnet.serving_rate_limit = 0;
        }))
    })
    .await
    .unwrap();
    devnet.seal(1).await;
    devnet
}

/// The node as it was before metadata told of runtime APIs: nothing but storage is left to read.
async fn without_apis(devnet: &Devnet) -> Gateway {
    let gateway = Gateway::before(&devnet.url()).await;
    gateway.alter(|_, given, answer| {
        match given.first().and_then(Value::as_str) {
            // The one version 14, as a list of numbers.
            Some("Metadata_metadata_versions") => json!("0x040e000000"),
            _ => answer,
        }
    });
    gateway
}

/// Something that a user of the subnet might do. Whether the chain takes it does not matter.
async fn happen(client: &Client, rng: &mut ChaCha8Rng) {
    let name = *NAMES.choose(rng).unwrap();
    let pair = development_pair(name);
    let ferdie = development_pair("Ferdie");
    match rng.random_range(0..6) {
        0 => drop(
            client
                .register(&development_pair("Alice"), NETUID, hotkey(name))
                .await,
        ),
        1 => {
            let amount = Rao(rng.random_range(1..100) * TAO);
            drop(
                client
                    .add_stake(&ferdie, hotkey(name), NETUID, amount)
                    .await,
            );
        }
        2 => {
            let amount = Rao(rng.random_range(1..100) * TAO);
            drop(
                client
                    .remove_stake(&ferdie, hotkey(name), NETUID, amount)
                    .await,
            );
        }
        3 => {
            let address = ([10, 0, 0, rng.random()], rng.random_range(1..u16::MAX)).into();
            drop(client.serve_axon(&pair, NETUID, address).await);
        }
        4 => {
            let record = Commitment {
                checkpoint: Digest([rng.random(); 32]),
                ..Commitment::default()
            };
            drop(client.set_commitment(&pair, NETUID, &record).await);
        }
        _ => {
            let row = [(Uid(rng.random_range(0..3)), rng.random_range(1..u16::MAX))];
            drop(client.set_weights(&pair, NETUID, &row, 1).await);
        }
    }
}

#[tokio::test]
async fn the_api_and_storage_give_the_same_picture_whatever_happened() {
    let devnet = start().await;
    let older = without_apis(&devnet).await;
    let client = Client::connect(&devnet.url()).await.unwrap();
    let by_storage = Client::connect(&older.url()).await.unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut before: Option<Metagraph> = None;
    let mut changes = 0;
    for step in 0..STEPS {
        happen(&client, &mut rng).await;
        if rng.random_bool(0.3) {
            devnet.seal(rng.random_range(1..10)).await;
        }
        older.called();
        let now = client.metagraph(NETUID).await.unwrap();
        let other = by_storage.metagraph_at(NETUID, now.hash).await.unwrap();
        assert_eq!(now, other, "seed {SEED}, step {step}");
        let calls = older.called();
        let reads = calls.iter().filter(|call| *call == "state_queryStorageAt");
        assert!(reads.count() >= 2, "from storage: {calls:?}");
        if let Some(before) = &before {
            let found = now.diff(before);
            assert_eq!(other.diff(before), found);
            changes += found.len();
        }
        assert_eq!(now.diff(&other), [], "nothing differs from itself");
        before = Some(now);
    }
    assert!(changes > STEPS / 2, "{changes} changes are too few to tell");
    let last = before.unwrap();
    assert!(last.neurons.iter().any(|neuron| neuron.axon.is_some()));
    assert!(
        last.neurons
            .iter()
            .any(|neuron| neuron.commitment.is_some())
    );
    devnet.shutdown().await;
}

#[tokio::test]
async fn a_picture_takes_one_round_trip_once_the_block_is_known() {
    let devnet = start().await;
    let gateway = Gateway::before(&devnet.url()).await;
    let client = Client::connect(&gateway.url()).await.unwrap();
    let first = client.metagraph(NETUID).await.unwrap();
    devnet.seal(3).await;
    let head = client.finalized().await.unwrap();
    gateway.called();
    let picture = client.metagraph_at(NETUID, head.hash).await.unwrap();
    let mut calls = gateway.called();
    calls.sort();
    assert_eq!(
        calls,
        [
            // Which block it is and which runtime reads it, then both questions at once.
            "chain_getHeader",
            "state_call",
            "state_call",
            "state_queryStorageAt",
        ]
    );

    // A newcomer's own stake takes another.
    client
        .register(&development_pair("Alice"), NETUID, hotkey("Eve"))
        .await
        .unwrap();
    let head = client.finalized().await.unwrap();
    gateway.called();
    let later = client.metagraph_at(NETUID, head.hash).await.unwrap();
    assert_eq!(gateway.called().len(), 5);
    assert_eq!(
        later.diff(&picture),
        [Change::Joined {
            uid: Uid(3),
            hotkey: hotkey("Eve")
        }]
    );
    assert_eq!(picture.diff(&first).len(), 0, "{:?}", picture.diff(&first));
    devnet.shutdown().await;
}
