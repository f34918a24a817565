//! What a daemon tells its watchers: one event per line of JSON.

use serde::{Deserialize, Serialize};

use crate::{BlockNumber, Digest, Epoch, Hotkey, Round, Uid};

/// Something that happened, for the terminal UI, the report and the logs. Never an input to pay.
///
/// On a line its name is the only key of the object, `{"swapped": {..}}`. A tag inside would not do: serde then buffers
/// the fields, and with serde_json's `arbitrary_precision`, which the chain's runtime turns on, buffered floats are lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A validator drew a round's seed and planned its asks.
    RoundStarted {
        /// The validator.
        validator: Hotkey,
        /// Its round.
        round: Round,
        /// The block whose hash seeds the round.
        block: BlockNumber,
        /// Asks planned.
        asks: u32,
    },
    /// A validator graded a miner at the end of a round.
    Graded {
        /// The validator.
        validator: Hotkey,
        /// The miner.
        miner: Hotkey,
        /// The miner's slot.
        uid: Uid,
        /// The round.
        round: Round,
        /// The verdict.
        grade: GradeSummary,
    },
    /// A validator found a miner's model nearer to one that was committed earlier than independently distilled students
    /// come. Shown; pay goes by the ledger.
    Resembles {
        /// The validator.
        validator: Hotkey,
        /// Its round.
        round: Round,
        /// The miner that committed later.
        miner: Hotkey,
        /// Its slot.
        uid: Uid,
        /// The miner that committed earlier.
        earlier: Hotkey,
        /// Stable name: `similar` (hardly any sibling comes as near), `same_class` (beyond that, in its weights or its innovation too).
        verdict: String,
        /// Median absolute difference of log-probabilities where there was a decision to make, nats.
        behaviour: f64,
        /// Distance of the weights, in [0, 1], where they can be compared.
        weights: Option<f64>,
        /// Share of what each has of its own beside the teacher that both have, in [-1, 1], where it can be told.
        shared: Option<f64>,
        /// Upper bound of the probability that a sibling's behaviour is as near to any earlier one, by the fitted tail.
        p_bound: Option<f64>,
        /// The smallest p-value that the null's sample itself can give.
        p_smallest: f64,
    },
    /// What a validator sees of collusion, over the rounds that it remembers. Shown; never an input to pay.
    Collusion {
        /// The validator.
        validator: Hotkey,
        /// Its last round.
        round: Round,
        /// What its tests say.
        seen: CollusionSummary,
    },
    /// A validator's weights were included in a block and read back.
    WeightsSet {
        /// The validator.
        validator: Hotkey,
        /// The subnet's epoch that they will count in.
        epoch: Epoch,
        /// The block of the extrinsic.
        block: BlockNumber,
        /// What was set, max-upscaled.
        weights: Vec<(Uid, u16)>,
    },
    /// A validator's weights were included as a commit: nobody sees them before they are revealed.
    WeightsCommitted {
        /// The validator.
        validator: Hotkey,
        /// The subnet's epoch in which they were committed.
        epoch: Epoch,
        /// The block of the extrinsic.
        block: BlockNumber,
        /// The first block in which they can be revealed.
        reveal_block: BlockNumber,
    },
    /// A validator's committed weights are on chain for everybody to see, or will never be.
    WeightsRevealed {
        /// The validator.
        validator: Hotkey,
        /// The block at which that was seen.
        block: BlockNumber,
        /// Number of weights; `None` if the reveal's time passed without it.
        weights: Option<u32>,
    },
    /// What comes next for a validator's weights, in blocks from one block on.
    WeightsDue {
        /// The validator.
        validator: Hotkey,
        /// That block.
        block: BlockNumber,
        /// Blocks until the next epoch.
        epoch: u32,
        /// Blocks until committed weights can be revealed, if some wait.
        reveal: Option<u32>,
        /// Blocks until the last weights no longer count for their age, if the chain has such a limit.
        activity_cutoff: Option<u32>,
    },
    /// What a validator knows of the miners at the end of a round, and whether it sets weights on it.
    Learnt {
        /// The validator.
        validator: Hotkey,
        /// The round.
        round: Round,
        /// Miners that it asks.
        miners: u32,
        /// Those of whom it knows enough.
        known: u32,
        /// Of how many it must know enough.
        miners_needed: u32,
        /// Effective asks that it takes to know a miner.
        asks_needed: f64,
        /// Whether it sets weights.
        sets_weights: bool,
    },
    /// A validator's operator has to know of something, or no longer has to.
    Alarm {
        /// The validator.
        validator: Hotkey,
        /// Stable name, such as `weights_ageing`.
        name: String,
        /// `warn` or `page`.
        severity: String,
        /// What is wrong and what to do; empty when it is over.
        text: String,
        /// Whether it is raised; otherwise it is lifted.
        raised: bool,
    },
    /// A miner's trainer made progress.
    Distilled {
        /// The miner.
        miner: Hotkey,
        /// Optimiser steps since the first initialisation.
        step: u64,
        /// Training loss of the step, nats per token.
        loss: f64,
        /// Mean loss on held-out items, nats per token, when it was measured at this step.
        heldout: Option<HeldOut>,
    },
    /// A miner swapped a new checkpoint into its engine.
    Swapped {
        /// The miner.
        miner: Hotkey,
        /// The checkpoint served until now.
        from: Digest,
        /// The checkpoint served from now on.
        to: Digest,
    },
    /// A miner refused or failed a request.
    RequestFailed {
        /// The miner.
        miner: Hotkey,
        /// Why.
        reason: String,
    },
    /// A validator sent an ask.
    Asked {
        /// The validator.
        validator: Hotkey,
        /// The miner.
        miner: Hotkey,
        /// The round.
        round: Round,
        /// Which of the round's asks of this miner.
        index: u32,
    },
    /// The answer to an ask came. Times are those of the validator's own socket, before anything is taken off them.
    Answered {
        /// The validator.
        validator: Hotkey,
        /// The miner.
        miner: Hotkey,
        /// The round.
        round: Round,
        /// Which of the round's asks of this miner.
        index: u32,
        /// From the first byte of the ask to the first tokens.
        first_token_ms: u32,
        /// From the first byte of the ask to the last byte of the answer.
        elapsed_ms: u32,
        /// Tokens of the answer.
        tokens: u32,
    },
    /// An answer was replayed on the committed checkpoint and on the teacher.
    Opened {
        /// The validator.
        validator: Hotkey,
        /// The miner.
        miner: Hotkey,
        /// The round.
        round: Round,
        /// Which of the round's asks of this miner.
        index: u32,
        /// Tokens that say something about seed and checkpoint; 0 for an ask without randomness.
        tokens: u32,
        /// Those of them that the checkpoint would not have drawn. An honest miner has some, by near-ties.
        strays: u32,
    },
    /// An ask counts for nothing: the validator was in trouble itself, or the checkpoint is not at hand.
    AskVoid {
        /// The validator.
        validator: Hotkey,
        /// The miner.
        miner: Hotkey,
        /// The round.
        round: Round,
        /// Which of the round's asks of this miner.
        index: u32,
        /// Why.
        reason: String,
    },
    /// How sure a validator is of a miner at the end of a round; sent with [`Event::Graded`].
    Measured {
        /// The validator.
        validator: Hotkey,
        /// The miner.
        miner: Hotkey,
        /// The round.
        round: Round,
        /// What its record holds.
        record: RecordSummary,
    },
    /// A validator's ask got no answer in time.
    AskFailed {
        /// The validator.
        validator: Hotkey,
        /// The miner.
        miner: Hotkey,
        /// Why.
        reason: String,
    },
}

impl Event {
    /// Its stable name: the only key of the object on a line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RoundStarted { .. } => "round_started",
            Self::Graded { .. } => "graded",
            Self::Resembles { .. } => "resembles",
            Self::WeightsSet { .. } => "weights_set",
            Self::WeightsCommitted { .. } => "weights_committed",
            Self::WeightsRevealed { .. } => "weights_revealed",
            Self::WeightsDue { .. } => "weights_due",
            Self::Learnt { .. } => "learnt",
            Self::Alarm { .. } => "alarm",
            Self::Distilled { .. } => "distilled",
            Self::Swapped { .. } => "swapped",
            Self::RequestFailed { .. } => "request_failed",
            Self::Asked { .. } => "asked",
            Self::Answered { .. } => "answered",
            Self::Opened { .. } => "opened",
            Self::AskVoid { .. } => "ask_void",
            Self::Measured { .. } => "measured",
            Self::Collusion { .. } => "collusion",
            Self::AskFailed { .. } => "ask_failed",
        }
    }
}

/// Said by a feed in place of events that are no longer kept, `{"lagged": {..}}`: who reads has fallen behind, or comes back
/// to a daemon that was started anew meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedNotice {
    /// Events are missing before the next one.
    Lagged {
        /// How many; `None` where nobody knows.
        missed: Option<u64>,
    },
}

impl FeedNotice {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lagged { .. } => "lagged",
        }
    }
}

/// Held-out loss of a student against the one it started from, on the same items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Mean loss, nats per token.
    pub loss: f64,
    /// Mean paired improvement over the first checkpoint, nats per token.
    pub improvement: f64,
    /// Lower end of the 95 % confidence interval of that improvement.
    pub improvement_low: f64,
    /// Number of items.
    pub items: u32,
}

/// A mean of values in [0, 1] with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Values that it is of, each weighed by how much of it has not faded yet.
    pub count: f64,
}

/// What a validator's record of a miner holds; `None` where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordSummary {
    /// Equally weighted asks that would say as much.
    pub effective_asks: f64,
    /// Share of asks that were answered.
    pub answered: Option<Interval>,
    /// Credit on checkable items.
    pub correctness: Option<Interval>,
    /// Worth of the time of the answers.
    pub service: Option<Interval>,
    /// Cap by repetition and missing ends.
    pub liveliness: Option<Interval>,
    /// What is subtracted from the quality for want of evidence.
    pub width: f64,
    /// The audit's e-value over the whole lifetime.
    pub e_value: f64,
    /// The e-value at which the audit condemns.
    pub condemned_at: f64,
    /// Requests that the audit has seen.
    pub audited: u64,
}

/// What tests of many rounds say of validators and miners that act together. Names are hotkeys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollusionSummary {
    /// Rounds that it rests on.
    pub rounds: u32,
    /// How every validator whose weights are on chain stands between grading and copying.
    pub copying: Vec<CopyingSummary>,
    /// Validators that lift the same miners together, by the weights of the last round.
    pub cabal: Option<CabalSummary>,
    /// Pairs of miners with evidence of a shared machine.
    pub shared_machines: Vec<SharedMachineSummary>,
    /// Pairs of miners that get slow at the same times: a screen, which accuses nobody.
    pub coupled_latency: Vec<CoupledSummary>,
}

/// One validator between grading for itself and copying weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyingSummary {
    /// Whose weights.
    pub of: Hotkey,
    /// Correlation of what is new in its weights with what is new in the others'.
    pub correlation: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Epochs that it rests on.
    pub epochs: u32,
    /// p-value of "it graded for itself", before the correction for the number of validators.
    pub p_value: f64,
    /// Stable name: `open` (not enough to tell), `independent`, `looks_copied`.
    pub standing: String,
}

/// The densest block of weights beyond the consensus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CabalSummary {
    /// Validators of the block.
    pub validators: Vec<Hotkey>,
    /// Miners that they lift.
    pub miners: Vec<Hotkey>,
    /// Its statistic.
    pub density: f64,
    /// p-value in the last round.
    pub p_value: f64,
    /// The smallest that it could be.
    pub p_smallest: f64,
    /// Mean e-value over the rounds: valid although weights hardly change from one to the next.
    pub e_value: f64,
}

/// Two miners that slow down when they are loaded together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharedMachineSummary {
    /// The one.
    pub a: Hotkey,
    /// The other.
    pub b: Hotkey,
    /// Product of the e-values of all load probes.
    pub e_value: f64,
    /// Change of the log-rate of the two when they are loaded together; -0.69 is a halving.
    pub log_rate_change: f64,
    /// Whether e-BH over all pairs rejects that they have nothing to do with each other.
    pub rejected: bool,
}

/// Two miners that get slow at the same times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoupledSummary {
    /// The one.
    pub a: Hotkey,
    /// The other.
    pub b: Hotkey,
    /// Correlation of what region, prompt and hour do not explain.
    pub correlation: f64,
    /// Rank among the circular shifts.
    pub p_value: f64,
}

/// A miner's grade by one validator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GradeSummary {
    /// Checkpoint that was audited.
    pub checkpoint: Option<Digest>,
    /// Fidelity axis, in [0, 1].
    pub fidelity: f64,
    /// Correctness axis, in [0, 1].
    pub correctness: f64,
    /// Service axis, in [0, 1].
    pub service: f64,
    /// Cap by repetition and missing ends, in [0, 1].
    pub liveliness: f64,
    /// Quality Q, in [0, 1].
    pub quality: f64,
    /// Lower confidence bound of Q that is paid.
    pub quality_low: f64,
    /// Share of asks that were answered since the registration (decayed), in [0, 1].
    pub answered: f64,
    /// What the miner is accused of, with evidence that can be replayed.
    pub fault: Option<FaultSummary>,
}

/// An accusation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultSummary {
    /// Stable name: `wrong_checkpoint`, `copy`, `degenerate`, `bad_artifact`, `no_commitment`, `bad_answer`.
    pub kind: String,
    /// What shows it, in words and numbers.
    pub evidence: String,
}
