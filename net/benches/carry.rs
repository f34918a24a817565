//! What the network costs: a blob against a plain TCP copy, an ask against a TCP echo, memory against nothing.
//!
//! Every figure stands beside its yardstick from the same run, over loopback, both ends in this process. Processor time, of
//! both ends together, says on a busy machine what the wall clock cannot. `--figures` takes a list of `blob`, `ask`, `memory`
//! and `floor`, the last being what the parts of a transfer cost by themselves.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use athanor_net::{
    BlobStore, Client, Identity, Inbound, InboundRequest, NetConfig, NetHandle, PeerAddress, start,
};
use athanor_spec::{
    Answer, Ask, Digest, Fetch, Finish, Hotkey, Refusal, Signed, SubnetSpec,
    envelope::Domain,
    wire::{Request, Response},
};
use bao::decode::SliceDecoder;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const ENOUGH: Duration = Duration::from_secs(60);
/// Bytes of the blob: larger than any cache, as a checkpoint is.
const BLOB: usize = 128 << 20;
const ROUNDS: usize = 5;
const ASKS: usize = 2000;
const NODES: usize = 64;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let figures = arguments.iter().skip_while(|a| *a != "--figures").nth(1);
    let wanted = |name: &str| figures.is_none_or(|figures| figures.split(',').any(|f| f == name));
    let runtime = tokio::runtime::Runtime::new()?;
    if wanted("memory") {
        runtime.block_on(memory())?;
    }
    if wanted("floor") {
        floor()?;
    }
    if wanted("blob") {
        runtime.block_on(blob())?;
    }
    if wanted("ask") {
        runtime.block_on(ask())?;
    }
    Ok(())
}

struct Node {
    client: Client,
    inbound: Inbound,
    handle: NetHandle,
    peer_key: Digest,
}

async fn node(seed: u8, listen: bool, quic: bool) -> Result<Node, Failure> {
    let identity = Identity::from_seed([seed; 32]);
    let peer_key = identity.peer_key();
    let (client, inbound, handle) = start(NetConfig {
        listen: if listen { vec![LOOPBACK] } else { Vec::new() },
        quic,
        inbound_queue: 256,
        ..NetConfig::new(identity, SubnetSpec::local().limits)
    })
    .await?;
    Ok(Node {
        client,
        inbound,
        handle,
        peer_key,
    })
}

fn envelope<T: Domain>(payload: T) -> Signed<T> {
    Signed {
        payload,
        signer: Hotkey([1; 32]),
        issued_ms: 2,
        expires_ms: 3,
        nonce: 4,
        signature: [5; 64],
    }
}

/// Serves asks and blobs without looking at signatures, and returns where.
fn serve(node: Node, blobs: Option<BlobStore>) -> Result<(PeerAddress, NetHandle), Failure> {
    let addr = node.handle.local_addr().ok_or("not listening")?;
    let mut inbound = node.inbound;
    tokio::spawn(async move {
        while let Some(InboundRequest { request, reply, .. }) = inbound.recv().await {
            match (request, &blobs) {
                (Request::Ask(ask), _) => reply.send(answer(&ask)),
                (Request::Fetch(fetch), Some(blobs)) => {
                    let blobs = blobs.clone();
                    tokio::task::spawn_blocking(move || {
                        let slice = blobs.slice(&fetch.payload);
                        reply.send(slice.map_or_else(Response::Refused, Response::Slice));
                    });
                }
                _ => reply.send(Response::Refused(Refusal::UnknownBlob)),
            }
        }
    });
    let address = PeerAddress {
        peer_key: node.peer_key,
        addr,
    };
    Ok((address, node.handle))
}

fn answer(ask: &Signed<Ask>) -> Response {
    Response::Answer(envelope(Answer {
        request: ask.payload.hash(),
        checkpoint: Digest([9; 32]),
        tokens: vec![7; 16],
        finish: Finish::Stop,
    }))
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

async fn blob() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("content");
    let mut bytes = vec![0; BLOB];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    fs::write(&path, &bytes)?;
    drop(bytes);
    let limits = SubnetSpec::local().limits;
    let store = BlobStore::open(&directory.path().join("trees"), limits.max_chunk_bytes)?;
    let digest = store.add(&path)?;
    let to = directory.path().join("fetched");

    let asker = node(1, false, true).await?;
    let tcp = serve(node(2, true, false).await?, Some(store.clone()))?;
    let quic = serve(node(3, true, true).await?, Some(store))?;
    let mut seconds = [const { Vec::new() }; 3];
    let mut busy = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let before = processor_seconds()?;
        seconds[0].push(plain_copy(&path, &to)?);
        busy[0].push(processor_seconds()? - before);
        for (index, (peer, _)) in [&tcp, &quic].into_iter().enumerate() {
            let (begin, before) = (Instant::now(), processor_seconds()?);
            asker
                .client
                .fetch(peer, digest, BLOB as u64, envelope, &to)
                .await?;
            seconds[index + 1].push(begin.elapsed().as_secs_f64());
            busy[index + 1].push(processor_seconds()? - before);
            fs::remove_file(&to)?;
        }
    }
    println!(
        "blob of {} MiB to a synced file, medians of {ROUNDS}",
        BLOB >> 20
    );
    let [plain, tcp, quic] = seconds.map(median);
    let [plain_busy, tcp_busy, quic_busy] = busy.map(median);
    for (name, taken, busy) in [
        ("plain TCP copy", plain, plain_busy),
        ("fetch, TCP", tcp, tcp_busy),
        ("fetch, QUIC", quic, quic_busy),
    ] {
        println!(
            "  {name:<16} {:>8.0} MB/s  {:>5.2} of plain  {:>6.2} ns of processor time a byte",
            BLOB as f64 / taken / 1e6,
            plain / taken,
            busy * 1e9 / BLOB as f64
        );
    }
    Ok(())
}

/// What one core needs for the work that a verified and encrypted transfer cannot do without, part by part.
fn floor() -> Result<(), Failure> {
    const SLICE: usize = 224 << 10;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("content");
    let mut bytes = vec![0; BLOB];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    fs::write(&path, &bytes)?;
    let limits = SubnetSpec::local().limits;
    let store = BlobStore::open(&directory.path().join("trees"), limits.max_chunk_bytes)?;
    let blob = store.add(&path)?;
    println!("one core, nanoseconds of processor time a byte");
    let print = |name: &str, before: f64| -> io::Result<()> {
        let busy = processor_seconds()? - before;
        println!("  {name:<44} {:>6.2}", busy * 1e9 / BLOB as f64);
        Ok(())
    };

    let ranges = || {
        (0..BLOB / SLICE).map(|index| Fetch {
            blob,
            offset: (index * SLICE) as u64,
            len: SLICE as u32,
        })
    };
    let before = processor_seconds()?;
    let slices: Result<Vec<Vec<u8>>, Refusal> = ranges().map(|it| store.slice(&it)).collect();
    print("read a range with its proof from disk", before)?;
    let slices = slices.map_err(|refusal| refusal.to_string())?;
    let hash = blake3::Hash::from(blob.0);
    let mut content = Vec::with_capacity(SLICE);
    let before = processor_seconds()?;
    for (fetch, slice) in ranges().zip(&slices) {
        content.clear();
        SliceDecoder::new(slice.as_slice(), &hash, fetch.offset, fetch.len.into())
            .read_to_end(&mut content)?;
    }
    print("verify it", before)?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).map_err(|_| "no key")?;
    let key = LessSafeKey::new(key);
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    let before = processor_seconds()?;
    let mut tags = Vec::new();
    for frame in bytes.chunks_mut(60 << 10) {
        let tag = key.seal_in_place_separate_tag(nonce(), Aad::empty(), frame);
        tags.push(tag.map_err(|_| "not sealed")?);
    }
    print("ChaCha20-Poly1305, one end", before)?;
    let before = processor_seconds()?;
    fs::write(directory.path().join("written"), &bytes)?;
    print("write it to a file that is not synced", before)?;
    Ok(())
}

/// Processor time that this process has used up, in seconds to a hundredth.
fn processor_seconds() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name in brackets may hold anything: the fields are counted behind it. User and system time are the twelfth and
    // thirteenth, in ticks of a hundredth of a second, which is what Linux tells every process.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|it| it.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}

/// Seconds that a copy through a loopback connection takes, neither encrypted nor verified.
fn plain_copy(from: &Path, to: &Path) -> io::Result<f64> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    let mut source = File::open(from)?;
    let begin = Instant::now();
    let sender = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        io::copy(&mut source, &mut stream)
    });
    let mut stream = TcpStream::connect(addr)?;
    let mut target = File::create(to)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            read => target.write_all(&buffer[..read])?,
        }
    }
    target.sync_all()?;
    let taken = begin.elapsed().as_secs_f64();
    sender.join().map_err(|_| io::ErrorKind::Other)??;
    fs::remove_file(to)?;
    Ok(taken)
}

async fn ask() -> Result<(), Failure> {
    let asker = node(11, false, true).await?;
    let tcp = serve(node(12, true, false).await?, None)?;
    let quic = serve(node(13, true, true).await?, None)?;
    println!(
        "round trip of an ask of 64 tokens and an answer of 16, {ASKS} in a row, microseconds"
    );
    print_latencies("TCP echo", echo()?);
    for (name, (peer, _)) in [("ask, TCP", &tcp), ("ask, QUIC", &quic)] {
        let mut taken = Vec::with_capacity(ASKS);
        for seed in 0..ASKS as u64 {
            let ask = envelope(Ask {
                prompt: vec![5; 64],
                max_new_tokens: 16,
                temperature_milli: 1000,
                seed,
            });
            let observed = asker.client.ask(peer, ask, ENOUGH).await?;
            taken.push(observed.elapsed.as_secs_f64());
        }
        print_latencies(name, taken);
    }
    Ok(())
}

/// Round trips of as many bytes as an ask and its answer have.
fn echo() -> io::Result<Vec<f64>> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    std::thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut request = [0; 393];
        loop {
            stream.read_exact(&mut request)?;
            stream.write_all(&[0; 256])?;
        }
    });
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    let mut taken = Vec::with_capacity(ASKS);
    let mut response = [0; 256];
    for _ in 0..ASKS {
        let begin = Instant::now();
        stream.write_all(&[0; 393])?;
        stream.read_exact(&mut response)?;
        taken.push(begin.elapsed().as_secs_f64());
    }
    Ok(taken)
}

fn print_latencies(name: &str, mut seconds: Vec<f64>) {
    seconds.sort_by(f64::total_cmp);
    let at = |share: f64| seconds[((seconds.len() - 1) as f64 * share) as usize] * 1e6;
    println!("  {name:<16} p50 {:>7.0}  p99 {:>7.0}", at(0.5), at(0.99));
}

/// What a hub and its peers, all in this process, hold: so each figure covers both ends.
async fn memory() -> Result<(), Failure> {
    println!("resident memory, KiB each over {NODES} (a connection's both ends)");
    for (name, quic) in [("TCP", false), ("QUIC", true)] {
        let hub = node(20, true, quic).await?;
        let hub_addr = hub.handle.local_addr().ok_or("not listening")?;
        let address = PeerAddress {
            peer_key: hub.peer_key,
            addr: hub_addr,
        };
        let mut steps = vec![resident()?];
        let mut nodes = Vec::new();
        for seed in 0..NODES as u8 {
            nodes.push(node(100 + seed, false, quic).await?);
        }
        steps.push(resident()?);
        for node in &nodes {
            node.client.status(&address, ENOUGH).await?;
        }
        steps.push(resident()?);
        // Held open: nobody takes the asks off the hub's queue.
        let held: Vec<_> = nodes
            .iter()
            .map(|node| {
                let ask = envelope(Ask {
                    prompt: vec![5; 64],
                    max_new_tokens: 16,
                    temperature_milli: 1000,
                    seed: 1,
                });
                node.client.ask_stream(&address, ask, ENOUGH)
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        steps.push(resident()?);
        drop(held);
        let each: Vec<f64> = steps
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) / NODES as f64)
            .collect();
        println!(
            "  {name:<5} node {:>6.0}  idle connection {:>6.0}  ask in flight {:>6.0}",
            each[0], each[1], each[2]
        );
    }
    Ok(())
}

/// Resident set of this process in KiB.
fn resident() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let field = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(field.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}
