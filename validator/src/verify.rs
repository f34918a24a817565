//! Check what a validator has published: anybody can, with the chain, the transcripts and the checkpoints.
//!
//! A transcript is checked from the outside in: its root against the chain, its seed against the VRF's proof, every prompt
//! against the seed, every signature, the arithmetic of every verdict, and last the replays of student and teacher, and the
//! models that are said to be of one class, which may differ by what honest hardware differs by, and those that are said to be of none.
//! A receipt of a gateway is checked by its signatures and its replay.
//! With the ledger before it, the weights of a round follow bit for bit.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use athanor_chain::{Client as Chain, ConnectError, ReadError};
use athanor_model::{
    Checkpoint, DeviceChoice, Tokenizer, checkpoint::CheckpointError, tokenizer::TokenizerError,
};
use athanor_node::{SubnetArgs, SubtensorArgs, args::SpecFileError};
use athanor_scoring::{
    evidence::{Calibration, CalibrationError},
    round::DecodeLedgerError,
    similarity::null::NullSample,
    transcript::{DecodeTranscriptError, LeafKey, Transcript},
};
use athanor_spec::{
    Digest, Hotkey, Round, SigningContext, SubnetSpec, receipt::DecodeReceiptError,
};
use clap::Args;
use thiserror::Error;

use crate::{
    audit::{AuditError, Replayer},
    likeness::Lens,
    plan::{self, PlannedAsk},
};

mod claims;
mod likenesses;
mod lineages;
mod replays;
mod report;
mod source;
mod weights;

pub use claims::Difference;
pub use likenesses::LikenessReport;
pub use lineages::LineageReport;
pub use report::{LeafReport, Report, RoundWeights};
pub use weights::{Rederived, rederive};

/// Bytes of memory for the students that stay loaded.
const REPLAY_MEMORY: u64 = 4 << 30;

/// Arguments of `verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// A transcript, a receipt, or a directory of transcripts (for --weights); fetched from --validator otherwise
    #[arg(value_name = "FILE", required_unless_present = "validator")]
    pub file: Option<PathBuf>,
    /// Validator whose transcript is fetched, and whose root and weights on chain it is held against
    #[arg(long, value_name = "HOTKEY")]
    pub validator: Option<Hotkey>,
    /// Round whose transcript is fetched [default: the last one that was closed]
    #[arg(long, value_name = "ROUND", requires = "validator")]
    pub round: Option<Round>,
    /// Which chain
    #[command(flatten)]
    pub subtensor: SubtensorArgs,
    /// Which subnet
    #[command(flatten)]
    pub subnet: SubnetArgs,
    /// Directory of the teacher, in Hugging Face layout with a manifest
    #[arg(long, value_name = "DIR")]
    pub teacher: PathBuf,
    /// Calibration of the audit [default: the one that ships with this program]
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Directory of a checkpoint that answers were drawn from; may be given more than once
    #[arg(long = "artifact", value_name = "DIR")]
    pub artifacts: Vec<PathBuf>,
    /// Where fetched transcripts and checkpoints are kept
    #[arg(long, value_name = "DIR", default_value = "athanor-verify")]
    pub cache: PathBuf,
    /// Check only this leaf, counted from 0 in the transcript's order
    #[arg(long, value_name = "INDEX")]
    pub leaf: Option<usize>,
    /// Check signatures, prompts and arithmetic only, and replay nothing
    #[arg(long = "no-replay")]
    pub no_replay: bool,
    /// Derive the weights of each round anew from the oldest ledger that is at hand, and compare them
    #[arg(long)]
    pub weights: bool,
    /// Largest difference of a token's margin, in nats, that honest hardware may make
    #[arg(long, value_name = "NATS", default_value_t = replays::MARGIN_TOLERANCE)]
    pub tolerance: f32,
    /// Where replays run: auto, cpu, or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Why nothing could be verified. What is verified and found wrong is no error but a report.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A file cannot be read or written.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The file is neither a transcript nor a receipt.
    #[error("{} is neither a transcript ({transcript}) nor a receipt ({receipt})", path.display())]
    Neither {
        /// The file.
        path: PathBuf,
        /// Why it is no transcript.
        transcript: DecodeTranscriptError,
        /// Why it is no receipt.
        receipt: DecodeReceiptError,
    },
    /// What a validator sent is no transcript.
    #[error("what {validator} serves as the transcript of round {round} is none: {source}")]
    Transcript {
        /// Who.
        validator: Hotkey,
        /// Which round.
        round: Round,
        /// Cause.
        source: DecodeTranscriptError,
    },
    /// There is no such leaf.
    #[error("the transcript has {count} leaves; there is none with index {index}")]
    NoLeaf {
        /// The index given.
        index: usize,
        /// Number of leaves.
        count: usize,
    },
    /// No ledger to begin with.
    #[error(
        "no ledger is at hand from which weights could be derived: give a directory with a validator's transcripts and ledgers, or --validator"
    )]
    NoLedger,
    /// A ledger is none.
    #[error("{} is no ledger: {source}", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: DecodeLedgerError,
    },
    /// The validator cannot be found.
    #[error("{validator} is not to be found: it has no axon or no commitment on subnet {netuid}")]
    NotFound {
        /// Who.
        validator: Hotkey,
        /// Where.
        netuid: athanor_spec::NetUid,
    },
    /// The validator does not have the transcript.
    #[error("{validator} keeps no transcript of {}", round.map_or("any round".to_owned(), |round| format!("round {round}")))]
    NotKept {
        /// Who.
        validator: Hotkey,
        /// Which round.
        round: Option<Round>,
    },
    /// The validator does not answer.
    #[error("{validator} does not say where its transcripts are: {source}")]
    Ask {
        /// Who.
        validator: Hotkey,
        /// Cause.
        source: athanor_net::AskError,
    },
    /// A transfer failed.
    #[error("the transfer failed: {0}")]
    Fetch(#[from] athanor_net::FetchError),
    /// The spec cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    /// The calibration is not valid.
    #[error("{}: {source}", path.display())]
    Calibration {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: CalibrationError,
    },
    /// A model cannot be opened.
    #[error("{} cannot be used: {source}", path.display())]
    Checkpoint {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: CheckpointError,
    },
    /// The teacher's tokenizer cannot be opened.
    #[error("the tokenizer of {} cannot be used: {source}", path.display())]
    Tokenizer {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: TokenizerError,
    },
    /// The teacher cannot be replayed.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The cache cannot be used.
    #[error(transparent)]
    Artifacts(#[from] crate::artifacts::ArtifactError),
    /// The network does not start.
    #[error(transparent)]
    Net(#[from] athanor_net::StartError),
    /// The chain cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What transcripts are held against.
pub(crate) struct Grounds {
    pub(crate) spec: SubnetSpec,
    pub(crate) calibration: Calibration,
    pub(crate) tokenizer: Tokenizer,
}

impl Grounds {
    /// The asks of a round, drawn anew from its seed.
    fn plan(&self, transcript: &Transcript) -> BTreeMap<LeafKey, PlannedAsk> {
        let head = &transcript.head;
        let encode = |text: &str| self.tokenizer.encode(text).unwrap_or_default();
        let whom = plan::whom(head);
        let planned = plan::plan(&head.seed, &whom, &self.spec, head.ask_blocks, encode);
        planned
            .into_iter()
            .filter_map(|planned| {
                let of = |miner: &&athanor_scoring::round::SeenMiner| {
                    miner.account.hotkey == planned.miner
                };
                let account = head.miners.iter().find(of)?.account;
                let key = (
                    account,
                    athanor_scoring::round::Purpose::Audit,
                    planned.index,
                );
                Some((key, planned))
            })
            .collect()
    }
}

/// The signing context that a transcript claims.
fn context_of(transcript: &Transcript) -> SigningContext {
    SigningContext {
        genesis: transcript.head.genesis,
        netuid: transcript.head.netuid,
    }
}

/// Verifies, prints what was found, and says whether everything holds.
pub async fn run(args: VerifyArgs) -> Result<bool, VerifyError> {
    let report = verify(&args).await?;
    match args.json {
        true => println!("{}", report.to_json()),
        false => println!("{report}"),
    }
    Ok(report.holds())
}

/// Verifies what the arguments name.
pub async fn verify(args: &VerifyArgs) -> Result<Report, VerifyError> {
    let spec = args.subnet.load()?;
    let calibration = match &args.calibration {
        None => Calibration::shipped(),
        Some(path) => {
            let text = source::read(path)?;
            Calibration::from_json(&String::from_utf8_lossy(&text)).map_err(|source| {
                VerifyError::Calibration {
                    path: path.clone(),
                    source,
                }
            })?
        }
    };
    let tokenizer = Tokenizer::open(&args.teacher).map_err(|source| VerifyError::Tokenizer {
        path: args.teacher.clone(),
        source,
    })?;
    let grounds = Grounds {
        spec,
        calibration,
        tokenizer,
    };
    let mut source = source::Source::open(args, &grounds).await?;
    if args.weights {
        return source.weights(args, &grounds).await;
    }
    match source.exhibit(args, &grounds).await? {
        source::Exhibit::Receipt(receipt) => {
            let mut replayer = open_replayer(args, &grounds)?;
            let context = source.context().await?;
            let checkpoint = source.checkpoint(receipt.answer.payload.checkpoint).await;
            let replay = replays::receipt(&mut replayer, &receipt, checkpoint, args.tolerance);
            Ok(report::of_receipt(&receipt, context.as_ref(), replay))
        }
        source::Exhibit::Transcript {
            transcript,
            anchored,
        } => {
            let mut report = report::of_head(&transcript, &grounds, anchored);
            let plan = grounds.plan(&transcript);
            report.planned = plan.len();
            let mut replayer = match args.no_replay {
                true => None,
                false => Some(open_replayer(args, &grounds)?),
            };
            let count = transcript.leaves.len();
            let indices: Vec<usize> = match args.leaf {
                Some(index) if index < count => vec![index],
                Some(index) => return Err(VerifyError::NoLeaf { index, count }),
                None => (0..count).collect(),
            };
            for (done, index) in indices.iter().copied().enumerate() {
                let leaf = &transcript.leaves[index];
                let planned = plan.get(&leaf.key());
                let mut found = claims::leaf(&transcript, leaf, planned, &grounds);
                let replay = match &mut replayer {
                    None => None,
                    Some(replayer) => {
                        let digest = replays::checkpoint_of(leaf);
                        let checkpoint = match digest {
                            Some(digest) => source.checkpoint(digest).await,
                            None => None,
                        };
                        Some(replays::leaf(
                            replayer,
                            leaf,
                            planned,
                            checkpoint,
                            args.tolerance,
                        ))
                    }
                };
                if let Some(replay) = &replay {
                    found.extend(replay.differences.iter().cloned());
                }
                report
                    .leaves
                    .push(LeafReport::of(index, leaf, found, replay));
                if (done + 1) % 32 == 0 {
                    tracing::info!(checked = done + 1, of = indices.len(), "verifying");
                }
            }
            if !args.no_replay && args.leaf.is_none() {
                let verdicts = likenesses::verdicts(&transcript);
                let lens = match verdicts.is_empty() {
                    true => None,
                    false => Some(open_lens(args)?),
                };
                for (verdict, lens) in verdicts.into_iter().zip(lens.iter().cycle()) {
                    let models = (
                        source.checkpoint(verdict.checkpoint).await,
                        source.checkpoint(verdict.like.manifest).await,
                    );
                    report.likenesses.push(likenesses::verdict(
                        &transcript,
                        &verdict,
                        models,
                        &grounds,
                        lens,
                    ));
                }
                report.lineages = lineages(&mut source, args, &transcript, &grounds).await?;
            }
            Ok(report)
        }
    }
}

/// Looks for the ledger and the checkpoints by which it follows whose models are like nobody's.
async fn lineages(
    source: &mut source::Source,
    args: &VerifyArgs,
    transcript: &Transcript,
    grounds: &Grounds,
) -> Result<Vec<LineageReport>, VerifyError> {
    if lineages::beginners(transcript).is_empty() {
        return Ok(Vec::new());
    }
    let Some(ledger) = source.ledger_of(args, transcript, grounds).await else {
        let reason = "the ledger on which the round was closed is not at hand";
        return Ok(lineages::not_compared(transcript, reason));
    };
    let mut at_hand = HashMap::new();
    for digest in lineages::needed(transcript, &ledger) {
        if let Some(checkpoint) = source.checkpoint(digest).await {
            at_hand.insert(digest, checkpoint);
        }
    }
    let teacher = Digest(open_teacher(args)?.digest());
    let on = (teacher, open_lens(args)?);
    Ok(lineages::decide_anew(
        transcript, &ledger, &at_hand, grounds, on,
    ))
}

fn teacher_error(args: &VerifyArgs) -> impl Fn(CheckpointError) -> VerifyError {
    let path = args.teacher.clone();
    move |source| VerifyError::Checkpoint {
        path: path.clone(),
        source,
    }
}

fn open_teacher(args: &VerifyArgs) -> Result<Checkpoint, VerifyError> {
    Checkpoint::open(&args.teacher).map_err(teacher_error(args))
}

/// What models are looked at with.
fn open_lens(args: &VerifyArgs) -> Result<Lens, VerifyError> {
    let seed = NullSample::shipped().seed;
    Lens::new(&open_teacher(args)?, args.device, seed).map_err(teacher_error(args))
}

fn open_replayer(args: &VerifyArgs, grounds: &Grounds) -> Result<Replayer, VerifyError> {
    Ok(Replayer::new(
        &open_teacher(args)?,
        grounds.tokenizer.clone(),
        (args.device, REPLAY_MEMORY),
        grounds.spec.clone(),
        grounds.calibration.clone(),
    )?)
}

/// What the chain holds of a validator.
pub(crate) async fn on_chain(
    chain: &Chain,
    netuid: athanor_spec::NetUid,
    validator: &Hotkey,
) -> Result<Option<(athanor_chain::Neuron, Digest)>, VerifyError> {
    let metagraph = chain.metagraph(netuid).await?;
    Ok(metagraph.by_hotkey(validator).and_then(|neuron| {
        let (commitment, _) = neuron.commitment?;
        Some((neuron.clone(), commitment.transcript_root))
    }))
}
