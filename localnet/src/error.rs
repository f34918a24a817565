//! Why the local subnet did not start, or ended.

use std::path::PathBuf;

use athanor_chain::{ConnectError, ReadError, RegisterError, StakeError, WalletError};
use athanor_model::checkpoint::CheckpointError;
use athanor_spec::{Hotkey, params::SpecError};
use thiserror::Error;

use crate::adversary::AttackError;

/// Why the local subnet did not start, or ended.
#[derive(Debug, Error)]
pub enum LocalnetError {
    /// A file that was named cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The spec is not valid.
    #[error("{}:{source}", path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: SpecError,
    },
    /// The chain did not start, mostly because its port is taken.
    #[error("{0} (is another local subnet running? --port 0 takes a free port)")]
    Devnet(#[from] athanor_devnet::SpawnError),
    /// Events cannot be served.
    #[error(transparent)]
    Events(#[from] athanor_node::feed::ServeFeedError),
    /// The chain cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ReadError),
    /// A registration failed.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// A stake failed.
    #[error(transparent)]
    Stake(#[from] StakeError),
    /// A registration went through and the neuron is not there.
    #[error("{hotkey} registered, but holds no slot: more participants than slots?")]
    NotRegistered {
        /// Whose.
        hotkey: Hotkey,
    },
    /// A wallet cannot be written or read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// A checkpoint cannot be made or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A student cannot be made from the teacher.
    #[error(transparent)]
    Student(#[from] athanor_distill::init::StudentError),
    /// The bundled teacher cannot be unpacked.
    #[error(transparent)]
    Teacher(#[from] athanor_distill::bundled::BundledError),
    /// The teacher cannot be learnt from.
    #[error(transparent)]
    Source(#[from] athanor_distill::source::SourceError),
    /// The teacher cannot be recorded.
    #[error(transparent)]
    Record(#[from] athanor_distill::shard::RecordError),
    /// An attack cannot be played.
    #[error("the attack {name} cannot be played: {source}")]
    Attack {
        /// Its name.
        name: &'static str,
        /// Cause.
        source: Box<AttackError>,
    },
    /// The chain's address does not parse.
    #[error(transparent)]
    Endpoint(#[from] athanor_chain::ParseEndpointError),
    /// A background task panicked.
    #[error("a background task panicked: {0}")]
    Panicked(#[from] tokio::task::JoinError),
    /// A miner did not start.
    #[error("miner {name}: {source}")]
    Miner {
        /// Its wallet.
        name: String,
        /// Cause.
        source: Box<athanor_miner::StartError>,
    },
    /// A validator did not start.
    #[error("validator {name}: {source}")]
    Validator {
        /// Its wallet.
        name: String,
        /// Cause.
        source: Box<athanor_validator::StartError>,
    },
    /// A miner ended by itself.
    #[error("a miner ended: {0}")]
    MinerEnded(#[from] athanor_miner::RunError),
    /// A validator ended by itself.
    #[error("a validator ended: {0}")]
    ValidatorEnded(#[from] athanor_validator::RunError),
    /// The gateway's key cannot be made.
    #[error(transparent)]
    Keys(#[from] athanor_validator::gateway::KeysError),
    /// Logging cannot be set up.
    #[error(transparent)]
    Logging(#[from] athanor_node::logging::LoggingError),
    /// Two validators do not rank the miners alike.
    #[error("the validators agree by a tau of {tau:.3} only, less than the {enough} asked for")]
    Disagreement {
        /// Kendall's tau-b.
        tau: f64,
        /// The least that is enough.
        enough: f64,
    },
    /// Attacks earned more than they may.
    #[error("cheating pays: {attacks} earned more than the bound")]
    AttacksPay {
        /// Which, by name.
        attacks: String,
    },
    /// A miner was accused that did not cheat.
    #[error("an honest miner was accused: {what}")]
    HonestAccused {
        /// Who, of what, by whom.
        what: String,
    },
    /// Nobody was paid while attacks were played.
    #[error(
        "no epoch paid anybody while these attacks were measured: {attacks} (play more --epochs, or slower blocks by --block-time)"
    )]
    Unmeasured {
        /// Which, by name.
        attacks: String,
    },
    /// No round was closed in which there was anything to agree on.
    #[error("no round ended in which both validators graded every miner")]
    NoAgreement,
    /// The process cannot listen for signals.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// The terminal failed.
    #[error(transparent)]
    Terminal(#[from] athanor_tui::RunError),
    /// The recording cannot be written.
    #[error(transparent)]
    Recording(#[from] athanor_tui::source::recording::RecordingError),
    /// The stream of blocks ended.
    #[error(transparent)]
    Blocks(#[from] athanor_chain::BlocksError),
    /// The report does not encode.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}
