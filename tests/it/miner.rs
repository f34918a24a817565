//! A miner against a devnet: what it announces, whom it serves, what it publishes, and what it remembers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use athanor_chain::Client;
use athanor_devnet::{
    Config, Devnet, Genesis, NeuronGenesis, Sealing, TAO, development_account, development_pair,
};
use athanor_distill::{
    bundled,
    init::{self, StudentPlan},
    source::Source,
};
use athanor_miner::{
    DistillSettings, EngineSettings, Miner, MinerConfig, StartError,
    control::{self, ControlError},
    rollback,
};
use athanor_model::{Checkpoint, DeviceChoice, Precision, checkpoint::Provenance};
use athanor_net::{AskError, FetchError, Identity, NetConfig, NetHandle, PeerAddress, Ways};
use athanor_node::{Feed, Metrics};
use athanor_spec::{
    Ask, Digest, Fetch, Hotkey, NetUid, Refusal, Signed, SigningContext, SubnetSpec,
    telemetry::Event,
};
use athanor_validator::{
    artifacts::{Artifacts, Requirements},
    signer::Signer,
};

pub(crate) const NETUID: NetUid = NetUid(1);
pub(crate) const VALIDATOR: &str = "Bob";
const MINER: &str = "Dave";
pub(crate) const STRANGER: &str = "Eve";
pub(crate) const ENDLESS: Duration = Duration::from_secs(120);

pub(crate) async fn devnet() -> (Devnet, Client) {
    let mut genesis = Genesis::development(Duration::from_secs(12));
    let subnet = &mut genesis.subnets[0];
    subnet.tempo = 12;
    subnet.max_allowed_validators = 1;
    subnet.serving_rate_limit = 4;
    let neuron = |name: &str, stake| NeuronGenesis {
        coldkey: development_account("Ferdie").into(),
        hotkey: development_account(name).into(),
        stake,
    };
    subnet.neurons = vec![neuron(VALIDATOR, 2000 * TAO), neuron(MINER, 0)];
    let config = Config {
        sealing: Sealing::Interval(Duration::from_millis(250)),
        ..Config::deterministic(genesis)
    };
    let devnet = athanor_devnet::spawn(config).await.unwrap();
    let client = Client::connect(&devnet.url()).await.unwrap();
    (devnet, client)
}

/// A student of two of the bundled teacher's layers.
pub(crate) fn student(dir: &Path, seed: u64, noise: f32) -> Checkpoint {
    let teacher = bundled::write_teacher(&dir.join("teacher")).unwrap();
    let layers = init::layers(teacher.config.num_hidden_layers, 2);
    let plan = StudentPlan {
        layers,
        seed,
        noise,
    };
    let (config, tensors) = init::student(&teacher, &plan).unwrap();
    let tokenizer = teacher.tokenizer_json().unwrap();
    let to = dir.join(format!("student-{seed}"));
    Checkpoint::write(
        &to,
        &config,
        &tensors,
        &tokenizer,
        &Provenance::default(),
        Precision::F16,
    )
    .unwrap()
}

pub(crate) fn config(chain: &Client, data_dir: PathBuf, model: &Checkpoint) -> MinerConfig {
    MinerConfig {
        chain: chain.clone(),
        hotkey: development_pair(MINER).into(),
        spec: SubnetSpec::local(),
        ways: Ways::listening(([127, 0, 0, 1], 0)),
        external: None,
        data_dir,
        model: model.dir.clone(),
        device: DeviceChoice::Cpu,
        engine: EngineSettings::default(),
        allowance: Default::default(),
        upkeep: Default::default(),
        distill: None,
        behaviour: Default::default(),
        feed: Feed::new(),
        metrics: Metrics::default(),
    }
}

/// Somebody who asks.
pub(crate) struct Asker {
    pub(crate) net: athanor_net::Client,
    name: &'static str,
    pub(crate) context: SigningContext,
    _handle: NetHandle,
}

impl Asker {
    pub(crate) async fn start(name: &'static str, chain: &Client) -> Self {
        Self::from(development_account(name), name, chain).await
    }

    /// Somebody who asks under a name, from a peer of its own.
    pub(crate) async fn from(peer: [u8; 32], name: &'static str, chain: &Client) -> Self {
        let (net, _, handle) = athanor_net::start(NetConfig::new(
            Identity::from_seed(peer),
            SubnetSpec::local().limits,
        ))
        .await
        .unwrap();
        let context = chain.signing_context(NETUID);
        Self {
            net,
            name,
            context,
            _handle: handle,
        }
    }

    pub(crate) fn ask(&self, seed: u64) -> Signed<Ask> {
        let ask = Ask {
            prompt: vec![5, 6, 7],
            max_new_tokens: 8,
            temperature_milli: 800,
            seed,
        };
        self.sign(ask, seed, 10_000)
    }

    pub(crate) fn sign(&self, ask: Ask, nonce: u64, window_ms: u64) -> Signed<Ask> {
        let pair = development_pair(self.name);
        Signed::new(&pair, &self.context, ask, now_ms(), window_ms, nonce)
    }

    async fn fetch(&self, from: &PeerAddress, blob: Digest, to: &Path) -> Result<u64, FetchError> {
        let mut nonce = now_ms() << 20;
        let sign = |fetch: Fetch| {
            nonce += 1;
            Signed::new(
                &development_pair(self.name),
                &self.context,
                fetch,
                now_ms(),
                10_000,
                nonce,
            )
        };
        self.net.fetch(from, blob, 1 << 25, sign, to).await
    }
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(ENDLESS, work)
        .await
        .expect("this should take seconds")
}

/// The miner as the chain shows it: where it is and what it committed to.
pub(crate) async fn on_chain(chain: &Client) -> (PeerAddress, Digest) {
    let metagraph = chain.metagraph(NETUID).await.unwrap();
    let neuron = metagraph
        .by_hotkey(&Hotkey(development_account(MINER)))
        .unwrap()
        .clone();
    let (commitment, _) = neuron.commitment.unwrap();
    assert_eq!(commitment.spec, SubnetSpec::local().digest());
    let address = PeerAddress {
        peer_key: commitment.peer_key,
        addr: neuron.axon.unwrap(),
    };
    (address, commitment.checkpoint)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_is_found_on_chain_serves_validators_and_swaps_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let (_devnet, chain) = devnet().await;
    let (first, second) = (
        student(directory.path(), 1, 0.02),
        student(directory.path(), 2, 0.02),
    );
    let started = config(&chain, directory.path().join("miner"), &first);
    let mut events = started.feed.subscribe();
    let miner = within(athanor_miner::start(started)).await.unwrap();

    let (address, committed) = on_chain(&chain).await;
    assert_eq!(
        (address, committed),
        (miner.address(), Digest(first.digest()))
    );
    let validator = Asker::start(VALIDATOR, &chain).await;
    let stranger = Asker::start(STRANGER, &chain).await;

    let asked = validator.ask(1);
    let observed = validator
        .net
        .ask(&address, asked.clone(), ENDLESS)
        .await
        .unwrap();
    let answer = &observed.answer;
    assert_eq!(answer.verify(&validator.context, now_ms()), Ok(()));
    assert_eq!(answer.signer, miner.hotkey());
    assert_eq!(answer.payload.request, asked.payload.hash());
    assert_eq!(answer.payload.checkpoint, committed);
    for (asker, ask, expected) in [
        (&validator, asked, Refusal::Replayed),
        (&stranger, stranger.ask(2), Refusal::NotAllowed),
        (
            &validator,
            Signed {
                nonce: 9,
                ..validator.ask(3)
            },
            Refusal::BadSignature,
        ),
    ] {
        let refused = asker.net.ask(&address, ask, ENDLESS).await.unwrap_err();
        assert_eq!(refused, AskError::Refused(expected));
    }

    // Everything that was committed can be fetched and verified by digest alone.
    let fetched = directory.path().join("fetched");
    std::fs::create_dir(&fetched).unwrap();
    validator
        .fetch(&address, committed, &fetched.join("manifest.json"))
        .await
        .unwrap();
    for file in &first.manifest.files {
        validator
            .fetch(&address, Digest(file.digest()), &fetched.join(&file.name))
            .await
            .unwrap();
    }
    assert_eq!(Checkpoint::open(&fetched).unwrap().digest(), first.digest());
    let refused = stranger
        .fetch(&address, committed, &fetched.join("x"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            FetchError::Ask(AskError::Refused(Refusal::NotAllowed))
        ),
        "{refused}"
    );

    let cache = Artifacts::new(
        directory.path().join("cache"),
        validator.net.clone(),
        Signer::new(development_pair(VALIDATOR), validator.context),
        Requirements::of(&SubnetSpec::local(), &first).unwrap(),
    )
    .unwrap();
    cache.obtain(&address, committed).await.unwrap();
    let before = cache.traffic();
    assert_eq!(before.obtained, first.manifest.total_bytes());

    miner.publisher().offer(second.dir.clone()).unwrap();
    let mut seed = 100;
    let swapped = within(async {
        loop {
            seed += 1;
            let observed = validator
                .net
                .ask(&address, validator.ask(seed), ENDLESS)
                .await;
            let served = observed
                .expect("no request fails over a swap")
                .answer
                .payload
                .checkpoint;
            if served != committed {
                break served;
            }
        }
    })
    .await;
    assert_eq!(swapped, Digest(second.digest()));
    assert_eq!(
        on_chain(&chain).await.1,
        swapped,
        "what is served was committed before"
    );
    let told = within(async {
        loop {
            if let Event::Swapped { from, to, .. } = events.recv().await.unwrap() {
                break (from, to);
            }
        }
    })
    .await;
    assert_eq!(told, (committed, swapped));

    // Who has the first one fetches what changed, and has every byte of the second.
    let obtained = cache.obtain(&address, swapped).await.unwrap();
    assert_eq!(obtained.digest(), second.digest());
    let after = cache.traffic();
    let (fetched, whole) = (
        after.fetched - before.fetched,
        after.obtained - before.obtained,
    );
    assert_eq!(whole, second.manifest.total_bytes());
    assert!(10 * fetched < 8 * whole, "{fetched} of {whole} bytes");
    // What it says of itself is what happened.
    let data_dir = directory.path().join("miner");
    let status = control::status(&data_dir).await.unwrap();
    assert_eq!(
        (status.serving, status.address),
        (swapped, Some(address.addr))
    );
    assert_eq!(status.counts, miner.counts());
    let refused = &status.counts.refused;
    assert_eq!((refused.replayed, refused.bad_signature), (1, 1));
    assert!(refused.not_allowed >= 2 && status.counts.answered >= 2);

    // It goes back to what it served before, by the same way and without a gap.
    let refused = control::rollback(&data_dir, Some(swapped)).await;
    assert!(matches!(refused, Err(ControlError::Refused(_))));
    assert_eq!(
        control::rollback(&data_dir, None).await.unwrap(),
        committed,
        "the one before"
    );
    within(async {
        let served = |seed| {
            let (net, ask) = (&validator.net, validator.ask(seed));
            async move { net.ask(&address, ask, ENDLESS).await.unwrap().answer }
        };
        for seed in 10_000.. {
            if served(seed).await.payload.checkpoint == committed {
                break;
            }
        }
    })
    .await;
    assert_eq!(on_chain(&chain).await.1, committed);
    miner.shutdown().await;
    let stopped = control::status(&data_dir).await;
    assert!(matches!(stopped, Err(ControlError::NotRunning { .. })));

    // Started again with the model that it was first given, it goes on with what it committed to last.
    let again = config(&chain, data_dir.clone(), &first);
    let miner = within(athanor_miner::start(again)).await.unwrap();
    assert_eq!(miner.backend().checkpoint(), committed);
    assert_eq!(on_chain(&chain).await, (miner.address(), committed));
    assert_eq!(miner.address().peer_key, address.peer_key);
    miner.shutdown().await;

    // Told to go back while it does not run, it does so when it starts, once.
    assert_eq!(rollback::stopped(&data_dir, None).unwrap(), swapped);
    for _ in 0..2 {
        let again = config(&chain, data_dir.clone(), &first);
        let miner = within(athanor_miner::start(again)).await.unwrap();
        assert_eq!(miner.backend().checkpoint(), swapped);
        assert_eq!(on_chain(&chain).await.1, swapped);
        miner.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_that_distils_commits_and_serves_what_its_gate_lets_through() {
    let directory = tempfile::tempdir().unwrap();
    let (_devnet, chain) = devnet().await;
    // Much noise: a student with a lot to learn shows it soon.
    let model = student(directory.path(), 3, 0.5);
    let teacher = bundled::write_teacher(&directory.path().join("teacher")).unwrap();
    let source = Arc::new(Source::open(&teacher).unwrap());
    let mut started = config(&chain, directory.path().join("miner"), &model);
    started.distill = Some(DistillSettings {
        source,
        shard: None,
        seed: 5,
        device: DeviceChoice::Cpu,
        duty: 1.0,
        judge_every: 10,
    });
    let mut events = started.feed.subscribe();
    let mut miner: Miner = within(athanor_miner::start(started)).await.unwrap();
    let (mut heldout, mut swapped) = (None, None);
    within(async {
        while swapped.is_none() {
            tokio::select! {
                error = miner.join() => panic!("{error}"),
                event = events.recv() => match event.unwrap() {
                    Event::Distilled { heldout: Some(found), .. } => heldout = Some(found),
                    Event::Swapped { to, .. } => swapped = Some(to),
                    _ => {}
                },
            }
        }
    })
    .await;
    let heldout = heldout.expect("a checkpoint is tried before it is served");
    assert!(heldout.improvement_low > 0.0, "{heldout:?}");
    assert_eq!(on_chain(&chain).await.1, swapped.unwrap());
    miner.shutdown().await;
}

#[tokio::test]
async fn a_miner_that_is_not_registered_is_told_to_register() {
    let directory = tempfile::tempdir().unwrap();
    let (_devnet, chain) = devnet().await;
    let model = student(directory.path(), 4, 0.02);
    let unregistered = MinerConfig {
        hotkey: development_pair(STRANGER).into(),
        ..config(&chain, directory.path().join("miner"), &model)
    };
    let error = athanor_miner::start(unregistered)
        .await
        .err()
        .expect("Eve holds no slot");
    assert!(matches!(error, StartError::NotRegistered { .. }), "{error}");
    assert!(error.to_string().contains("register first"), "{error}");
}
