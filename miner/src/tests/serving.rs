//! The network service over loopback: streams, leaving askers, floods, swaps under load, the orderly end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use athanor_net::{AskError, Client, Identity, NetConfig, NetHandle, PeerAddress};
use athanor_node::Feed;
use athanor_spec::{Hotkey, NetUid, Rao, Signed, SigningContext};
use futures::future::join_all;
use sp_core::{Pair as _, sr25519};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    Counts,
    admission::{Allowance, Roster, Weight},
    serve::now_ms,
    service::{Service, ServiceConfig},
};

const CONTEXT: SigningContext = SigningContext {
    genesis: Digest([7; 32]),
    netuid: NetUid(1),
};
const ENOUGH: Duration = Duration::from_secs(60);

/// A running service and what it depends on.
struct Served {
    backend: Backend,
    address: PeerAddress,
    counts: Box<dyn Fn() -> Counts>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _net: (Client, NetHandle),
    _tuning: (
        watch::Sender<Allowance>,
        watch::Sender<Duration>,
        watch::Sender<Arc<Roster>>,
    ),
}

/// Somebody who asks.
struct Asker {
    pair: sr25519::Pair,
    net: Client,
    nonce: AtomicU64,
    _handle: NetHandle,
}

fn pair(seed: u8) -> sr25519::Pair {
    sr25519::Pair::from_seed(&[seed; 32])
}

async fn serve(dir: &Path, checkpoint: &Checkpoint, slots: usize, queue: usize) -> Served {
    let limits = SubnetSpec::local().limits;
    let identity = Identity::from_seed([200; 32]);
    let (client, inbound, net) = athanor_net::start(NetConfig {
        listen: vec![([127, 0, 0, 1], 0).into()],
        inbound_queue: 256,
        ..NetConfig::new(identity.clone(), limits.clone())
    })
    .await
    .unwrap();
    let backend = backend(checkpoint, slots, 256);
    let stakes = (1..=3).map(|seed| (Hotkey(pair(seed).public().0), Rao(1)));
    let generous = Allowance {
        tokens_per_second: 1_000_000,
        burst_tokens: 1_000_000,
        floor: Weight::FULL,
    };
    let (allowance_sender, allowance) = watch::channel(generous);
    let (drain_sender, drain) = watch::channel(ENOUGH);
    let (roster_sender, roster) = watch::channel(Arc::new(Roster::new(stakes)));
    let config = ServiceConfig {
        hotkey: pair(100).into(),
        context: CONTEXT,
        spec: SubnetSpec::local(),
        backend: backend.clone(),
        behaviour: Behaviour::Honest,
        blobs: BlobStore::open(&dir.join("trees"), limits.max_chunk_bytes).unwrap(),
        slots,
        queue,
        allowance,
        drain,
        roster,
        feed: Feed::new(),
        serving: net.serving(),
    };
    let service = Service::new(config, &dir.join("mark")).unwrap();
    let counts = Box::new(service.counts());
    let stop = CancellationToken::new();
    Served {
        backend,
        address: PeerAddress {
            peer_key: identity.peer_key(),
            addr: net.local_addr().unwrap(),
        },
        counts,
        task: tokio::spawn(service.run(inbound, stop.clone())),
        stop,
        _net: (client, net),
        _tuning: (allowance_sender, drain_sender, roster_sender),
    }
}

impl Asker {
    async fn new(seed: u8) -> Self {
        let (net, _, handle) = athanor_net::start(NetConfig::new(
            Identity::from_seed([seed; 32]),
            SubnetSpec::local().limits,
        ))
        .await
        .unwrap();
        Self {
            pair: pair(seed),
            net,
            nonce: AtomicU64::new(1),
            _handle: handle,
        }
    }

    fn sign(&self, ask: Ask) -> Signed<Ask> {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        Signed::new(&self.pair, &CONTEXT, ask, now_ms(), 60_000, nonce)
    }
}

/// An ask for as much as there may be.
fn long(seed: u64) -> Ask {
    Ask {
        prompt: vec![5; 150],
        max_new_tokens: 64,
        temperature_milli: 1000,
        seed,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_arrive_one_by_one_and_are_the_engine_s() {
    let directory = tempfile::tempdir().unwrap();
    // Large enough that a token takes longer to draw than to send.
    let model = tiny_with(directory.path(), 41, |config| {
        config.hidden_size = 256;
        config.intermediate_size = 1024;
        config.num_hidden_layers = 6;
        config.num_attention_heads = 8;
        config.num_key_value_heads = 4;
        config.head_dim = 32;
        config.eos_token_id = Default::default();
    });
    let served = serve(directory.path(), &model, 2, 8).await;
    let asker = Asker::new(1).await;
    let mut stream = asker
        .net
        .ask_stream(&served.address, asker.sign(long(3)), ENOUGH);
    let (mut streamed, mut pieces) = (Vec::new(), 0);
    while let Some(tokens) = stream.tokens().await {
        streamed.extend(tokens);
        pieces += 1;
    }
    let observed = stream.finish().await.unwrap();
    let expected = served.backend.draft(&long(3)).await.unwrap();
    assert_eq!(observed.answer.payload.tokens, expected.tokens);
    assert_eq!(expected.tokens.len(), 64);
    assert!(expected.tokens.starts_with(&streamed));
    assert!(pieces > 1, "{pieces}");
    assert!(observed.first_token < observed.elapsed);
    assert_eq!((served.counts)().answered, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asker_that_goes_away_frees_its_slot_and_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let served = serve(directory.path(), &tiny(directory.path(), 42), 1, 64).await;
    let asker = Asker::new(1).await;
    // A busy machine may answer them all before it learns that the asker left: then once more.
    for attempt in 0..50 {
        let mut streams = Vec::new();
        for seed in 0..20 {
            let ask = asker.sign(long(100 * attempt + seed));
            streams.push(asker.net.ask_stream(&served.address, ask, ENOUGH));
        }
        assert!(streams[0].tokens().await.is_some(), "it is being answered");
        drop(streams);
        // One slot: an ask behind all of them is answered only if they leave.
        let behind = asker.sign(ask(100 * attempt + 50));
        let observed = asker.net.ask(&served.address, behind, ENOUGH).await;
        assert!(observed.is_ok());
        if (served.counts)().cancelled > 0 {
            break;
        }
    }
    let counts = (served.counts)();
    assert!(counts.cancelled > 0, "{counts:?}");
    assert_eq!(served.backend.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_waits_in_its_own_line() {
    let directory = tempfile::tempdir().unwrap();
    let served = serve(directory.path(), &tiny(directory.path(), 43), 2, 16).await;
    let (flooder, other) = (Asker::new(1).await, Asker::new(2).await);
    let flood = (0..200).map(|seed| {
        let ask = flooder.sign(long(seed));
        flooder.net.ask(&served.address, ask, ENOUGH)
    });
    let honest = async {
        for seed in 0..10 {
            let ask = other.sign(ask(seed));
            let answered = other.net.ask(&served.address, ask, ENOUGH).await;
            answered.expect("whoever asks for little is never refused");
        }
    };
    let (flooded, ()) = tokio::join!(join_all(flood), honest);
    let refused = flooded
        .iter()
        .filter(|it| matches!(it, Err(AskError::Refused(Refusal::Overloaded { .. }))))
        .count();
    let answered = flooded.iter().filter(|it| it.is_ok()).count();
    assert!(refused > 0 && answered > 0, "{refused} and {answered}");
    assert_eq!(refused + answered, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_under_full_load_fails_no_stream_and_mixes_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (tiny(directory.path(), 44), tiny(directory.path(), 45));
    let served = serve(directory.path(), &old, 4, 256).await;
    let asker = Asker::new(1).await;
    let streams = (0..96).map(|seed| {
        let ask = asker.sign(ask(seed));
        let mut stream = asker.net.ask_stream(&served.address, ask, ENOUGH);
        async move {
            let mut streamed = Vec::new();
            while let Some(tokens) = stream.tokens().await {
                streamed.extend(tokens);
            }
            (seed, streamed, stream.finish().await)
        }
    });
    let swapping = async {
        // Some are being answered, most wait.
        while (served.counts)().answered < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (backend, new) = (served.backend.clone(), new.clone());
        tokio::task::spawn_blocking(move || backend.swap(&new))
            .await
            .unwrap()
            .unwrap();
    };
    let (answers, ()) = tokio::join!(join_all(streams), swapping);
    let alone = [backend(&old, 1, 0), backend(&new, 1, 0)];
    let mut by = [0, 0];
    for (seed, streamed, observed) in answers {
        let answer = observed
            .expect("no request fails over a swap")
            .answer
            .payload;
        assert!(answer.tokens.starts_with(&streamed));
        let which = usize::from(answer.checkpoint != alone[0].checkpoint());
        by[which] += 1;
        let expected = alone[which].draft(&ask(seed)).await.unwrap();
        assert_eq!(answer.checkpoint, expected.checkpoint);
        assert_eq!(answer.tokens, expected.tokens, "seed {seed}");
    }
    assert!(by[0] > 0 && by[1] > 0, "{by:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_lets_what_was_admitted_finish_and_takes_nothing_new() {
    let directory = tempfile::tempdir().unwrap();
    let served = serve(directory.path(), &tiny(directory.path(), 46), 1, 64).await;
    let asker = Asker::new(1).await;
    let mut streams = Vec::new();
    for seed in 0..8 {
        let ask = asker.sign(ask(seed));
        streams.push(asker.net.ask_stream(&served.address, ask, ENOUGH));
    }
    // The first is being answered, and those behind it are in the queue: all came by one connection, in order.
    assert!(streams[7].tokens().await.is_some());
    let last = asker.sign(long(99));
    let mut last = asker.net.ask_stream(&served.address, last, ENOUGH);
    assert!(last.tokens().await.is_some());
    served.stop.cancel();
    let refused = loop {
        let late = asker.net.ask(&served.address, asker.sign(ask(77)), ENOUGH);
        match late.await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    // Refused while the last one is being answered, or the service had ended by then.
    let ended = [
        AskError::Refused(Refusal::RESTARTING),
        AskError::Disconnected,
    ];
    assert!(ended.contains(&refused), "{refused}");
    assert!(last.finish().await.is_ok());
    for stream in streams {
        assert!(stream.finish().await.is_ok());
    }
    served.task.await.unwrap();
}
