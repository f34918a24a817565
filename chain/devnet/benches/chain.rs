//! Time what a chain of 256 neurons does: blocks, extrinsics and reads.
//!
//! Everything is measured through the devnet's own handle; `metagraph_over_websocket` also counts JSON and the socket.

use std::{sync::LazyLock, time::Duration};

use athanor_chain::Client;
use athanor_devnet::{
    Config, Devnet, Genesis, NeuronGenesis, TAO, development_account, development_pair, sign, spawn,
};
use athanor_runtime::{Runtime, subtensor::Call};
use athanor_spec::NetUid;
use codec::Encode as _;
use divan::{Bencher, counter::ItemsCount};
use jsonrpsee::{core::client::ClientT, rpc_params, ws_client::WsClientBuilder};

const NETUID: u16 = 1;
const UIDS: u16 = 256;

static EXECUTOR: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("threads can be started"));

fn main() {
    divan::main();
}

fn name(index: u16) -> String {
    format!("neuron {index}")
}

/// A devnet whose 256 neurons may all set weights at any time.
fn devnet() -> Devnet {
    let mut genesis = Genesis::development(Duration::from_secs(12));
    let subnet = &mut genesis.subnets[0];
    subnet.weights_rate_limit = 0;
    subnet.max_allowed_uids = UIDS;
    subnet.max_allowed_validators = UIDS;
    // No epoch in what is timed as an ordinary block.
    subnet.tempo = u16::MAX - 1;
    subnet.neurons = (0..UIDS)
        .map(|index| NeuronGenesis {
            coldkey: development_account("Bob").into(),
            hotkey: development_account(&name(index)).into(),
            stake: 1_000 * TAO,
        })
        .collect();
    let devnet = EXECUTOR.block_on(spawn(Config::deterministic(genesis)));
    let devnet = devnet.expect("the genesis is sound");
    EXECUTOR.block_on(devnet.seal(2));
    devnet
}

/// A block without extrinsics.
#[divan::bench(sample_count = 200)]
fn empty_block(bencher: Bencher<'_, '_>) {
    let devnet = devnet();
    bencher.bench_local(|| EXECUTOR.block_on(devnet.seal(1)));
}

/// Extrinsics that each set so many weights: signing is not timed; checking, pooling and the block are.
#[divan::bench(args = [16, 64, 256], sample_count = 10)]
fn set_weights(bencher: Bencher<'_, '_>, weights: u16) {
    const EACH: u32 = 4;
    let devnet = devnet();
    let mut nonce = 0;
    bencher
        .counter(ItemsCount::new(u32::from(UIDS) * EACH))
        .with_inputs(|| {
            let extrinsics: Vec<Vec<u8>> = (0..UIDS)
                .flat_map(|index| (0..EACH).map(move |later| (index, later)))
                .map(|(index, later)| {
                    let call = Call::<Runtime>::set_weights {
                        netuid: NETUID,
                        dests: (0..weights).collect(),
                        weights: vec![1_000; weights.into()],
                        version_key: 0,
                    };
                    let pair = development_pair(&name(index));
                    sign(devnet.genesis_hash(), &pair, nonce + later, 0, call)
                })
                .collect();
            nonce += EACH;
            extrinsics
        })
        .bench_local_values(|extrinsics| {
            EXECUTOR.block_on(async {
                for extrinsic in extrinsics {
                    devnet.submit(extrinsic).await.expect("it is valid");
                }
                devnet.seal(1).await;
            });
        });
}

/// The whole metagraph by one runtime call.
#[divan::bench(sample_count = 50)]
fn metagraph(bencher: Bencher<'_, '_>) {
    read(bencher, "SubnetInfoRuntimeApi_get_metagraph");
}

/// Every neuron without its weights and bonds.
#[divan::bench(sample_count = 50)]
fn neurons_lite(bencher: Bencher<'_, '_>) {
    read(bencher, "NeuronInfoRuntimeApi_get_neurons_lite");
}

fn read(bencher: Bencher<'_, '_>, method: &str) {
    let devnet = devnet();
    bencher.bench_local(|| {
        EXECUTOR
            .block_on(devnet.query(method, NETUID.encode()))
            .expect("the runtime has it")
    });
}

/// The whole metagraph as a client asks for it.
#[divan::bench(sample_count = 50)]
fn metagraph_over_websocket(bencher: Bencher<'_, '_>) {
    let devnet = devnet();
    let client = EXECUTOR
        .block_on(WsClientBuilder::default().build(devnet.url()))
        .expect("it listens");
    let arguments = format!("0x{}", hex::encode(NETUID.encode()));
    bencher.bench_local(|| {
        let method = "SubnetInfoRuntimeApi_get_metagraph";
        let answer = client.request::<String, _>("state_call", rpc_params![method, &arguments]);
        EXECUTOR.block_on(answer).expect("the runtime has it")
    });
}

/// The whole metagraph as our own client gives it: the block, its runtime's version, then the API and what it lacks at once;
/// decoded and typed.
#[divan::bench(sample_count = 50)]
fn metagraph_of_our_client(bencher: Bencher<'_, '_>) {
    let devnet = devnet();
    let url = devnet.url();
    let client = EXECUTOR
        .block_on(Client::connect(&url))
        .expect("it listens");
    bencher.bench_local(|| {
        let metagraph = EXECUTOR.block_on(client.metagraph(NetUid(NETUID)));
        assert_eq!(
            metagraph.expect("it exists").neurons.len(),
            usize::from(UIDS)
        );
    });
}
