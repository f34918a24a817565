//! Thousands of fast blocks with 64 neurons, through kills and dropped connections.
//!
//! In `cargo test` it is short. The long form is `SOAK_BLOCKS=10000 cargo test -p athanor-devnet --test it soak --
//! --nocapture`, which prints what it measured.

use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use jsonrpsee::{core::client::ClientT, rpc_params};
use serde_json::Value;

use crate::{child::Running, load};

const NEURONS: u16 = 64;
/// Blocks of the short form.
const FEW_BLOCKS: u32 = 250;
/// Times that the devnet is killed, and that connections are dropped, on the way.
const KILLS: u32 = 4;
const DROPS: u32 = 12;
/// Fewest blocks between two of these: the neurons have to come back before they can be cut off again.
const APART: u32 = 40;
/// Most memory in mebibytes. The states are bounded, and so are the blocks in memory: it does not grow with the chain.
const MOST_MIB: u64 = 512;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak() {
    let blocks = match env::var("SOAK_BLOCKS") {
        Ok(blocks) => blocks.parse().expect("SOAK_BLOCKS is a number of blocks"),
        Err(_) => FEW_BLOCKS,
    };
    let directory = tempfile::tempdir().unwrap();
    let genesis = directory.path().join("genesis.json");
    fs::write(&genesis, load::genesis(NEURONS).to_string()).unwrap();
    let arguments = [
        "--genesis",
        genesis.to_str().unwrap(),
        "--block-time",
        "10",
        "--block-history",
        "512",
        "--faults",
    ];
    let chain = directory.path().join("chain");
    let started = Instant::now();
    let mut devnet = Running::start_in(&chain, 0, &arguments);
    let port = devnet.port();
    let stop = Arc::new(AtomicBool::new(false));
    let neurons: Vec<_> = (0..NEURONS)
        .map(|index| {
            let url = devnet.url().to_owned();
            let pause = Duration::from_millis(200);
            tokio::spawn(load::neuron(url, index, NEURONS, pause, stop.clone()))
        })
        .collect();

    let (mut kills, mut drops, mut most_kib) = (0, 0, 0);
    let mut client = load::connect(devnet.url()).await;
    let apart = APART.max(blocks / (KILLS + DROPS + 1));
    let (mut reached, mut undisturbed_until) = (0, apart);
    // On a fast machine the blocks are made before everything has happened that is to happen meanwhile.
    while reached < blocks || (kills, drops) != (KILLS, DROPS) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok((number, _)) = load::head(&client).await else {
            client = load::connect(devnet.url()).await;
            continue;
        };
        assert!(
            number >= reached,
            "block {reached} is gone, the head is {number}"
        );
        reached = number;
        most_kib = most_kib.max(devnet.resident_kib().unwrap_or(0));
        if reached < undisturbed_until || (kills, drops) == (KILLS, DROPS) {
            continue;
        }
        undisturbed_until = reached + apart;
        if drops < (kills + 1) * DROPS / KILLS {
            drops += 1;
            // The answer may be cut off with the rest.
            let _ = client
                .request::<Value, _>("dev_dropConnections", rpc_params![100])
                .await;
        } else {
            kills += 1;
            devnet.kill();
            devnet = Running::start_in(&chain, port, &arguments);
            client = load::connect(devnet.url()).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (mut told, mut failures) = (Vec::new(), 0);
    for neuron in neurons {
        let neuron = neuron.await.unwrap();
        told.extend(neuron.told);
        failures += neuron.failures;
    }
    let end_kib = devnet.resident_kib().unwrap_or(0);
    let seconds = started.elapsed().as_secs();
    let missing = load::missing(devnet.url(), &told).await;
    let size = fs::metadata(chain.join("chain.redb")).unwrap().len();
    println!(
        "{reached} blocks in {seconds} s, {} extrinsics acknowledged, {} missing, {kills} kills, {drops} times all \
         connections dropped, {failures} times a neuron had to start over; resident {} MiB at most, {} MiB at the end; {} MiB on disk",
        told.len(),
        missing.len(),
        most_kib >> 10,
        end_kib >> 10,
        size >> 20,
    );
    assert!(missing.is_empty(), "{missing:?}");
    // Not every neuron is connected at every drop, but most are.
    assert!(
        failures > u32::from(NEURONS) * DROPS / 2,
        "{failures} failures"
    );
    assert!(told.len() > usize::from(NEURONS), "{}", told.len());
    assert!(most_kib >> 10 < MOST_MIB, "{} MiB", most_kib >> 10);
}
