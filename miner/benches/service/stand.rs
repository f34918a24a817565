//! A miner's service with its engine, and who asks it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use athanor_miner::{
    Backend, Behaviour,
    admission::{Allowance, Roster, Weight},
    service::{Service, ServiceConfig},
};
use athanor_model::{
    Checkpoint, DeviceChoice, StopTokens, WeightFormat,
    engine::{self, Engine, EngineConfig, Event, GenerateRequest},
};
use athanor_net::{BlobStore, Client, Identity, NetConfig, NetHandle, PeerAddress};
use athanor_node::Feed;
use athanor_spec::{Ask, Digest, Hotkey, NetUid, Rao, Signed, SigningContext, SubnetSpec};
use sp_core::{Pair as _, sr25519};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

const CONTEXT: SigningContext = SigningContext {
    genesis: Digest([7; 32]),
    netuid: NetUid(1),
};
pub(crate) const SLOTS: usize = 32;
pub(crate) const PROMPT: usize = 48;
pub(crate) const NEW: u16 = 32;
pub(crate) const WITHIN: Duration = Duration::from_secs(60);

/// A service and the engine below it.
pub(crate) struct Miner {
    engine: Engine,
    stop: StopTokens,
    pub(crate) address: PeerAddress,
    pub(crate) asks: Asks,
    _net: (Client, NetHandle),
    _tuning: Tuning,
}

type Tuning = (
    watch::Sender<Allowance>,
    watch::Sender<Duration>,
    watch::Sender<Arc<Roster>>,
);

/// One answer's times.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) first: Duration,
    pub(crate) whole: Duration,
}

impl Miner {
    pub(crate) async fn start(dir: &Path, checkpoint: &Checkpoint) -> Self {
        let mut spec = SubnetSpec::local();
        spec.subnet.vocab_size = checkpoint.config.vocab_size as u32;
        std::fs::create_dir_all(dir).expect("the directory can be made");
        let identity = Identity::from_seed([200; 32]);
        let (client, inbound, net) = athanor_net::start(NetConfig {
            listen: vec![([127, 0, 0, 1], 0).into()],
            inbound_queue: 256,
            ..NetConfig::new(identity.clone(), spec.limits.clone())
        })
        .await
        .expect("the network starts");
        let config = EngineConfig {
            slots: SLOTS,
            queue: 64,
            device: DeviceChoice::Cpu,
            weights: WeightFormat::F32,
            max_context: 256,
        };
        let engine = engine::spawn(checkpoint, config).expect("the engine starts");
        // No token ends an answer, so that all are of one length.
        let stop = StopTokens::default();
        let generous = Allowance {
            tokens_per_second: 1_000_000,
            burst_tokens: 10_000_000,
            floor: Weight::FULL,
        };
        let allowance = watch::channel(generous);
        let drain = watch::channel(Duration::ZERO);
        // The second may use next to nothing.
        let validators = [(1, Rao(1_000_000)), (2, Rao(1_000_000))];
        let roster = validators.map(|(seed, stake)| (hotkey(seed), stake));
        let roster = watch::channel(Arc::new(Roster::new(roster)));
        let service = ServiceConfig {
            hotkey: pair(100).into(),
            context: CONTEXT,
            spec: spec.clone(),
            backend: Backend::new(engine.clone(), stop.clone()),
            behaviour: Behaviour::Honest,
            blobs: BlobStore::open(&dir.join("trees"), spec.limits.max_chunk_bytes)
                .expect("the store opens"),
            slots: SLOTS,
            queue: 64,
            allowance: allowance.1,
            drain: drain.1,
            roster: roster.1,
            feed: Feed::new(),
            serving: net.serving(),
        };
        let service = Service::new(service, &dir.join("mark")).expect("the service starts");
        tokio::spawn(service.run(inbound, CancellationToken::new()));
        Self {
            engine,
            stop,
            address: PeerAddress {
                peer_key: identity.peer_key(),
                addr: net.local_addr().expect("it listens"),
            },
            asks: Asks::new(spec.subnet.vocab_size, 0),
            _net: (client, net),
            _tuning: (allowance.0, drain.0, roster.0),
        }
    }

    pub(crate) async fn directly(&self) -> Times {
        let ask = self.asks.next();
        let request = GenerateRequest {
            prompt: ask.prompt.clone(),
            max_new_tokens: usize::from(ask.max_new_tokens),
            temperature: ask.temperature(),
            seed: ask.seed,
            stop: self.stop.clone(),
        };
        let began = Instant::now();
        let (sender, end) = oneshot::channel();
        let (mut sender, mut first) = (Some(sender), None);
        let submitted = self.engine.stream(request, move |event| match event {
            Event::Token(_) => {
                first.get_or_insert_with(|| began.elapsed());
            }
            Event::End(result) => {
                result.expect("the engine answers");
                if let (Some(sender), Some(first)) = (sender.take(), first) {
                    let _ = sender.send(first);
                }
            }
        });
        submitted.expect("the engine has room");
        let first = end.await.expect("the engine answers");
        let whole = began.elapsed();
        Times { first, whole }
    }
}

/// Asks that share no prefix with another: what an earlier one left must help nobody.
pub(crate) struct Asks {
    vocabulary: u32,
    next: AtomicU64,
}

impl Asks {
    /// Of a model with so many tokens; `series` tells them from those of another process.
    pub(crate) fn new(vocabulary: u32, series: u64) -> Self {
        Self {
            vocabulary,
            next: AtomicU64::new((series << 32) + 1),
        }
    }

    pub(crate) fn next(&self) -> Ask {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        let mut state = seed;
        let mut token = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u32 % self.vocabulary
        };
        Ask {
            prompt: (0..PROMPT).map(|_| token()).collect(),
            max_new_tokens: NEW,
            temperature_milli: 1000,
            seed,
        }
    }
}

/// A peer that asks.
pub(crate) struct Asker {
    pub(crate) client: Client,
    pair: sr25519::Pair,
    pub(crate) nonce: AtomicU64,
    _net: NetHandle,
}

impl Asker {
    /// The peer's and the hotkey's seeds.
    pub(crate) async fn new(peer: u8, seed: u8) -> Self {
        let (client, _, net) = athanor_net::start(NetConfig::new(
            Identity::from_seed([peer; 32]),
            SubnetSpec::local().limits,
        ))
        .await
        .expect("the network starts");
        Self {
            client,
            pair: pair(seed),
            nonce: AtomicU64::new(u64::from(peer) << 32),
            _net: net,
        }
    }

    pub(crate) fn sign(&self, ask: Ask) -> Signed<Ask> {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        Signed::new(&self.pair, &CONTEXT, ask, now_ms(), 60_000, nonce)
    }

    /// Asks the service, and signs before the clock runs: a validator has its asks signed when a round begins.
    pub(crate) async fn through(&self, address: &PeerAddress, ask: Ask) -> Times {
        let signed = self.sign(ask);
        let began = Instant::now();
        let mut stream = self.client.ask_stream(address, signed, WITHIN);
        // An answer that was whole before its first tokens left comes without them: then both times are one.
        stream.tokens().await;
        let first = began.elapsed();
        stream.finish().await.expect("the miner answers");
        let whole = began.elapsed();
        Times { first, whole }
    }
}

/// In milliseconds.
pub(crate) fn quantile(times: &[Duration], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted
        .get(at)
        .map_or(f64::NAN, |it| it.as_secs_f64() * 1000.0)
}

fn pair(seed: u8) -> sr25519::Pair {
    sr25519::Pair::from_seed(&[seed; 32])
}

fn hotkey(seed: u8) -> Hotkey {
    Hotkey(pair(seed).public().0)
}

fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since_epoch.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
