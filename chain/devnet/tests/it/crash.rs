//! A devnet that is killed at random moments under load loses nothing that anybody was told is final.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{child::Running, load};

const NEURONS: u16 = 8;
const KILLS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_final_survives_being_killed() {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().unwrap();
    let genesis = directory.path().join("genesis.json");
    fs::write(&genesis, load::genesis(NEURONS).to_string()).unwrap();
    let arguments = [
        "--genesis",
        genesis.to_str().unwrap(),
        "--block-time",
        "10",
        "--state-history",
        "16",
    ];
    let chain = directory.path().join("chain");
    let mut devnet = Running::start_in(&chain, 0, &arguments);
    let port = devnet.port();
    let stop = Arc::new(AtomicBool::new(false));
    let neurons: Vec<_> = (0..NEURONS)
        .map(|index| {
            let url = devnet.url().to_owned();
            let pause = Duration::from_millis(1);
            tokio::spawn(load::neuron(url, index, NEURONS, pause, stop.clone()))
        })
        .collect();
    let mut heights = vec![0];
    for _ in 0..KILLS {
        let life = Duration::from_millis(random.random_range(100..900));
        tokio::time::sleep(life).await;
        devnet.kill();
        // Starting reads the newest state whole and compares its root with the block's.
        devnet = Running::start_in(&chain, port, &arguments);
        let client = load::connect(devnet.url()).await;
        heights.push(load::head(&client).await.unwrap().0);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    for neuron in neurons {
        told.extend(neuron.await.unwrap().told);
    }
    assert!(heights.is_sorted(), "seed {seed}: {heights:?}");
    assert!(told.len() > KILLS, "seed {seed}: {} extrinsics", told.len());
    devnet.kill();
    let devnet = Running::start_in(&chain, port, &arguments);
    let missing = load::missing(devnet.url(), &told).await;
    assert!(
        missing.is_empty(),
        "seed {seed}: {missing:?} of {}",
        told.len()
    );
    println!(
        "{} extrinsics through {KILLS} kills at blocks {heights:?}",
        told.len()
    );
}
