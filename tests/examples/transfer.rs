//! How fast a blob crosses a line, beside a plain TCP copy of the same bytes over the same line.
//!
//! ```text
//! transfer serve --at IP:PORT --size MIB
//! transfer fetch --from IP:PORT --size MIB [--rounds N]
//! ```
//!
//! Both ends know the bytes, which are the first of a hash's endless output. Every round copies them three times, each time to a
//! synced file and over a connection of its own, whose making is part of the time: by plain TCP (from the port after PORT),
//! neither encrypted nor verified; by the blob protocol over TCP; and over QUIC. `scripts/transfer.sh` puts a wire between the ends.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::Instant,
};

use athanor_net::{BlobStore, Identity, InboundRequest, NetConfig, PeerAddress, start};
use athanor_spec::{
    Digest, Fetch, Hotkey, Refusal, Signed, SubnetSpec,
    wire::{Request, Response},
};
use clap::{Args, Parser};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SERVER: [u8; 32] = [2; 32];

#[derive(Parser)]
enum Arguments {
    /// Serve the bytes both ways until killed
    Serve {
        /// Where; plain TCP is served at the port after it
        #[arg(long)]
        at: SocketAddr,
        #[command(flatten)]
        blob: Blob,
    },
    /// Fetch them each way in turn and print how fast, in megabits a second
    Fetch {
        /// Where they are served
        #[arg(long)]
        from: SocketAddr,
        #[command(flatten)]
        blob: Blob,
        /// How often each way
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
}

#[derive(Args)]
struct Blob {
    /// Mebibytes
    #[arg(long)]
    size: usize,
}

impl Blob {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.size << 20];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    match Arguments::parse() {
        Arguments::Serve { at, blob } => serve(at, &blob, directory.path()).await,
        Arguments::Fetch { from, blob, rounds } => {
            fetch(from, &blob, rounds, directory.path()).await
        }
    }
}

async fn serve(at: SocketAddr, blob: &Blob, directory: &Path) -> Result<(), Failure> {
    let path = directory.join("content");
    fs::write(&path, blob.bytes())?;
    let limits = SubnetSpec::local().limits;
    let store = BlobStore::open(&directory.join("trees"), limits.max_chunk_bytes)?;
    store.add(&path)?;
    let listener = TcpListener::bind(beside(at))?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever goes away is served no more.
            let _ = stream.and_then(|mut stream| io::copy(&mut File::open(&path)?, &mut stream));
        }
    });
    let (_client, mut inbound, _handle) = start(NetConfig {
        listen: vec![at],
        inbound_queue: 256,
        ..NetConfig::new(Identity::from_seed(SERVER), limits)
    })
    .await?;
    println!("ready");
    while let Some(InboundRequest { request, reply, .. }) = inbound.recv().await {
        let Request::Fetch(fetch) = request else {
            reply.send(Response::Refused(Refusal::UnknownBlob));
            continue;
        };
        let store = store.clone();
        tokio::task::spawn_blocking(move || {
            let slice = store.slice(&fetch.payload);
            reply.send(slice.map_or_else(Response::Refused, Response::Slice));
        });
    }
    Ok(())
}

async fn fetch(
    from: SocketAddr,
    blob: &Blob,
    rounds: usize,
    directory: &Path,
) -> Result<(), Failure> {
    let bytes = blob.bytes();
    let (length, digest) = (bytes.len(), Digest(*blake3::hash(&bytes).as_bytes()));
    drop(bytes);
    let to = directory.join("fetched");
    let peer = PeerAddress {
        peer_key: Identity::from_seed(SERVER).peer_key(),
        addr: from,
    };
    let mut seconds = [const { Vec::new() }; 3];
    for round in 0..rounds {
        let mut ways = [0, 1, 2];
        // What drifts meets each way alike.
        if round % 2 == 1 {
            ways.reverse();
        }
        for way in ways {
            let mut ending = None;
            let begin = Instant::now();
            match way {
                0 => copied(beside(from), length, &to)?,
                way => {
                    let identity = Identity::from_seed([10 + (3 * round + way) as u8; 32]);
                    let (client, _inbound, handle) = start(NetConfig {
                        quic: way == 2,
                        ..NetConfig::new(identity, SubnetSpec::local().limits)
                    })
                    .await?;
                    client
                        .fetch(&peer, digest, length as u64, unsigned, &to)
                        .await?;
                    // The next way must not meet its farewell on the line.
                    ending = Some(handle);
                }
            }
            seconds[way].push(begin.elapsed().as_secs_f64());
            if let Some(ending) = ending {
                ending.shutdown().await;
            }
            fs::remove_file(&to)?;
        }
    }
    let [plain, tcp, quic] = seconds.map(median);
    let mbit = |seconds: f64| length as f64 * 8e-6 / seconds;
    println!(
        "{:>10.1} {:>10.1} {:>6.2} {:>10.1} {:>6.2}",
        mbit(plain),
        mbit(tcp),
        plain / tcp,
        mbit(quic),
        plain / quic
    );
    Ok(())
}

/// Where the plain copy is served.
fn beside(at: SocketAddr) -> SocketAddr {
    SocketAddr::new(at.ip(), at.port() + 1)
}

fn copied(from: SocketAddr, length: usize, to: &Path) -> io::Result<()> {
    let mut stream = TcpStream::connect(from)?;
    let mut target = File::create(to)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut left = length;
    loop {
        match stream.read(&mut buffer)? {
            0 if left == 0 => return target.sync_all(),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                target.write_all(&buffer[..read])?;
                left -= read;
            }
        }
    }
}

fn unsigned(fetch: Fetch) -> Signed<Fetch> {
    Signed {
        payload: fetch,
        signer: Hotkey([1; 32]),
        issued_ms: 2,
        expires_ms: 3,
        nonce: 4,
        signature: [5; 64],
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
