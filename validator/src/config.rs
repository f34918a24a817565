//! What a validator needs to start, and why it may not.

use std::{net::SocketAddr, path::PathBuf};

use athanor_chain::{ConnectError, Endpoints, ReadError};
use athanor_model::{DeviceChoice, checkpoint::CheckpointError, engine, tokenizer::TokenizerError};
use athanor_net::Ways;
use athanor_node::{Feed, Metrics};
use athanor_scoring::evidence::Calibration;
use athanor_spec::{BlockNumber, Digest, Epoch, Hotkey, NetUid, Round, SubnetSpec, Uid};
use serde::Serialize;
use sp_core::sr25519;
use thiserror::Error;

use crate::{
    archive::ArchiveError,
    artifacts::ArtifactError,
    audit::AuditError,
    book::BookError,
    gateway::{GatewayConfig, GatewayError},
    probe::ProbeError,
};

/// Everything that a validator runs on.
#[derive(Clone)]
pub struct ValidatorConfig {
    /// The chain's nodes, best first.
    pub endpoints: Endpoints,
    /// The key that asks, scores and sets weights.
    pub hotkey: sr25519::Pair,
    /// The rules of the subnet.
    pub spec: SubnetSpec,
    /// Directory of the teacher, in Hugging Face layout with a manifest.
    pub teacher: PathBuf,
    /// Directory of the ledger and of the artifact cache; created when absent.
    pub data_dir: PathBuf,
    /// Where transcripts are served to anybody (port 0 takes a free one; without an address: nowhere), and how to find others
    /// and be found.
    pub ways: Ways,
    /// Where others reach that address, if it is another; port 0 stands for the one that was taken.
    pub external: Option<SocketAddr>,
    /// What becomes of weights and of everything else that would go on chain.
    pub submission: Submission,
    /// Rounds after which to end; `None`: never.
    pub rounds: Option<u64>,
    /// Where replays run.
    pub device: DeviceChoice,
    /// Bytes that the students which replays keep loaded may take, and what is remembered of the teacher.
    pub replay_memory: u64,
    /// Bytes that the cache of fetched checkpoints may take; `None`: any number, until they are unused for a day.
    pub artifact_quota: Option<u64>,
    /// The table that turns tokens into evidence.
    pub calibration: Calibration,
    /// Where events go.
    pub feed: Feed,
    /// What is told of the chain and of the weights to whoever watches.
    pub metrics: Metrics,
    /// How users are served; `None`: not at all.
    pub gateway: Option<GatewayConfig>,
}

/// What becomes of weights and of everything else that would go on chain.
#[derive(Clone, Copy, Debug)]
pub enum Submission {
    /// It goes there.
    Chain,
    /// No extrinsic is sent at all: commitments and the axon stay as they are, and what would be set is shown by this
    /// function.
    Dry(fn(&WouldSet)),
}

/// The weights that a dry run would have set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WouldSet {
    /// The subnet's epoch.
    pub epoch: Epoch,
    /// What follows from the round, by ascending UID.
    pub weights: Vec<(Uid, u16)>,
    /// Why a validator that is no dry run would have set none; `None` if it would have set these.
    pub hindrance: Option<String>,
}

impl Submission {
    /// Whether no extrinsic is sent.
    pub fn is_dry(&self) -> bool {
        matches!(self, Self::Dry(_))
    }
}

impl ValidatorConfig {
    /// The subnet's number.
    pub fn netuid(&self) -> NetUid {
        self.spec.subnet.netuid
    }
}

/// Why a validator did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The transcripts cannot be kept.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The thread that compares models does not start.
    #[error("cannot start the thread that compares models: {0}")]
    Thread(std::io::Error),
    /// The data directory cannot be made.
    #[error("cannot create the data directory {}: {source}", path.display())]
    DataDir {
        /// Where.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The ledger cannot be opened.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The chain cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The hotkey has no slot.
    #[error(
        "hotkey {hotkey} is not registered on subnet {netuid}: register it first (`athanor-validator register --netuid {netuid}`)"
    )]
    NotRegistered {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The teacher does not verify or load.
    #[error("the teacher {} cannot be used: {source}", path.display())]
    Teacher {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: CheckpointError,
    },
    /// The teacher's tokenizer does not load.
    #[error("the teacher {} cannot be used: {source}", path.display())]
    Tokenizer {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: TokenizerError,
    },
    /// The teacher's engine does not start.
    #[error("the teacher's engine does not start: {0}")]
    Engine(#[from] engine::LoadError),
    /// The teacher speaks another vocabulary than the spec.
    #[error(
        "the teacher's vocabulary has {found} tokens, but `subnet.vocab_size` is {expected}: use the subnet's teacher"
    )]
    Vocabulary {
        /// Of the teacher.
        found: usize,
        /// Of the spec.
        expected: u32,
    },
    /// The teacher cannot do what the spec asks of students.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The replay thread does not start.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The artifact cache cannot be made.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The journal of committed weights cannot be used.
    #[error(transparent)]
    Weights(#[from] athanor_chain::JournalError),
    /// What is to be served cannot be.
    #[error(transparent)]
    Blobs(#[from] athanor_net::AddBlobError),
    /// The socket on which it is asked cannot be listened on.
    #[error(transparent)]
    Control(#[from] athanor_node::control::ControlError),
    /// The network's key cannot be read or made.
    #[error(transparent)]
    Identity(#[from] athanor_net::IdentityFileError),
    /// Users cannot be served.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The network does not start.
    #[error(transparent)]
    Net(#[from] athanor_net::StartError),
}

/// Why a round was not closed.
#[derive(Debug, Error)]
pub enum CloseError {
    /// The ledger failed: going on would lose records.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The transcript cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The work panicked.
    #[error("closing the round panicked: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// Why a round did not begin.
#[derive(Debug, Error)]
pub enum BeginError {
    /// The chain cannot be read; it may be read with the next block.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An open round before it cannot be closed.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// The ledger failed.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The ledger is of another chain, or of another hotkey.
    #[error(
        "the ledger holds round {round} of another chain or by another hotkey: choose another --data.dir for each of them"
    )]
    OtherChain {
        /// The round.
        round: Round,
    },
    /// The round was begun under another spec, before a restart.
    #[error(
        "round {round} was begun under another spec: it is left as it is, and closed with the next epoch"
    )]
    OtherSpec {
        /// The round.
        round: Round,
    },
    /// The work panicked.
    #[error("beginning the round panicked: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

impl BeginError {
    /// Whether it may pass by itself.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Read(_) | Self::OtherSpec { .. })
    }
}

/// Why a running validator ended.
#[derive(Debug, Error)]
pub enum RunError {
    /// A round cannot be begun.
    #[error(transparent)]
    Begin(BeginError),
    /// Another spec is in force than the one that it runs.
    #[error("spec {in_force} is in force{}, and this validator runs another", since.map_or_else(String::new, |block| format!(" from block {block} on")))]
    OtherSpec {
        /// The spec in force.
        in_force: Digest,
        /// The block from which on it is.
        since: Option<BlockNumber>,
    },
    /// A round cannot be closed.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// The ledger failed: going on would lose records.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The stream of blocks ended.
    #[error(transparent)]
    Blocks(#[from] athanor_chain::BlocksError),
    /// The task panicked.
    #[error("the validator's task panicked: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}
