//! Miners with bad intentions cost a validator bounded time and memory, and each gets a fault by name.
//!
//! They are those that the red team plays. All of them are on one subnet at once, with one honest miner among them, which must
//! not suffer.

use std::{collections::BTreeMap, fs, net::Ipv4Addr, path::Path, process::Command, time::Duration};

use athanor_chain::{Client, Wallet, wallet::KeyKind};
use athanor_devnet::{
    Config, Genesis, NeuronGenesis, Sealing, TAO, development_account, development_pair,
};
use athanor_localnet::adversary::{
    Impostor, MALFORMED, MakeMisfit, Misfit, OVERSIZED, UNTRUE, Workshop,
};
use athanor_model::DeviceChoice;
use athanor_net::Ways;
use athanor_node::{Feed, Metrics};
use athanor_scoring::evidence::Calibration;
use athanor_spec::{
    Hotkey, SubnetSpec,
    telemetry::{Event, GradeSummary},
};
use athanor_validator::{Submission, ValidatorConfig, control};
use futures::StreamExt as _;
use tokio::sync::broadcast;

use crate::miner::{ENDLESS, NETUID, VALIDATOR, config, student};

const HONEST: &str = "Dave";
/// Memory that all adversaries together may cost the validator at its worst moment, in mebibytes. Each of several claims
/// gigabytes.
const MEMORY_MIB: u64 = 512;
/// Set in the process of its own in which this test runs: the memory of others' tests is none of its adversaries'.
const ALONE: &str = "ATHANOR_TEST_ALONE";

/// Everything that a misfit can serve or say.
fn adversaries() -> impl Iterator<Item = MakeMisfit> {
    MALFORMED.into_iter().chain([OVERSIZED]).chain(UNTRUE)
}

fn spec() -> SubnetSpec {
    let mut spec = SubnetSpec::local();
    spec.round.asks_per_miner = 8;
    // A student comes within seconds, or not at all.
    spec.limits.min_artifact_bytes_per_second = 1 << 20;
    spec
}

fn genesis(adversaries: &[Misfit]) -> Genesis {
    let mut genesis = Genesis::development(Duration::from_secs(12));
    let subnet = &mut genesis.subnets[0];
    // Half a minute per epoch.
    subnet.tempo = 120;
    subnet.max_allowed_validators = 1;
    let neuron = |name: &str, stake| NeuronGenesis {
        coldkey: development_account("Ferdie").into(),
        hotkey: development_account(name).into(),
        stake,
    };
    subnet.neurons = vec![neuron(VALIDATOR, 2000 * TAO), neuron(HONEST, 0)];
    let bad = adversaries
        .iter()
        .map(|adversary| neuron(adversary.name, 0));
    subnet.neurons.extend(bad);
    genesis
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_miner_gets_its_fault_and_costs_little() {
    let _alone = crate::ONE_SUBNET.lock().await;
    // Built before the rounds begin, which do not wait for it.
    crate::binary::binary("athanor-validator");
    if std::env::var_os(ALONE).is_none() {
        let own = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("hostile::every_hostile_miner_gets_its_fault_and_costs_little")
            .env(ALONE, "1")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let said = [own.stdout, own.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(own.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let honest = student(directory.path(), 3, 0.02);
    let workshop = Workshop {
        directory: directory.path(),
        honest: &honest,
        spec: &spec(),
    };
    let adversaries: Vec<Misfit> = adversaries().map(|make| make(&workshop).unwrap()).collect();
    assert_eq!(adversaries.len(), 15);
    let told: Vec<_> = adversaries
        .iter()
        .map(|it| (it.name, it.fault, it.evidence))
        .collect();
    let devnet = athanor_devnet::spawn(Config {
        sealing: Sealing::Interval(Duration::from_millis(250)),
        ..Config::deterministic(genesis(&adversaries))
    })
    .await
    .unwrap();
    let chain = Client::connect(&devnet.url()).await.unwrap();
    // The honest miner is the first to commit to its tensors, which some adversaries serve as well.
    let mut honest_config = config(&chain, directory.path().join("miner"), &honest);
    honest_config.spec = spec();
    let miner = athanor_miner::start(honest_config).await.unwrap();
    let mut impostors = Vec::new();
    for misfit in adversaries {
        let (pair, seed) = (
            development_pair(misfit.name),
            development_account(misfit.name),
        );
        let started = Impostor::start(misfit, pair, seed, &spec(), &chain).await;
        impostors.push(started.unwrap());
    }
    next_epoch(&chain).await;

    let before = peak_mib();
    let feed = Feed::new();
    let events = feed.subscribe();
    let validator = athanor_validator::start(ValidatorConfig {
        endpoints: devnet
            .url()
            .parse::<athanor_chain::Endpoint>()
            .unwrap()
            .into(),
        hotkey: development_pair(VALIDATOR),
        spec: spec(),
        teacher: directory.path().join("teacher"),
        data_dir: directory.path().join("validator"),
        ways: Ways::listening((Ipv4Addr::LOCALHOST, 0)),
        external: None,
        submission: Submission::Chain,
        rounds: None,
        device: DeviceChoice::Cpu,
        replay_memory: 1 << 30,
        artifact_quota: None,
        calibration: Calibration::shipped(),
        feed,
        metrics: Metrics::default(),
        gateway: None,
    })
    .await
    .unwrap();
    let grades = tokio::time::timeout(ENDLESS, graded(events, told.len() + 1))
        .await
        .expect("a round takes half a minute");
    let grown = peak_mib() - before;

    for (name, fault, evidence) in &told {
        let grade = &grades[&Hotkey(development_account(name))];
        let found = grade.fault.as_ref();
        let found = found.unwrap_or_else(|| panic!("{name} is not accused: {grade:?}"));
        assert_eq!(found.kind, *fault, "{name}: {found:?}");
        assert!(found.evidence.contains(evidence), "{name}: {found:?}");
    }
    let grade = &grades[&Hotkey(development_account(HONEST))];
    assert_eq!(grade.fault, None);
    assert!(grade.quality > 0.1, "{grade:?}");
    assert!(
        grown < MEMORY_MIB,
        "the validator's memory grew by {grown} MiB"
    );

    // Whoever asks why gets the same from the running validator, from its files, and on the command line.
    let data_dir = directory.path().join("validator");
    let ready = async {
        // The grades are told before the state is that shows them.
        loop {
            let status = control::status(&data_dir).await.unwrap();
            if status.readiness.is_some_and(|ready| ready.is_enough()) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let status = tokio::time::timeout(ENDLESS, ready)
        .await
        .expect("after a whole round it knows its miners");
    assert_eq!(status.hotkey, validator.hotkey());
    assert_eq!(status.round.unwrap().miners as usize, told.len() + 1);
    for (index, (name, fault, _)) in told.iter().enumerate() {
        let hotkey = Hotkey(development_account(name));
        let held = control::explain(&data_dir, hotkey, None).await.unwrap();
        assert_eq!(held.unwrap().fault.unwrap().kind, *fault, "{name}");
        if index % 5 == 0 {
            // After the validator and the honest miner, in the order of the genesis.
            let uid = (index + 2).to_string();
            let told = explained(&uid, &devnet.url(), directory.path(), &data_dir).await;
            let reasons = &told["findings"];
            assert_eq!(reasons[0]["name"], "fault", "{told}");
            assert!(reasons[0]["reason"].as_str().unwrap().contains(fault));
            assert_eq!(told["running"], true);
            assert_eq!(told["chain"]["slot"]["incentive"], 0.0);
        }
    }
    validator.shutdown().await.unwrap();
    let told = explained(
        &Hotkey(development_account(HONEST)).to_string(),
        &devnet.url(),
        directory.path(),
        &data_dir,
    )
    .await;
    assert_eq!(told["running"], false);
    assert!(
        told["held"]["measured"]["quality"].as_f64().unwrap() > 0.1,
        "{told}"
    );
    assert!(
        told["held"]["last"]["answered"].as_u64().unwrap() > 0,
        "{told}"
    );
    drop(impostors);
    miner.shutdown().await;
}

/// What `explain` prints as JSON, asked as an operator would.
async fn explained(miner: &str, url: &str, directory: &Path, data_dir: &Path) -> serde_json::Value {
    let wallet = Wallet {
        path: directory.join("wallets"),
        name: "asker".to_owned(),
        hotkey: "default".to_owned(),
    };
    if !wallet.path.exists() {
        wallet.create(KeyKind::Coldkey, None).unwrap();
        wallet.create(KeyKind::Hotkey, None).unwrap();
    }
    let spec = directory.join("subnet.toml");
    fs::write(&spec, self::spec().to_toml()).unwrap();
    let mut command = Command::new(crate::binary::binary("athanor-validator"));
    command
        .args([
            "explain",
            miner,
            "--json",
            "--subtensor.chain_endpoint",
            url,
        ])
        .args(["--wallet.name", "asker", "--wallet.path"])
        .arg(&wallet.path)
        .arg("--subnet.spec")
        .arg(&spec)
        .arg("--data.dir")
        .arg(data_dir)
        .env("HOME", directory);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits for the first block of an epoch, so that a whole round lies ahead.
async fn next_epoch(chain: &Client) {
    let mut blocks = chain.blocks();
    let mut epoch = None;
    loop {
        let block = blocks.next().await.unwrap().unwrap();
        let schedule = chain.schedule(NETUID, Some(block.hash)).await.unwrap();
        if epoch.is_some_and(|before| before != schedule.epoch) {
            return;
        }
        epoch = Some(schedule.epoch);
    }
}

/// The grades of the first round that is closed with a verdict on so many miners.
async fn graded(
    mut events: broadcast::Receiver<Event>,
    miners: usize,
) -> BTreeMap<Hotkey, GradeSummary> {
    let mut rounds = BTreeMap::new();
    loop {
        if let Event::Graded {
            round,
            miner,
            grade,
            ..
        } = events.recv().await.unwrap()
        {
            let grades: &mut BTreeMap<_, _> = rounds.entry(round).or_default();
            grades.insert(miner, grade);
            if grades.len() == miners {
                return std::mem::take(grades);
            }
        }
    }
}

/// The most memory that this process ever held, in mebibytes.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<u64>().unwrap() / 1024
}
