//! A wire between two network namespaces that is as slow, lossy and easily cut as one between homes.
//!
//! ```text
//! wire --ends LEFT:tun0 RIGHT:tun0 [--delay MS] [--loss SHARE] [--rate MBIT] [--seed N]
//! ```
//!
//! Each end is a TUN device in a namespace of `ip netns`; whatever packet goes into one comes out of the other, later or
//! not at all. The same seed loses the same packets of the same sequence. On standard input: `cut`, `heal`; at its end
//! the devices are gone.

use std::{
    error::Error,
    ffi::c_short,
    fs::{File, OpenOptions},
    io::{self, BufRead, Read, Write},
    mem,
    os::fd::AsRawFd,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender, TrySendError},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Packets on their way at once in one direction; what comes beyond that is lost.
const PACKETS: usize = 1 << 15;
/// The longest that a packet waits for those before it on a wire with a rate: as a router's queue, what would wait longer is lost.
const QUEUE: Duration = Duration::from_millis(100);
/// Longest packet in bytes: the default MTU of a TUN device.
const MTU: usize = 1500;

#[derive(Parser)]
struct Arguments {
    /// The two ends, each as NAMESPACE:DEVICE
    #[arg(long, num_args = 2, value_names = ["LEFT", "RIGHT"])]
    ends: Vec<String>,
    /// Milliseconds that a packet takes
    #[arg(long, default_value_t = 0)]
    delay: u64,
    /// Share of the packets that are lost
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Megabits a second that the wire carries each way; without it, as many as this machine does
    #[arg(long)]
    rate: Option<f64>,
    /// Which packets those are
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let [left, right] = arguments.ends.as_slice() else {
        return Err("a wire has two ends".into());
    };
    let (left, right) = (end(left)?, end(right)?);
    let is_whole = Arc::new(AtomicBool::new(true));
    for (stream, (from, to)) in [(&left, &right), (&right, &left)].into_iter().enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
        random.set_stream(stream as u64);
        let passes = {
            let (is_whole, loss) = (is_whole.clone(), arguments.loss);
            move || is_whole.load(Ordering::Relaxed) && random.random::<f64>() >= loss
        };
        let (sender, packets) = mpsc::sync_channel::<Packet>(PACKETS);
        let (from, mut to) = (from.try_clone()?, to.try_clone()?);
        let line = Line {
            delay: Duration::from_millis(arguments.delay),
            seconds_a_byte: arguments.rate.map_or(0.0, |mbit| 8e-6 / mbit),
            free: Instant::now(),
        };
        thread::spawn(move || take(from, sender, line, passes));
        thread::spawn(move || {
            for packet in packets {
                thread::sleep(packet.due.saturating_duration_since(Instant::now()));
                // A device that is down takes no packet, as a cable that is unplugged.
                let _ = to.write(&packet.bytes);
            }
        });
    }
    println!("ready");
    for line in io::stdin().lock().lines() {
        match line?.trim() {
            "cut" => is_whole.store(false, Ordering::Relaxed),
            "heal" => is_whole.store(true, Ordering::Relaxed),
            other => eprintln!("wire: {other} is neither cut nor heal"),
        }
    }
    Ok(())
}

struct Packet {
    due: Instant,
    bytes: Vec<u8>,
}

/// One direction of the wire.
struct Line {
    delay: Duration,
    /// Zero: no rate.
    seconds_a_byte: f64,
    /// When what was sent is on its way.
    free: Instant,
}

impl Line {
    /// When a packet arrives that is sent now; `None` if the queue before the wire is full.
    fn send(&mut self, length: usize) -> Option<Instant> {
        let now = Instant::now();
        let begin = self.free.max(now);
        if begin - now > QUEUE {
            return None;
        }
        self.free = begin + Duration::from_secs_f64(length as f64 * self.seconds_a_byte);
        Some(self.free + self.delay)
    }
}

fn take(
    mut from: File,
    sender: SyncSender<Packet>,
    mut line: Line,
    mut passes: impl FnMut() -> bool,
) {
    let mut buffer = [0; MTU];
    while let Ok(length) = from.read(&mut buffer) {
        if !passes() {
            continue;
        }
        let Some(due) = line.send(length) else {
            continue;
        };
        let packet = Packet {
            due,
            bytes: buffer[..length].to_vec(),
        };
        match sender.try_send(packet) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

/// Makes a TUN device in a namespace. A thread of its own enters the namespace, and the device lives while it is open.
fn end(name: &str) -> Result<File, Box<dyn Error>> {
    let (namespace, device) = name.split_once(':').ok_or("an end is NAMESPACE:DEVICE")?;
    let namespace = PathBuf::from("/run/netns").join(namespace);
    let device = device.to_owned();
    let made = thread::spawn(move || tun(&namespace, &device)).join();
    let made = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    Ok(made.map_err(|error| format!("{name}: {error}"))?)
}

fn tun(namespace: &PathBuf, device: &str) -> io::Result<File> {
    let namespace = File::open(namespace)?;
    // SAFETY: the descriptor is open; only this thread changes its namespace.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })?;
    let tun = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: a request of zeroes is a valid one.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays zero, which ends the name.
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as c_short;
    // SAFETY: the descriptor is open and the request outlives the call.
    check(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(tun)
}

fn check(status: libc::c_int) -> io::Result<()> {
    match status {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
