//! A validator that serves users from real miners, and an HTTP client that knows nothing of them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use athanor_chain::Client as Chain;
use athanor_devnet::{
    Config, Devnet, Genesis, NeuronGenesis, Sealing, TAO, development_account, development_pair,
};
use athanor_distill::{
    bundled,
    init::{self, StudentPlan},
};
use athanor_miner::{Behaviour, EngineSettings, Miner, MinerConfig, admission::Allowance};
use athanor_model::{Checkpoint, DeviceChoice, Precision, checkpoint::Provenance};
use athanor_node::{Feed, Metrics};
use athanor_scoring::evidence::Calibration;
use athanor_spec::{NetUid, SigningContext, SubnetSpec};
use athanor_validator::{
    Submission, Validator, ValidatorConfig,
    gateway::{GatewayConfig, HedgeParams, KeyLimits, KeyStore},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const NETUID: NetUid = NetUid(1);
const VALIDATOR: &str = "Bob";
const MINERS: [&str; 2] = ["Dave", "Eve"];
pub(crate) const MODEL: &str = "athanor-local";
pub(crate) const ENDLESS: Duration = Duration::from_secs(120);

/// Miners with different checkpoints, and a validator that serves users.
pub(crate) struct Service {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) keys: KeyStore,
    pub(crate) key: String,
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) miners: Vec<Miner>,
    pub(crate) validator: Validator,
    pub(crate) metrics: Metrics,
    pub(crate) chain: Chain,
    _devnet: Devnet,
}

/// How miners serve, and the gateway asks them.
#[derive(Default)]
pub(crate) struct Terms {
    pub(crate) allowance: Allowance,
    pub(crate) behaviour: Behaviour,
    /// The default if there is none.
    pub(crate) hedge: Option<HedgeParams>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The events of a stream, which must end as one does.
    pub(crate) fn events(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        let told: Vec<&str> = self
            .body
            .split("\n\n")
            .filter(|event| !event.is_empty())
            .collect();
        let data = told
            .iter()
            .map(|event| event.strip_prefix("data: ").unwrap());
        let mut data: Vec<&str> = data.collect();
        assert_eq!(data.pop(), Some("[DONE]"), "{}", self.body);
        data.into_iter()
            .map(|one| serde_json::from_str(one).unwrap())
            .collect()
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.json()["error"]["code"], code, "{}", self.body);
    }
}

impl Service {
    /// With miners and a gateway on these terms.
    pub(crate) async fn start_on(count: usize, terms: Terms) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut genesis = Genesis::development(Duration::from_secs(12));
        let subnet = &mut genesis.subnets[0];
        subnet.tempo = 40;
        subnet.max_allowed_validators = 1;
        let neuron = |name: &str, stake| NeuronGenesis {
            coldkey: development_account("Ferdie").into(),
            hotkey: development_account(name).into(),
            stake,
        };
        subnet.neurons = vec![neuron(VALIDATOR, 2000 * TAO)];
        let names = &MINERS[..count];
        subnet
            .neurons
            .extend(names.iter().map(|name| neuron(name, 0)));
        let devnet = athanor_devnet::spawn(Config {
            sealing: Sealing::Interval(Duration::from_millis(250)),
            ..Config::deterministic(genesis)
        })
        .await
        .unwrap();
        let chain = Chain::connect(&devnet.url()).await.unwrap();
        let (mut miners, mut checkpoints) = (Vec::new(), Vec::new());
        for (number, name) in names.iter().enumerate() {
            let model = student(directory.path(), number as u64, 0.1 + 0.05 * number as f32);
            let config = MinerConfig {
                chain: chain.clone(),
                hotkey: development_pair(name).into(),
                spec: SubnetSpec::local(),
                ways: athanor_net::Ways::listening(([127, 0, 0, 1], 0)),
                external: None,
                data_dir: directory.path().join(name),
                model: model.dir.clone(),
                device: DeviceChoice::Cpu,
                engine: EngineSettings::default(),
                allowance: terms.allowance,
                upkeep: Default::default(),
                distill: None,
                behaviour: terms.behaviour.clone(),
                feed: Feed::new(),
                metrics: Metrics::default(),
            };
            miners.push(athanor_miner::start(config).await.unwrap());
            checkpoints.push(model);
        }
        let data_dir: PathBuf = directory.path().join("validator");
        let mut gateway = GatewayConfig::at(([127, 0, 0, 1], 0).into(), &data_dir);
        if let Some(hedge) = terms.hedge {
            gateway.hedge = hedge;
        }
        let keys = KeyStore::new(gateway.keys.clone());
        let generous = KeyLimits {
            tokens_per_minute: 100_000_000,
            in_flight: 256,
            audit: false,
        };
        let (key, _) = keys.create("test", generous).unwrap();
        let metrics = Metrics::default();
        let validator = athanor_validator::start(ValidatorConfig {
            endpoints: devnet
                .url()
                .parse::<athanor_chain::Endpoint>()
                .unwrap()
                .into(),
            hotkey: development_pair(VALIDATOR),
            spec: SubnetSpec::local(),
            teacher: directory.path().join("teacher"),
            data_dir,
            ways: Default::default(),
            external: None,
            submission: Submission::Chain,
            rounds: None,
            device: DeviceChoice::Cpu,
            replay_memory: 1 << 30,
            artifact_quota: None,
            calibration: Calibration::shipped(),
            feed: Feed::new(),
            metrics: metrics.clone(),
            gateway: Some(gateway),
        })
        .await
        .unwrap();
        let service = Self {
            address: validator.gateway().unwrap(),
            directory,
            keys,
            key,
            checkpoints,
            miners,
            validator,
            metrics,
            chain,
            _devnet: devnet,
        };
        service.until_they_serve(count).await;
        service
    }

    pub(crate) async fn until_they_serve(&self, count: usize) {
        let begun = Instant::now();
        loop {
            let models = self.get("/v1/models").await.json();
            // The subnet's model, its best miner, and each miner.
            if models["data"].as_array().unwrap().len() == 2 + count {
                return;
            }
            assert!(begun.elapsed() < ENDLESS, "{models}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        more: &str,
        body: &[u8],
    ) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let authorization = key.map(|key| format!("Authorization: Bearer {key}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: {}\r\n{}{more}\r\n",
            body.len(),
            authorization.unwrap_or_default(),
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever refuses a body does not read it.
        let _ = stream.write_all(body).await;
        stream
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        more: &str,
        body: &[u8],
    ) -> Response {
        let mut stream = self.send(method, path, key, more, body).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        parse(&bytes)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.ask("GET", path, Some(&self.key), "", b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let body = body.to_string();
        self.ask("POST", path, Some(&self.key), "", body.as_bytes())
            .await
    }

    /// What signatures are bound to.
    pub(crate) fn context(&self) -> SigningContext {
        self.chain.signing_context(NETUID)
    }

    /// Ends everybody; what they wrote is still there.
    pub(crate) async fn end(self) -> tempfile::TempDir {
        self.validator.shutdown().await.unwrap();
        for miner in self.miners {
            miner.shutdown().await;
        }
        self.directory
    }
}

pub(crate) fn merge(body: &mut Value, more: Value) {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
}

fn parse(bytes: &[u8]) -> Response {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no response: {text}"));
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let body = match headers.get("transfer-encoding") {
        None => body.to_owned(),
        Some(_) => unchunked(body),
    };
    Response {
        status,
        headers,
        body,
    }
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        body += &after[..length];
        rest = &after[length + 2..];
    }
    body
}

/// A student of two of the bundled teacher's layers.
fn student(dir: &Path, seed: u64, noise: f32) -> Checkpoint {
    let teacher = bundled::write_teacher(&dir.join("teacher")).unwrap();
    let plan = StudentPlan {
        layers: init::layers(teacher.config.num_hidden_layers, 2),
        seed,
        noise,
    };
    let (config, tensors) = init::student(&teacher, &plan).unwrap();
    let (to, tokenizer) = (
        dir.join(format!("student-{seed}")),
        teacher.tokenizer_json().unwrap(),
    );
    let provenance = Provenance::default();
    Checkpoint::write(
        &to,
        &config,
        &tensors,
        &tokenizer,
        &provenance,
        Precision::F16,
    )
    .unwrap()
}
