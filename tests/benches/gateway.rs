//! What a gateway adds to asking a miner directly, and what a stream costs in memory.
//!
//! `cargo bench -p athanor-tests --bench gateway` asks one miner for answers of one kind in turn, as a validator does and through
//! the gateway over HTTP on loopback, with 1 and 8 streams at once; both ways by this process's clock, from before the request is
//! made until its first token and its end. Chain, miner, validator and client share the machine and the process.

// Clippy's exemption for tests does not reach benches.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use athanor_devnet::{development_account, development_pair};
use athanor_miner::admission::{Allowance, Weight};
use athanor_net::{Client, Identity, NetConfig, PeerAddress};
use athanor_spec::{Ask, Hotkey, NetUid, Signed, SubnetSpec};
use futures::future::join_all;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

// It has what the tests need too.
#[allow(dead_code)]
#[path = "../it/openai/service.rs"]
mod service;

use service::{MODEL, Service, Terms};

/// Streams at once, and rounds of them each way.
const LEVELS: [(usize, usize); 2] = [(1, 100), (8, 25)];
/// Streams that are open together when memory is measured.
const OPEN: usize = 256;
/// Tokens of every prompt, and of every answer at most.
const PROMPT: usize = 32;
const NEW: u16 = 32;
const WITHIN: Duration = Duration::from_secs(60);

/// One answer's times.
#[derive(Clone, Copy)]
struct Times {
    first: Duration,
    whole: Duration,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // What a miner grants one validator is not measured here.
        let generous = Allowance {
            tokens_per_second: 1_000_000,
            burst_tokens: 10_000_000,
            floor: Weight::FULL,
        };
        let terms = Terms {
            allowance: generous,
            ..Terms::default()
        };
        let service = Service::start_on(1, terms).await;
        overhead(&service).await;
        memory(&service).await;
        service.end().await;
    });
}

/// The prompt of a request: no two share a beginning, so that nothing is taken over from one to the next.
fn prompt(number: u64) -> Vec<u32> {
    let mut state = number;
    let mut token = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % SubnetSpec::local().subnet.vocab_size
    };
    (0..PROMPT).map(|_| token()).collect()
}

async fn overhead(service: &Service) {
    let net = NetConfig::new(Identity::from_seed([77; 32]), SubnetSpec::local().limits);
    let (client, _, _handle) = athanor_net::start(net).await.unwrap();
    let peer = peer(service).await;
    println!(
        "{:>7}  {:8}  {:>22}  {:>22}",
        "streams", "way", "first token, p50 / p99", "whole, p50 / p99"
    );
    let mut number = 0;
    for (streams, rounds) in LEVELS {
        let (mut direct, mut through) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let numbers: Vec<u64> = (0..streams as u64).map(|at| number + at).collect();
            number += streams as u64;
            direct.extend(
                join_all(
                    numbers
                        .iter()
                        .map(|it| directly(&client, &peer, service, *it)),
                )
                .await,
            );
            let numbers = numbers.iter().map(|it| it + (1 << 32));
            through.extend(join_all(numbers.map(|it| by_gateway(service, it))).await);
        }
        for (way, times) in [("miner", &direct), ("gateway", &through)] {
            let (first, whole) = (|it: &Times| it.first, |it: &Times| it.whole);
            println!(
                "{streams:>7}  {way:8}  {:>22}  {:>22}",
                shown(times, first),
                shown(times, whole)
            );
        }
        let median = |times: &[Times]| quantile(times, |it| it.whole, 0.5).as_secs_f64();
        let added = median(&through) / median(&direct) - 1.0;
        println!(
            "{streams:>7}  the gateway adds {:.1} % to the median of a whole answer",
            100.0 * added
        );
    }
}

/// Where the one miner is.
async fn peer(service: &Service) -> PeerAddress {
    let metagraph = service.chain.metagraph(NetUid(1)).await.unwrap();
    let hotkey = Hotkey(development_account("Dave"));
    let neuron = metagraph.by_hotkey(&hotkey).unwrap();
    let (commitment, _) = neuron.commitment.unwrap();
    PeerAddress {
        peer_key: commitment.peer_key,
        addr: neuron.axon.unwrap(),
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as u64
}

async fn directly(client: &Client, peer: &PeerAddress, service: &Service, number: u64) -> Times {
    let began = Instant::now();
    let ask = Ask {
        prompt: prompt(number),
        max_new_tokens: NEW,
        temperature_milli: 1000,
        seed: number,
    };
    let pair = development_pair("Bob");
    // Beyond the nonces that the validator itself uses.
    let signed = Signed::new(
        &pair,
        &service.context(),
        ask,
        now_ms(),
        30_000,
        (1 << 63) + number,
    );
    let mut stream = client.ask_stream(peer, signed, WITHIN);
    stream.tokens().await.unwrap();
    let first = began.elapsed();
    while stream.tokens().await.is_some() {}
    stream.finish().await.unwrap();
    Times {
        first,
        whole: began.elapsed(),
    }
}

async fn by_gateway(service: &Service, number: u64) -> Times {
    let began = Instant::now();
    let body = json!({
        "model": MODEL, "prompt": prompt(number), "max_tokens": NEW, "temperature": 1, "stream": true,
    });
    let body = body.to_string();
    let mut stream = service
        .send(
            "POST",
            "/v1/completions",
            Some(&service.key),
            "",
            body.as_bytes(),
        )
        .await;
    let mut bytes = Vec::new();
    let first = loop {
        assert!(
            stream.read_buf(&mut bytes).await.unwrap() > 0,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        if bytes.windows(6).any(|piece| piece == b"data: ") {
            break began.elapsed();
        }
    };
    stream.read_to_end(&mut bytes).await.unwrap();
    let whole = began.elapsed();
    assert!(String::from_utf8_lossy(&bytes).contains("[DONE]"));
    Times { first, whole }
}

fn quantile(times: &[Times], of: fn(&Times) -> Duration, share: f64) -> Duration {
    let mut sorted: Vec<Duration> = times.iter().map(of).collect();
    sorted.sort_unstable();
    sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
}

fn shown(times: &[Times], of: fn(&Times) -> Duration) -> String {
    let millis = |share| quantile(times, of, share).as_secs_f64() * 1000.0;
    format!("{:.2} / {:.2} ms", millis(0.5), millis(0.99))
}

/// Opens many streams whose clients read nothing, and says what each adds to this process.
async fn memory(service: &Service) {
    let before = resident_kib();
    let mut open = Vec::with_capacity(OPEN);
    let mut peak = before;
    for number in 0..OPEN as u64 {
        let body =
            json!({"model": MODEL, "prompt": prompt(number), "max_tokens": NEW, "stream": true});
        let body = body.to_string();
        open.push(
            service
                .send(
                    "POST",
                    "/v1/completions",
                    Some(&service.key),
                    "",
                    body.as_bytes(),
                )
                .await,
        );
        peak = peak.max(resident_kib());
    }
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        peak = peak.max(resident_kib());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let each = peak.saturating_sub(before) as f64 / OPEN as f64;
    println!(
        "{OPEN} streams open at once, unread: {each:.1} KiB each, both ends of the socket's buffers and the miner included"
    );
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1))
        .unwrap()
        .parse()
        .unwrap()
}
