//! Neurons that set weights without pause, and remember what they were told is final.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use athanor_devnet::{development_pair, sign};
use athanor_runtime::{Runtime, subtensor::Call};
use jsonrpsee::{
    core::client::{ClientT, Error, SubscriptionClientT},
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use serde_json::{Value, json};
use sp_core::{H256, Pair as _, crypto::Ss58Codec as _, sr25519};

/// Longest that a neuron waits for an answer before it starts over.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_millis(50);

/// An extrinsic that somebody was told is final.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    /// The block.
    pub(crate) block: String,
    /// The extrinsic.
    pub(crate) bytes: String,
}

/// The genesis file of a subnet with `neurons` neurons that may all set weights, and are the only ones.
pub(crate) fn genesis(neurons: u16) -> Value {
    let neurons: Vec<Value> = (0..neurons)
        .map(|index| {
            let hotkey = format!("//{}", name(index));
            json!({ "coldkey": "//Bob", "hotkey": hotkey, "stake": 1_000_000_000_000_u64 })
        })
        .collect();
    json!({ "subtensorModule": { "subnets": [{
        "netuid": 1,
        "tempo": 10,
        "weightsRateLimit": 0,
        "maxAllowedValidators": neurons.len(),
        "neurons": neurons,
    }] } })
}

/// Name of a neuron's key.
fn name(index: u16) -> String {
    format!("neuron {index}")
}

/// Connects, for as long as it takes.
pub(crate) async fn connect(url: &str) -> WsClient {
    loop {
        match WsClientBuilder::default().build(url).await {
            Ok(client) => return client,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// What became of a neuron.
#[derive(Debug, Default)]
pub(crate) struct Neuron {
    /// Extrinsics that it was told are final.
    pub(crate) told: Vec<Acknowledged>,
    /// Times that it lost its connection, or that an extrinsic was not taken.
    pub(crate) failures: u32,
}

/// A neuron that sends one extrinsic after the other until `stop`. A failure of the connection or of the chain is no
/// reason to end.
pub(crate) async fn neuron(
    url: String,
    index: u16,
    of: u16,
    pause: Duration,
    stop: Arc<AtomicBool>,
) -> Neuron {
    let pair = development_pair(&name(index));
    let mut neuron = Neuron::default();
    let mut turn = index;
    while !stop.load(Ordering::Relaxed) {
        let session = async {
            let client = connect(&url).await;
            loop {
                turn = (turn + 1) % of;
                let weights = [(turn, 60_000), (index, 5_000 + index)];
                let told = set_weights(&client, &pair, &weights).await?;
                neuron.told.push(told);
                if stop.load(Ordering::Relaxed) {
                    return Ok::<(), Error>(());
                }
                tokio::time::sleep(pause).await;
            }
        };
        if session.await.is_err() {
            neuron.failures += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
    neuron
}

/// Sets weights, and waits until a final block has them.
async fn set_weights(
    client: &WsClient,
    pair: &sr25519::Pair,
    weights: &[(u16, u16)],
) -> Result<Acknowledged, Error> {
    let within = |what| Error::Custom(format!("{what} takes too long"));
    let account = pair.public().to_ss58check();
    let genesis: H256 = request(client, "chain_getBlockHash", rpc_params![0]).await?;
    let nonce: u32 = request(client, "system_accountNextIndex", rpc_params![account]).await?;
    let (dests, weights) = weights.iter().copied().unzip();
    let call = Call::<Runtime>::set_weights {
        netuid: 1,
        dests,
        weights,
        version_key: 0,
    };
    let bytes = format!("0x{}", hex::encode(sign(genesis, pair, nonce, 0, call)));
    let subscribing = client.subscribe::<Value, _>(
        "author_submitAndWatchExtrinsic",
        rpc_params![&bytes],
        "author_unwatchExtrinsic",
    );
    let mut statuses = tokio::time::timeout(PATIENCE, subscribing)
        .await
        .map_err(|_| within("a submission"))??;
    loop {
        let status = tokio::time::timeout(PATIENCE, statuses.next())
            .await
            .map_err(|_| within("a block"))?
            .ok_or_else(|| Error::Custom("the subscription ended".to_owned()))?
            .map_err(Error::from)?;
        if let Some(block) = status["finalized"].as_str() {
            let block = block.to_owned();
            return Ok(Acknowledged { block, bytes });
        }
        if status == "invalid" || status.get("usurped").is_some() {
            return Err(Error::Custom(status.to_string()));
        }
    }
}

async fn request<T: serde::de::DeserializeOwned>(
    client: &WsClient,
    method: &str,
    arguments: jsonrpsee::core::params::ArrayParams,
) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, client.request(method, arguments))
        .await
        .map_err(|_| Error::RequestTimeout)?
}

/// The extrinsics that somebody was told are final but that are not where they were said to be.
pub(crate) async fn missing(url: &str, told: &[Acknowledged]) -> Vec<Acknowledged> {
    let client = connect(url).await;
    let mut blocks = std::collections::HashMap::<&str, Value>::new();
    let mut missing = Vec::new();
    for extrinsic in told {
        if !blocks.contains_key(extrinsic.block.as_str()) {
            let block: Value = request(&client, "chain_getBlock", rpc_params![&extrinsic.block])
                .await
                .unwrap();
            blocks.insert(&extrinsic.block, block);
        }
        let body = &blocks[extrinsic.block.as_str()]["block"]["extrinsics"];
        let there = body
            .as_array()
            .is_some_and(|all| all.iter().any(|bytes| *bytes == extrinsic.bytes));
        if !there {
            missing.push(extrinsic.clone());
        }
    }
    missing
}

/// Number and hash of the newest block.
pub(crate) async fn head(client: &WsClient) -> Result<(u32, String), Error> {
    let hash: String = request(client, "chain_getHead", rpc_params![]).await?;
    let header: Value = request(client, "chain_getHeader", rpc_params![&hash]).await?;
    let number = header["number"].as_str().unwrap_or_default();
    let number = u32::from_str_radix(number.trim_start_matches("0x"), 16);
    Ok((
        number.map_err(|error| Error::Custom(error.to_string()))?,
        hash,
    ))
}
