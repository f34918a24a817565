//! What Prometheus and readers of events get from the real daemons while they run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use athanor_chain::{Client, Countdown, Protocol, SetWeightsError, Wallet, wallet::KeyKind};
use athanor_devnet::{Config, Devnet, NeuronGenesis, TAO, development_account};
use athanor_node::Metrics;
use athanor_spec::{
    Hotkey, NetUid, Round, Uid,
    telemetry::{Event, GradeSummary, HeldOut},
    wire::NodeKind,
};
use athanor_tui::source::{Feed, read_feed};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    binary::binary,
    chain::{config, genesis, within},
    operator::Operator,
};

/// A daemon, and where its metrics and its events are.
struct Daemon {
    process: Child,
    log: PathBuf,
    metrics: String,
    feed: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    async fn start(folder: &Path, name: &str, devnet: &Devnet, rest: &[&str]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let mut process = Command::new(binary(name))
            .args(["--logging.json", "run", "--netuid", "1", "--axon.port", "0"])
            .args(["--subtensor.chain_endpoint", &devnet.url()])
            .args(["--wallet.name", "w", "--wallet.hotkey", name])
            .arg("--wallet.path")
            .arg(folder)
            .args(["--metrics.addr", "0", "--feed.addr", "0", "--device", "cpu"])
            .args(rest)
            // Another test's chain may have the same genesis, and locks of hotkeys lie in the home folder.
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (metrics, feed) = within(async {
            loop {
                let told = std::fs::read_to_string(&log).unwrap();
                let url = |end: &str| told.lines().find_map(|line| url_in(line, end));
                if let Some(urls) = url("/metrics").zip(url("/events")) {
                    return urls;
                }
                assert!(process.try_wait().unwrap().is_none(), "it ended:\n{told}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        Self {
            process,
            log,
            metrics,
            feed,
        }
    }

    /// The status with which the gateway answers somebody who has no key.
    async fn turned_away(&self) -> String {
        let told = std::fs::read_to_string(&self.log).unwrap();
        let url = told.lines().find_map(|line| url_in(line, "/v1")).unwrap();
        let authority = url.strip_prefix("http://").unwrap();
        let authority = authority.strip_suffix("/v1").unwrap();
        let mut stream = TcpStream::connect(authority).await.unwrap();
        let request = "GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// The events that it keeps, until one has this name.
    async fn told(&self, name: &str) -> Vec<Event> {
        let feed: Feed = self.feed.parse().unwrap();
        within(async {
            loop {
                let events = read_feed(feed.clone()).await.unwrap();
                if events.iter().any(|event| event.name() == name) {
                    return events;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await
    }

    /// Every sample by its name, labels included.
    async fn scrape(&self) -> BTreeMap<String, f64> {
        self.exposition()
            .await
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect()
    }

    /// All that a scraper reads.
    async fn exposition(&self) -> String {
        let authority = self.metrics.strip_prefix("http://").unwrap();
        let authority = authority.strip_suffix("/metrics").unwrap();
        let mut stream = TcpStream::connect(authority).await.unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(body.ends_with("# EOF\n"), "{body}");
        body.to_owned()
    }

    /// Waits until a scrape is as it should be.
    async fn until(
        &self,
        wanted: impl Fn(&BTreeMap<String, f64>) -> bool,
    ) -> BTreeMap<String, f64> {
        let mut last = BTreeMap::new();
        let seen = async {
            loop {
                last = self.scrape().await;
                if wanted(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), seen)
            .await
            .is_err()
        {
            panic!("the metrics stayed as they are: {last:#?}");
        }
        last
    }
}

/// What is made for these metrics.
const SHOWN: [(&str, &str); 3] = [
    (
        "the dashboard",
        include_str!("../../deploy/grafana/athanor.json"),
    ),
    (
        "the rules",
        include_str!("../../deploy/prometheus/alerts.yml"),
    ),
    (
        "the rules' test",
        include_str!("../../deploy/prometheus/alerts_test.yml"),
    ),
];

/// The names of metrics in a text.
fn mentioned(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter(|word| word.starts_with("athanor_"));
    names.map(str::to_owned).collect()
}

/// The names of the series that Prometheus makes of what is told.
fn series(exposition: &str) -> BTreeSet<String> {
    let types = exposition
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types
        .flat_map(|(name, kind)| {
            let ends: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                _ => &[""],
            };
            ends.iter().map(move |end| format!("{name}{end}"))
        })
        .collect()
}

/// The series of a daemon that knows all that it can ever know: a validator and a miner at once.
async fn known(devnet: &Devnet) -> BTreeSet<String> {
    let client = Client::connect(&devnet.url()).await.unwrap();
    let graph = client.metagraph(NetUid(1)).await.unwrap();
    let metrics = Metrics::default();
    metrics.connected(&client);
    metrics.block(graph.block, &graph.schedule);
    metrics.neuron(graph.neurons.first());
    metrics.countdown(Countdown {
        block: graph.block,
        protocol: Protocol::Timelocked,
        epoch: 1,
        reveal: Some(1),
        activity_cutoff: Some(1),
        last_update: graph.block,
    });
    metrics.weights_set(Protocol::Plain);
    metrics.weights_failed(&SetWeightsError::TooFast { wait_blocks: 1 });
    metrics.alarms([("weights_ageing".to_owned(), "warn")]);
    let feed = athanor_node::Feed::new();
    let (validator, miner, round) = (Hotkey([1; 32]), Hotkey([2; 32]), Round(1));
    feed.send(Event::RoundStarted {
        validator,
        round,
        block: graph.block,
        asks: 1,
    });
    feed.send(Event::Graded {
        validator,
        miner,
        uid: Uid(1),
        round,
        grade: GradeSummary::default(),
    });
    feed.send(Event::Learnt {
        validator,
        round,
        miners: 1,
        known: 1,
        miners_needed: 1,
        asks_needed: 1.0,
        sets_weights: true,
    });
    feed.send(Event::Distilled {
        miner,
        step: 1,
        loss: 1.0,
        heldout: Some(HeldOut {
            loss: 1.0,
            improvement: 0.0,
            improvement_low: 0.0,
            items: 1,
        }),
    });
    for kind in [NodeKind::Validator, NodeKind::Miner] {
        let counts = feed.counts();
        metrics.also(move |registry| counts.register(kind, registry));
    }
    series(&metrics.text().unwrap())
}

fn url_in(line: &str, end: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let url = line["fields"]["url"].as_str()?;
    url.ends_with(end).then(|| url.to_owned())
}

fn value(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    *samples
        .get(name)
        .unwrap_or_else(|| panic!("no {name} in {samples:#?}"))
}

#[tokio::test]
async fn both_daemons_tell_prometheus_how_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hotkey = |name: &str| {
        let wallet = Wallet {
            path: folder.to_owned(),
            name: "w".to_owned(),
            hotkey: name.to_owned(),
        };
        wallet.create(KeyKind::Hotkey, None).unwrap().address.0
    };
    let (validator, miner) = (hotkey("athanor-validator"), hotkey("athanor-miner"));
    let hotkey_of_validator = validator;
    let neuron = |hotkey: [u8; 32], stake| NeuronGenesis {
        coldkey: development_account("Ferdie").into(),
        hotkey: hotkey.into(),
        stake,
    };
    let mut genesis = genesis(|subnet| {
        subnet.tempo = 20;
        subnet.neurons = vec![neuron(validator, 1000 * TAO), neuron(miner, 0)];
    });
    let account = |key: [u8; 32]| (key, 10 * TAO);
    genesis.endowed.extend([account(validator), account(miner)]);
    let devnet = athanor_devnet::spawn(Config {
        sealing: athanor_devnet::Sealing::Interval(Duration::from_millis(250)),
        faults: true,
        ..config(genesis)
    })
    .await
    .unwrap();
    let teacher = folder.join("teacher");
    athanor_distill::bundled::write_teacher(&teacher).unwrap();
    let teacher = teacher.to_str().unwrap();
    let data = |name: &str| folder.join(name).to_str().unwrap().to_owned();

    let data_dir = data("validator-data");
    let rest = [
        "--teacher",
        teacher,
        "--data-dir",
        &data_dir,
        "--gateway.addr",
        "0",
    ];
    let validator = Daemon::start(folder, "athanor-validator", &devnet, &rest).await;
    let data_dir = data("miner-data");
    let rest = [
        "--model",
        teacher,
        "--data.dir",
        &data_dir,
        "--distill.off",
        "--axon.ip",
        "127.0.0.1",
    ];
    let miner = Daemon::start(folder, "athanor-miner", &devnet, &rest).await;

    let node = format!(
        "athanor_chain_node_info{{endpoint=\"{}\"}}",
        devnet.local_addr()
    );
    for (daemon, uid) in [(&validator, 0.0), (&miner, 1.0)] {
        let first = daemon
            .until(|samples| samples.contains_key("athanor_neuron_uid"))
            .await;
        assert_eq!(value(&first, "athanor_neuron_uid"), uid);
        assert_eq!(value(&first, "athanor_chain_up"), 1.0);
        assert_eq!(value(&first, "athanor_chain_reconnects_total"), 0.0);
        assert_eq!(value(&first, &node), 1.0);
        let block = "athanor_chain_finalized_block";
        let next = daemon
            .until(|samples| samples.get(block) > first.get(block))
            .await;
        let left = value(&next, "athanor_epoch_countdown_blocks");
        assert!(left <= 20.0, "{next:#?}");
        let seconds = value(&next, "athanor_epoch_countdown_seconds");
        assert_eq!(seconds, left * 12.0, "of twelve seconds each");
    }
    let served = miner
        .until(|samples| samples.contains_key("athanor_asks_answered_total"))
        .await;
    for reason in ["replayed", "overloaded", "not_serving"] {
        let refused = format!("athanor_requests_refused_total{{reason=\"{reason}\"}}");
        assert!(served.contains_key(&refused), "{served:#?}");
    }
    let samples = validator
        .until(|samples| samples.contains_key("athanor_weights_activity_cutoff_blocks"))
        .await;
    assert!(samples.contains_key("athanor_weights_last_update_block"));
    assert!(
        !samples.contains_key("athanor_weights_reveal_blocks"),
        "nothing waits"
    );

    for event in validator.told("weights_due").await {
        let of = match event {
            Event::WeightsDue { validator, .. } | Event::RoundStarted { validator, .. } => {
                validator
            }
            _ => continue,
        };
        assert_eq!(of.0, hotkey_of_validator);
    }

    assert_eq!(validator.turned_away().await, "401");
    let mut told = known(&devnet).await;
    for daemon in [&validator, &miner] {
        told.extend(series(&daemon.exposition().await));
    }
    for (file, text) in SHOWN {
        let shown = mentioned(text);
        assert!(shown.len() > 10, "{file} shows {shown:?}");
        let unknown: Vec<_> = shown.difference(&told).collect();
        assert!(
            unknown.is_empty(),
            "no daemon tells what {file} shows: {unknown:?}"
        );
    }

    let operator = Operator::of(&devnet).await;
    operator.call("dev_dropConnections", &[json!(500)]).await;
    for daemon in [&validator, &miner] {
        let after = daemon
            .until(|samples| {
                value(samples, "athanor_chain_reconnects_total") >= 1.0
                    && value(samples, "athanor_chain_up") == 1.0
            })
            .await;
        assert_eq!(value(&after, &node), 1.0);
    }
    devnet.shutdown().await;
}

#[test]
fn a_metrics_port_that_is_taken_is_told_at_once() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&["--metrics.addr", &address], &[&address, "--metrics.addr"]);
}

#[test]
fn events_are_not_opened_to_others_without_a_token() {
    let open = ["--feed.addr", "0.0.0.0:0"];
    refused(&open, &["0.0.0.0:0", "--feed.token FILE"]);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "too short").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let token = token.to_str().unwrap();
    let words = ["--feed.addr", "0.0.0.0:0", "--feed.token", token];
    refused(&words, &[token, "at least 32"]);
}

/// A validator that is started with these arguments says these words, on one line, before it does anything.
#[track_caller]
fn refused(arguments: &[&str], said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet {
        path: folder.path().to_owned(),
        name: "default".to_owned(),
        hotkey: "default".to_owned(),
    };
    wallet.create(KeyKind::Hotkey, None).unwrap();
    let path = folder.path().to_str().unwrap();
    let output = Command::new(binary("athanor-validator"))
        .args(["run", "--teacher", "/nowhere", "--wallet.path", path])
        .args(arguments)
        .env("RUST_LOG", "off")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    for words in said {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");
}
