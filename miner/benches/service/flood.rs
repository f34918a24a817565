//! What a flood of refused asks costs a miner, and those whom it serves.
//!
//! The miner, the flooding peer and the honest validator are processes of their own. On a machine with two cores or more, the miner
//! has the first to itself, so that what it loses to a flood is what refusing costs it, and not what flooding costs the flooder.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use athanor_model::Checkpoint;
use athanor_net::{AskError, PeerAddress};
use athanor_spec::{Digest, Signed};
use futures::future::join_all;
use tokio::time::{MissedTickBehavior, interval_at};

use crate::stand::{Asker, Asks, Miner, WITHIN, quantile};

/// How long each flood lasts.
const FLOOD: Duration = Duration::from_secs(5);
/// Requests that a flooding peer keeps in flight.
const IN_FLIGHT: u32 = 128;
/// Streams that are served meanwhile.
const STREAMS: usize = 8;
/// Floods beside those streams: what is sent, and how often a second. Zero: as fast as it goes.
const FLOODS: [(Kind, u32); 9] = [
    (Kind::Stranger, 1000),
    (Kind::Stranger, 2000),
    (Kind::Stranger, 5000),
    (Kind::Stranger, 10_000),
    (Kind::Stranger, 0),
    (Kind::Replay, 5000),
    (Kind::Replay, 0),
    (Kind::Forged, 5000),
    (Kind::Forged, 0),
];

/// What flooding peers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Well signed asks of somebody who is not on the roster.
    Stranger,
    /// The same well signed ask again and again.
    Replay,
    /// Asks in a validator's name without its signature.
    Forged,
}

const KINDS: [Kind; 3] = [Kind::Stranger, Kind::Replay, Kind::Forged];

pub(crate) async fn measure(vocabulary: u32) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let apart = cores > 1 && keep_to(&format!("1-{}", cores - 1));
    let mut miner = spawn(apart.then_some("0"), &["serve"]);
    let address = read_address(&mut miner.said);
    println!(
        "\nfloods of {} s from one peer; the miner {}",
        FLOOD.as_secs(),
        match apart {
            true => "has a core to itself",
            false => "shares its core with flood and validator",
        }
    );
    println!(
        "{:>9} {:>9}  {:>22} {:>22}",
        "flood", "refused/s", "us of miner a refusal", "us of flooder"
    );
    for kind in KINDS {
        let before = busy(miner.id());
        let (refused, flooder) = flooded(kind, 0, &address).await;
        let each = |seconds: f64| seconds * 1e6 / refused as f64;
        println!(
            "{:>9} {:>9.0}  {:>22.1} {:>22.1}",
            name(kind),
            refused as f64 / FLOOD.as_secs_f64(),
            each(busy(miner.id()) - before),
            each(flooder),
        );
    }

    // A peer whose nonces are not those of another table's.
    let honest = Asker::new(3, 1).await;
    let asks = Asks::new(vocabulary, 1);
    println!("{STREAMS} streams of a validator beside a flood; milliseconds, and shares of a core");
    println!(
        "{:>9} {:>7} {:>9} {:>6} {:>8} {:>9}  {:>9} {:>9}  {:>9} {:>9}",
        "flood",
        "asks/s",
        "refused/s",
        "miner",
        "flooder",
        "answered",
        "first p50",
        "first p99",
        "whole p50",
        "whole p99"
    );
    let quiet = [(None, 0)].into_iter();
    for (kind, rate) in quiet.chain(FLOODS.map(|(kind, rate)| (Some(kind), rate))) {
        let before = busy(miner.id());
        let end = Instant::now() + FLOOD;
        let served = join_all((0..STREAMS).map(|_| async {
            let mut times = Vec::new();
            while Instant::now() < end {
                times.push(honest.through(&address, asks.next()).await);
            }
            times
        }));
        let flooding = async {
            match kind {
                Some(kind) => flooded(kind, rate, &address).await,
                None => (0, 0.0),
            }
        };
        let (served, (refused, flooder)) = tokio::join!(served, flooding);
        let served = served.concat();
        let first: Vec<Duration> = served.iter().map(|it| it.first).collect();
        let whole: Vec<Duration> = served.iter().map(|it| it.whole).collect();
        let cores = |seconds: f64| seconds / FLOOD.as_secs_f64();
        println!(
            "{:>9} {:>7} {:>9.0} {:>6.2} {:>8.2} {:>9}  {:>9.2} {:>9.2}  {:>9.2} {:>9.2}",
            kind.map_or("none", name),
            match rate {
                0 => "-".to_owned(),
                rate => rate.to_string(),
            },
            refused as f64 / FLOOD.as_secs_f64(),
            cores(busy(miner.id()) - before),
            cores(flooder),
            served.len(),
            quantile(&first, 0.5),
            quantile(&first, 0.99),
            quantile(&whole, 0.5),
            quantile(&whole, 0.99),
        );
    }
}

/// A process of this program's.
struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Process {
    fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts this program with these arguments, on the given cores if `taskset` is there.
fn spawn(cores: Option<&str>, arguments: &[&str]) -> Process {
    let program = std::env::current_exe().expect("this program is a file");
    let mut command = match cores {
        Some(cores) => {
            let mut command = Command::new("taskset");
            command.args(["-c", cores]).arg(program);
            command
        }
        None => Command::new(program),
    };
    let mut child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts");
    let said = BufReader::new(child.stdout.take().expect("it is piped"));
    Process { child, said }
}

/// Keeps this process and those that it starts from now on to some cores; whether that went well.
fn keep_to(cores: &str) -> bool {
    let pinned = Command::new("taskset")
        .args(["-a", "-p", "-c", cores, &std::process::id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    pinned.is_ok_and(|status| status.success())
}

/// Seconds of processor time that a process has used up, to a hundredth.
fn busy(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux tells");
    // The name in brackets may hold anything: the fields are counted behind it. User and system time are the twelfth and
    // thirteenth, in ticks of a hundredth of a second, which is what Linux tells every process.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|it| it.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Stranger => "stranger",
        Kind::Replay => "replay",
        Kind::Forged => "forged",
    }
}

/// Lets another process flood; how much was refused, and the seconds of processor time that this took there.
async fn flooded(kind: Kind, rate: u32, address: &PeerAddress) -> (u64, f64) {
    let arguments = [
        "pour".to_owned(),
        name(kind).to_owned(),
        rate.to_string(),
        address.addr.to_string(),
        address.peer_key.to_string(),
    ];
    let flood = tokio::task::spawn_blocking(move || {
        let mut flooder = spawn(None, &arguments.each_ref().map(String::as_str));
        let mut line = String::new();
        flooder
            .said
            .read_line(&mut line)
            .expect("it says what it did");
        line
    });
    let line = flood.await.expect("it is read");
    let mut figures = line.split_whitespace();
    let refused = figures.next().and_then(|it| it.parse().ok());
    let busy = figures.next().and_then(|it| it.parse().ok());
    (refused.expect("refusals"), busy.expect("seconds"))
}

/// What the process that serves does: `serve`.
pub(crate) async fn serve(checkpoint: &Checkpoint, directory: &std::path::Path) {
    let miner = Miner::start(directory, checkpoint).await;
    println!("{} {}", miner.address.addr, miner.address.peer_key);
    std::future::pending().await
}

fn address(addr: &str, peer_key: &str) -> PeerAddress {
    PeerAddress {
        addr: addr.parse::<SocketAddr>().expect("an address"),
        peer_key: peer_key.parse::<Digest>().expect("a key"),
    }
}

fn read_address(said: &mut impl BufRead) -> PeerAddress {
    let mut line = String::new();
    said.read_line(&mut line)
        .expect("the miner says where it is");
    let (addr, peer_key) = line.trim().split_once(' ').expect("two words");
    address(addr, peer_key)
}

/// What the process that floods does: `pour KIND RATE ADDR KEY`.
pub(crate) async fn pour(arguments: &[String], vocabulary: u32) {
    let [kind, rate, addr, peer_key] = arguments else {
        panic!("pour KIND RATE ADDR KEY");
    };
    let kind = KINDS
        .into_iter()
        .find(|it| name(*it) == kind)
        .expect("a kind");
    let rate: u32 = rate.parse().expect("a rate");
    let address = address(addr, peer_key);
    let seed = if kind == Kind::Stranger { 9 } else { 2 };
    let peer = Asker::new(50 + kind as u8, seed).await;
    // Other than those of the floods before.
    peer.nonce
        .fetch_add(u64::from(std::process::id()) << 40, Ordering::Relaxed);
    let asks = Asks::new(vocabulary, u64::from(std::process::id()));
    let first = peer.sign(asks.next());
    if kind == Kind::Replay {
        let answered = peer.client.ask(&address, first.clone(), WITHIN).await;
        answered.expect("the first of all replays is none");
    }
    let refused = AtomicU64::new(0);
    let begin = tokio::time::Instant::now();
    let end = begin + FLOOD;
    let hoses = (0..IN_FLIGHT).map(|hose| {
        let (peer, refused, first) = (&peer, &refused, &first);
        async move {
            let period = Duration::from_secs_f64(f64::from(IN_FLIGHT) / f64::from(rate.max(1)));
            let mut pace = interval_at(begin + period * hose / IN_FLIGHT, period);
            // Who is behind sends less, not all at once.
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while tokio::time::Instant::now() < end {
                if rate > 0 {
                    pace.tick().await;
                }
                let nonce = peer.nonce.fetch_add(1, Ordering::Relaxed);
                let ask = match kind {
                    Kind::Replay => first.clone(),
                    Kind::Stranger => Signed {
                        nonce,
                        ..first.clone()
                    },
                    Kind::Forged => Signed {
                        nonce,
                        signature: [3; 64],
                        ..first.clone()
                    },
                };
                match peer.client.ask(&address, ask, WITHIN).await {
                    Err(AskError::Refused(_)) => {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    // The network has its own limits, and says so by closing.
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                    Ok(_) => panic!("what should be refused is answered"),
                }
            }
        }
    });
    join_all(hoses).await;
    println!("{} {}", refused.into_inner(), busy(std::process::id()));
}
