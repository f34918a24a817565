//! What a devnet is made of: where it listens, when it seals, which clock it keeps, where it keeps its state and what it
//! grants its clients.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use crate::genesis::Genesis;

/// One TAO in rao.
pub const TAO: u64 = 1_000_000_000;

/// Everything that [`spawn`](crate::spawn) needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the WebSocket server listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// When blocks are made.
    pub sealing: Sealing,
    /// Which time the blocks carry.
    pub clock: Clock,
    /// The state of block 0.
    pub genesis: Genesis,
    /// Directory that the chain is kept in, created if it is missing; `None` keeps it in memory only.
    pub base_path: Option<PathBuf>,
    /// How much of the past can be read.
    pub keep: Keep,
    /// What clients may ask for.
    pub limits: Limits,
    /// Whether the `dev_*` methods that make things go wrong exist.
    pub faults: bool,
}

impl Config {
    /// A devnet in memory, on a free loopback port, whose blocks are made only on request, twelve virtual seconds
    /// apart: equal extrinsics in equal blocks give equal block hashes.
    pub fn deterministic(genesis: Genesis) -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            sealing: Sealing::Manual,
            clock: Clock::Virtual,
            genesis,
            base_path: None,
            keep: Keep::default(),
            limits: Limits::default(),
            faults: false,
        }
    }
}

/// When blocks are made. A block is best and final as soon as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Only on request, by [`Devnet::seal`](crate::Devnet::seal) or the RPC method `dev_newBlock`.
    Manual,
    /// One every interval, with or without extrinsics.
    Interval(Duration),
    /// One as soon as an extrinsic enters the pool.
    Instant,
}

/// Which time the blocks carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's time, at least one millisecond after the parent block's.
    Wall,
    /// The parent block's time plus the block time of the genesis: independent of the machine.
    Virtual,
}

/// How much of the past can be read, in blocks. What is older costs no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Newest states, at least 1: what clients that read a recent block need. Older ones are answered with "State
    /// already discarded".
    pub states: u32,
    /// Newest headers and bodies in memory, at least 1 and more than the longest mortal era that clients use. With a
    /// [`Config::base_path`], older ones are read from disk.
    pub blocks: u32,
}

impl Default for Keep {
    /// 256 states and 4,096 blocks.
    fn default() -> Self {
        Self {
            states: 256,
            blocks: 4_096,
        }
    }
}

/// What clients may ask for. Whoever asks for more is refused with an error of its own; nobody else notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: u32,
    /// Subscriptions that one connection holds at a time.
    pub subscriptions: u32,
    /// Bytes of a request; an extrinsic is smaller than a block.
    pub request_bytes: u32,
    /// Bytes of an answer; metadata and listings of large maps stay well below the default.
    pub response_bytes: u32,
    /// Requests in one batch.
    pub batch: u32,
    /// Requests of all clients that wait for their turn.
    pub queue: usize,
}

impl Default for Limits {
    /// 256 connections of 256 subscriptions each, requests of 16 MiB, answers of 64 MiB, batches of 1,024 and as many
    /// requests in waiting.
    fn default() -> Self {
        Self {
            connections: 256,
            subscriptions: 256,
            request_bytes: 16 << 20,
            response_bytes: 64 << 20,
            batch: 1_024,
            queue: 1_024,
        }
    }
}
