//! A validator that is killed at random moments loses nothing, signs nothing twice, and sets weights at most once per epoch.
//!
//! In `cargo test` it is killed a few times. The long form is `VALIDATOR_KILLS=100 cargo test -p athanor-tests --test it
//! killed_validator -- --nocapture`, which prints what it counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use athanor_localnet::{Subnet, settings::Settings};
use athanor_scoring::{
    round::Ledger,
    transcript::{Leaf, Transcript},
};
use athanor_spec::{BlockNumber, Epoch, Hotkey};
use athanor_validator::{archive::Archive, book::Book, verify::rederive};
use clap::Parser as _;
use rand::{Rng, SeedableRng};

/// Kills of the short form.
const FEW: usize = 6;
const SEED: u64 = 11;

/// An outcome that the validator logged as written down: hotkey, round, index.
type Recorded = (Hotkey, u64, u32);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_validator_loses_no_record_and_never_sets_weights_twice() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let kills = match env::var("VALIDATOR_KILLS") {
        Ok(kills) => kills.parse().expect("VALIDATOR_KILLS is a number"),
        Err(_) => FEW,
    };
    let binary = crate::binary::binary("athanor-validator");
    let settings = Settings::try_parse_from([
        "athanor-localnet",
        "--headless",
        "--port",
        "0",
        "--tempo",
        "16",
        "--seed",
        &SEED.to_string(),
        "--spare-validator",
    ])
    .unwrap();
    let subnet = Subnet::start(&settings).await.unwrap();
    // The roster ends with the validator that nobody runs yet.
    let spare = subnet.members.last().unwrap().hotkey;
    let work = tempfile::tempdir().unwrap();
    let ledger = work.path().join("validator");
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(SEED);
    let mut logged = BTreeSet::new();
    let mut restarts_with_records = 0;
    let mut weights = Weights::default();
    for life in 0..=kills {
        let log = work.path().join(format!("life-{life}.log"));
        let mut child = start(&binary, &subnet, &ledger, &log);
        // The last life is long enough for a whole epoch, so that weights are set for certain.
        let millis = if life == kills {
            36_000
        } else {
            rng.random_range(1_500..11_000)
        };
        tokio::time::sleep(Duration::from_millis(millis)).await;
        assert!(
            child.try_wait().unwrap().is_none(),
            "the validator ended by itself:\n{}",
            read(&log)
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let before = logged.len();
        logged.extend(recorded_in(&read(&log)));
        restarts_with_records += usize::from(logged.len() > before);
        assert_all_stored(&ledger, &logged);
        weights.count(&subnet, &spare).await;
    }
    assert!(!logged.is_empty(), "the validator recorded nothing at all");
    assert!(
        restarts_with_records >= 2,
        "the test needs records in several lives, found {restarts_with_records}"
    );

    let per_epoch = weights.per_epoch;
    assert!(!per_epoch.is_empty(), "no weights were set at all");
    for (epoch, count) in &per_epoch {
        assert_eq!(
            *count, 1,
            "epoch {epoch} has {count} weights extrinsics: {per_epoch:?}"
        );
    }
    let rounds = assert_whole(&subnet, &ledger);
    println!(
        "{kills} kills: {} outcomes logged and all stored, {rounds} rounds closed, weights once in each of {} epochs",
        logged.len(),
        per_epoch.len()
    );
    subnet.shutdown().await.unwrap();
}

/// Every closed round follows from the one before and its transcript, and no ask was signed with the nonce of another;
/// how many there are.
fn assert_whole(subnet: &Subnet, data_dir: &Path) -> usize {
    let book = Book::open(&data_dir.join("ledger.redb")).unwrap();
    let archive = Archive::open(data_dir.join("transcripts")).unwrap();
    let rounds = book.rounds().unwrap();
    let closed: Vec<_> = rounds
        .iter()
        .filter_map(|(head, closed)| Some((head.round, closed.clone()?)))
        .collect();
    let mut transcripts = Vec::new();
    let mut nonces = BTreeSet::new();
    let mut note = |leaf: &Leaf| {
        if let Some(ask) = leaf.ask() {
            assert!(
                nonces.insert(ask.nonce),
                "nonce {} was used twice",
                ask.nonce
            );
        }
    };
    for (round, _) in &closed {
        let bytes = std::fs::read(archive.transcript(*round)).unwrap();
        let transcript = Transcript::from_bytes(&bytes, &subnet.spec.limits).unwrap();
        transcript.leaves.iter().for_each(&mut note);
        transcripts.push(transcript);
    }
    for (head, _) in rounds.iter().filter(|(_, closed)| closed.is_none()) {
        let leaves = book.leaves(head.round).unwrap();
        leaves.iter().for_each(&mut note);
    }
    let first = std::fs::read(archive.ledger(closed[0].0)).unwrap();
    let derived = rederive(
        Ledger::from_bytes(&first).unwrap(),
        &transcripts,
        &subnet.spec,
    );
    for ((round, kept), derived) in closed.iter().zip(derived) {
        assert_eq!(derived.differences, [], "round {round}");
        assert_eq!(
            (derived.root, derived.weights),
            (kept.root, kept.weights.clone())
        );
    }
    let last = closed.last().map(|(_, closed)| closed.ledger);
    assert_eq!(Some(book.ledger().unwrap().digest()), last);
    closed.len()
}

fn start(binary: &Path, subnet: &Subnet, ledger: &Path, log: &Path) -> Child {
    Command::new(binary)
        .args(["--logging.debug", "--logging.json", "run"])
        .args(["--subtensor.chain_endpoint", &subnet.url()])
        .args([
            "--wallet.name",
            "spare-0",
            "--wallet.hotkey",
            "default",
            "--wallet.path",
        ])
        .arg(subnet.data_dir.join("wallets"))
        .args(["--axon.port", "0"])
        .arg("--teacher")
        .arg(subnet.data_dir.join("teacher"))
        .arg("--data-dir")
        .arg(ledger)
        .args(["--device", "cpu"])
        // Another test's chain may have the same genesis, and locks of hotkeys lie in the home folder.
        .env("HOME", &subnet.data_dir)
        .stdout(Stdio::null())
        .stderr(File::create(log).unwrap())
        .spawn()
        .unwrap()
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap()
}

/// What the validator said that it had written down. A line that the kill cut off says nothing.
fn recorded_in(log: &str) -> Vec<Recorded> {
    let mut all = Vec::new();
    for line in log.lines() {
        let Ok(json) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        let fields = &json["fields"];
        if fields["message"] != "recorded" {
            continue;
        }
        let hotkey: Hotkey = fields["hotkey"].as_str().unwrap().parse().unwrap();
        let round: u64 = fields["round"].as_str().unwrap().parse().unwrap();
        let indices: Vec<u32> = serde_json::from_str(fields["indices"].as_str().unwrap()).unwrap();
        all.extend(indices.into_iter().map(|index| (hotkey, round, index)));
    }
    all
}

fn assert_all_stored(ledger: &Path, logged: &BTreeSet<Recorded>) {
    if logged.is_empty() {
        return;
    }
    let book = Book::open(&ledger.join("ledger.redb")).unwrap();
    let stored: Vec<Recorded> = book
        .outcomes()
        .unwrap()
        .into_iter()
        .map(|o| (o.account.hotkey, o.round.0, o.index))
        .collect();
    let distinct: BTreeSet<Recorded> = stored.iter().copied().collect();
    assert_eq!(stored.len(), distinct.len(), "an outcome is stored twice");
    let lost: Vec<_> = logged.difference(&distinct).collect();
    assert!(lost.is_empty(), "records were lost: {lost:?}");
}

/// Included weights extrinsics per epoch, counted from the blocks, whether they succeeded or not.
#[derive(Default)]
struct Weights {
    per_epoch: BTreeMap<Epoch, usize>,
    /// The last block that was looked at.
    seen: u32,
}

impl Weights {
    /// Looks at the blocks since the last time: a chain forgets the states of old ones, by which they are read.
    async fn count(&mut self, subnet: &Subnet, hotkey: &Hotkey) {
        let netuid = subnet.spec.subnet.netuid;
        let last = subnet.client.finalized().await.unwrap().number;
        for number in self.seen + 1..=last.0 {
            let block = BlockNumber(number);
            let extrinsics = subnet.client.extrinsics(block).await.unwrap();
            let ours = extrinsics
                .iter()
                .filter(|e| e.signer == Some(*hotkey) && crate::chain::sets_weights(&e.call))
                .count();
            if ours > 0 {
                let hash = subnet.client.block_hash(block).await.unwrap();
                let schedule = subnet.client.schedule(netuid, Some(hash)).await.unwrap();
                *self.per_epoch.entry(schedule.epoch).or_default() += ours;
            }
        }
        self.seen = last.0;
    }
}
