//! What a miner is told at its start, and why it may not start.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use athanor_chain::{Client, CommitError, ReadError, Signer};
use athanor_distill::{shard::Shard, source::Source, worker::WorkerError};
use athanor_model::{DeviceChoice, WeightFormat, engine::LoadError};
use athanor_net::{IdentityFileError, Ways};
use athanor_node::{Feed, Metrics, axon::AnnounceError};
use athanor_spec::{Hotkey, NetUid, SubnetSpec};
use thiserror::Error;

use crate::{
    Behaviour, CheckpointRefused, admission::Allowance, control::ControlError,
    rollback::RollbackError,
};

/// Everything that a miner needs.
pub struct MinerConfig {
    /// The chain.
    pub chain: Client,
    /// What signs for the hotkey, which is registered on the subnet.
    pub hotkey: Signer,
    /// The subnet's spec, which also names the subnet.
    pub spec: SubnetSpec,
    /// Where to accept connections (port 0 takes a free one), and how to be found.
    pub ways: Ways,
    /// The address announced on chain; port 0 stands for the one listened on. `None`: the one listened on, or where that is
    /// every one, what relays and bootstrap peers find out.
    pub external: Option<SocketAddr>,
    /// The miner's own directory: its peer identity, its checkpoints, its trainer's state.
    pub data_dir: PathBuf,
    /// Directory of the checkpoint to serve. A miner that is started again with the same one goes on with what it
    /// committed to last, if it still has it.
    pub model: PathBuf,
    /// Where the model computes.
    pub device: DeviceChoice,
    /// How the model serves.
    pub engine: EngineSettings,
    /// How much each asker may use.
    pub allowance: Allowance,
    /// How the service is kept.
    pub upkeep: Upkeep,
    /// How the student is improved beside serving. `None`: it stays as it is.
    pub distill: Option<DistillSettings>,
    /// How asks become answers; anything but the default is for adversaries.
    pub behaviour: Behaviour,
    /// Who is told what happens.
    pub feed: Feed,
    /// What is told of the chain to whoever watches.
    pub metrics: Metrics,
}

/// How the service is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// How long requests that were admitted may take after the end was asked for.
    pub drain: Duration,
    /// Bytes that the data directory may take: old checkpoints beyond go. `None`: only the newest few stay.
    pub quota: Option<u64>,
}

impl Default for Upkeep {
    /// Longer than any answer that a validator still waits for.
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(20),
            quota: None,
        }
    }
}

/// What can change while a miner runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tunables {
    /// How much each asker may use.
    pub allowance: Allowance,
    /// How the service is kept.
    pub upkeep: Upkeep,
    /// See [`MinerConfig::external`].
    pub external: Option<SocketAddr>,
    /// Share of the time that training takes, in (0, 1]. `None`: as it is.
    pub duty: Option<f64>,
}

/// How the engine serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Answers drawn together.
    pub slots: usize,
    /// Asks that may wait beside them, in a line for each asker; more are refused as `Overloaded`.
    pub queue: usize,
    /// How the weights are kept in memory.
    pub weights: WeightFormat,
}

impl Default for EngineSettings {
    /// Two validators' asks of one round at once, drawn eight at a time.
    fn default() -> Self {
        Self {
            slots: 8,
            queue: 64,
            weights: WeightFormat::F32,
        }
    }
}

/// How a student is improved.
#[derive(Clone)]
pub struct DistillSettings {
    /// The opened teacher; miners of one process share it.
    pub source: Arc<Source>,
    /// What the teacher said about the first examples, recorded before. `None`: the trainer records it itself.
    pub shard: Option<Arc<Shard>>,
    /// Seed of the order of examples and of the student's rollouts.
    pub seed: u64,
    /// Where the student is trained; a card may also serve.
    pub device: DeviceChoice,
    /// Share of one core, or of a card's time, that the trainer takes while no request is in flight, in (0, 1].
    pub duty: f64,
    /// Steps between two candidates for publication.
    pub judge_every: u64,
}

/// Why a miner does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The directory cannot be used.
    #[error("cannot use the data directory {}: {source}", path.display())]
    DataDir {
        /// The directory or a file in it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The peer identity cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityFileError),
    /// The checkpoint cannot be served.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointRefused),
    /// What it was told to go back to cannot be served.
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    /// The model cannot be loaded.
    #[error("the model cannot be loaded: {0}")]
    Load(#[from] LoadError),
    /// The network does not start.
    #[error(transparent)]
    Net(#[from] athanor_net::StartError),
    /// Every interface is listened on, but which address others reach is unknown.
    #[error(
        "which address others reach is not known, and no relay or bootstrap peer has told: say it with --axon.external_ip, \
         or name one that is up with --net.relays or --net.bootstrap"
    )]
    NoExternalAddress,
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ReadError),
    /// The hotkey holds no slot on the subnet.
    #[error(
        "{hotkey} is not registered on subnet {netuid}: register first (`athanor-miner register`)"
    )]
    NotRegistered {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The socket on which it is asked cannot be listened on.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The address was not announced.
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    /// The checkpoint was not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The trainer does not start.
    #[error("distillation cannot start: {0}")]
    Distill(#[from] WorkerError),
}
