//! What the network service costs over the engine alone, and what a flood costs those who are served.
//!
//! `cargo bench -p athanor-miner --bench service` prints three tables. The first two ask the same engine for answers of the same
//! kind in turn, directly and through the service over loopback, with 1, 8 and 32 streams at once; both ways by this
//! process's clock, so that the second one has signatures, transport and the client's own work in it: once a model of 134 million
//! random weights, as people serve on a CPU, once the bundled one, which draws a token in a tenth of a millisecond and
//! leaves nothing for the service to hide behind. The last lets peers send what is refused as fast as they can, beside eight streams that are served. Clients, flood and miner share the machine.

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
    Checkpoint, Config, DeviceChoice, Precision, StopTokens, Tensors, WeightFormat,
    checkpoint::Provenance,
    engine::{self, Engine, EngineConfig, Event, GenerateRequest},
};
use athanor_net::{AskError, BlobStore, Client, Identity, NetConfig, NetHandle, PeerAddress};
use athanor_node::Feed;
use athanor_spec::{Ask, Digest, Hotkey, NetUid, Rao, Signed, SigningContext, SubnetSpec};
use futures::future::join_all;
use sp_core::{Pair as _, sr25519};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

const CONTEXT: SigningContext = SigningContext {
    genesis: Digest([7; 32]),
    netuid: NetUid(1),
};
const SLOTS: usize = 32;
const PROMPT: usize = 48;
const NEW: u16 = 64;
/// Streams at once, and how many times each way: of the large model, and of the bundled one.
const LARGE: [(usize, usize); 3] = [(1, 20), (8, 6), (32, 3)];
const SMALL: [(usize, usize); 3] = [(1, 60), (8, 20), (32, 8)];
/// How long each flood lasts.
const FLOOD: Duration = Duration::from_secs(6);
/// Requests that one flooding peer keeps in flight.
const FLOOD_IN_FLIGHT: usize = 128;
const WITHIN: Duration = Duration::from_secs(60);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    runtime.block_on(run());
}

async fn run() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let checkpoint = athanor_distill::bundled::write_teacher(&directory.path().join("model"))
        .expect("the bundled model unpacks");
    let large = large(&directory.path().join("large"), &checkpoint);
    println!(
        "{PROMPT} tokens of prompt, {NEW} of answer, {SLOTS} slots; milliseconds, medians and 99th percentiles"
    );
    println!("134 million parameters");
    overhead(
        &Miner::start(&directory.path().join("a"), &large).await,
        LARGE,
    )
    .await;
    println!("the bundled model");
    let miner = Miner::start(&directory.path().join("b"), &checkpoint).await;
    overhead(&miner, SMALL).await;
    flood(&miner).await;
}

/// A Llama's shape with random weights, as the model's own bench measures it, and the tokenizer of another.
fn large(dir: &Path, words: &Checkpoint) -> Checkpoint {
    let config = Config {
        hidden_size: 768,
        intermediate_size: 2048,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        num_key_value_heads: 12,
        head_dim: 64,
        vocab_size: 32_000,
        max_position_embeddings: 1024,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: false,
        bos_token_id: None,
        eos_token_id: Default::default(),
        variant: Default::default(),
    };
    let tensors = Tensors::random(&config, 1);
    let tokenizer =
        std::fs::read(words.dir.join("tokenizer.json")).expect("the tokenizer is there");
    Checkpoint::write(
        dir,
        &config,
        &tensors,
        &tokenizer,
        &Provenance::default(),
        Precision::F32,
    )
    .expect("random weights fit their shape")
}

/// A service and the engine below it.
struct Miner {
    engine: Engine,
    stop: StopTokens,
    vocabulary: u32,
    address: PeerAddress,
    asks: AtomicU64,
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
struct Times {
    first: Duration,
    whole: Duration,
}

impl Miner {
    async fn start(dir: &Path, checkpoint: &Checkpoint) -> Self {
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
            vocabulary: spec.subnet.vocab_size,
            address: PeerAddress {
                peer_key: identity.peer_key(),
                addr: net.local_addr().expect("it listens"),
            },
            asks: AtomicU64::new(1),
            _net: (client, net),
            _tuning: (allowance.0, drain.0, roster.0),
        }
    }

    /// An ask that shares no prefix with another: what an earlier one left must help neither way.
    fn ask(&self) -> Ask {
        let seed = self.asks.fetch_add(1, Ordering::Relaxed);
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

    async fn directly(&self) -> Times {
        let ask = self.ask();
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

    async fn through(&self, asker: &Asker) -> Times {
        let signed = asker.sign(self.ask());
        let began = Instant::now();
        let mut stream = asker.client.ask_stream(&self.address, signed, WITHIN);
        stream.tokens().await.expect("it streams");
        let first = began.elapsed();
        stream.finish().await.expect("the miner answers");
        let whole = began.elapsed();
        Times { first, whole }
    }
}

/// A peer that asks.
struct Asker {
    client: Client,
    pair: sr25519::Pair,
    nonce: AtomicU64,
    _net: NetHandle,
}

impl Asker {
    async fn new(peer: u8, seed: u8) -> Self {
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

    fn sign(&self, ask: Ask) -> Signed<Ask> {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        Signed::new(&self.pair, &CONTEXT, ask, now_ms(), 60_000, nonce)
    }
}

async fn overhead(miner: &Miner, levels: [(usize, usize); 3]) {
    let asker = Asker::new(1, 1).await;
    // Connections, caches and page tables first.
    for _ in 0..3 {
        miner.directly().await;
        miner.through(&asker).await;
    }
    println!(
        "{:>7}  {:>10} {:>10} {:>7}  {:>10} {:>10} {:>7}  {:>10} {:>10} {:>7}  {:>10} {:>10} {:>7}",
        "streams",
        "first p50",
        "service",
        "+",
        "first p99",
        "service",
        "+",
        "whole p50",
        "service",
        "+",
        "whole p99",
        "service",
        "+"
    );
    for (streams, rounds) in levels {
        let (mut alone, mut served) = (Vec::new(), Vec::new());
        for round in 0..2 * rounds {
            // In turns, each way first as often as the other: drift meets both alike.
            match round % 4 {
                0 | 3 => alone.extend(join_all((0..streams).map(|_| miner.directly())).await),
                _ => served.extend(join_all((0..streams).map(|_| miner.through(&asker))).await),
            }
        }
        print!("{streams:>7}");
        for of in [|it: &Times| it.first, |it: &Times| it.whole] {
            for share in [0.5, 0.99] {
                let (alone, served) = (quantile(&alone, of, share), quantile(&served, of, share));
                let more = 100.0 * (served / alone - 1.0);
                print!("  {alone:>10.2} {served:>10.2} {more:>6.1}%");
            }
        }
        println!();
    }
}

/// What flooding peers send.
#[derive(Clone, Copy)]
enum Kind {
    /// Nothing: how it is without a flood.
    Quiet,
    /// Well signed asks of somebody who is not on the roster.
    Stranger,
    /// The same well signed ask again and again.
    Replay,
    /// Asks in a validator's name without its signature; each peer is new after some.
    Forged,
}

async fn flood(miner: &Miner) {
    // A peer whose nonces are not those of the first table's.
    let honest = Arc::new(Asker::new(3, 1).await);
    println!(
        "\neight streams of a validator beside a flood of {} s; milliseconds",
        FLOOD.as_secs()
    );
    println!(
        "{:>9}  {:>12} {:>9}  {:>10} {:>10}  {:>10} {:>10}",
        "flood", "refused/s", "answered", "first p50", "first p99", "whole p50", "whole p99"
    );
    for (name, kind) in [
        ("none", Kind::Quiet),
        ("stranger", Kind::Stranger),
        ("replay", Kind::Replay),
        ("forged", Kind::Forged),
    ] {
        let end = Instant::now() + FLOOD;
        let served = async {
            let streams = (0..8).map(|_| async {
                let mut times = Vec::new();
                while Instant::now() < end {
                    times.push(miner.through(&honest).await);
                }
                times
            });
            join_all(streams).await.concat()
        };
        let (served, refused) = tokio::join!(served, pour(miner, kind, end));
        let at = |of: fn(&Times) -> Duration, share| quantile(&served, of, share);
        println!(
            "{name:>9}  {:>12.0} {:>9}  {:>10.2} {:>10.2}  {:>10.2} {:>10.2}",
            refused as f64 / FLOOD.as_secs_f64(),
            served.len(),
            at(|it| it.first, 0.5),
            at(|it| it.first, 0.99),
            at(|it| it.whole, 0.5),
            at(|it| it.whole, 0.99),
        );
    }
}

/// Sends what is refused until the end; how many were.
async fn pour(miner: &Miner, kind: Kind, end: Instant) -> u64 {
    if let Kind::Quiet = kind {
        return 0;
    }
    let seed = if let Kind::Stranger = kind { 9 } else { 2 };
    let peer = Asker::new(50 + kind as u8, seed).await;
    let first = peer.sign(miner.ask());
    if let Kind::Replay = kind {
        let answered = peer.client.ask(&miner.address, first.clone(), WITHIN).await;
        answered.expect("the first of all replays is none");
    }
    let refused = AtomicU64::new(0);
    let hoses = (0..FLOOD_IN_FLIGHT).map(|_| async {
        while Instant::now() < end {
            let ask = match kind {
                Kind::Replay => first.clone(),
                Kind::Stranger | Kind::Quiet => Signed {
                    nonce: peer.nonce.fetch_add(1, Ordering::Relaxed),
                    ..first.clone()
                },
                Kind::Forged => Signed {
                    nonce: peer.nonce.fetch_add(1, Ordering::Relaxed),
                    signature: [3; 64],
                    ..first.clone()
                },
            };
            match peer.client.ask(&miner.address, ask, WITHIN).await {
                Err(AskError::Refused(_)) => {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
                // The network has its own limits, and says so by closing.
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                Ok(_) => panic!("what should be refused is answered"),
            }
        }
    });
    join_all(hoses).await;
    refused.into_inner()
}

/// In milliseconds.
fn quantile(times: &[Times], of: fn(&Times) -> Duration, share: f64) -> f64 {
    let mut sorted: Vec<Duration> = times.iter().map(of).collect();
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
