//! What verifying has found, for people and for scripts.

use std::fmt;

use athanor_scoring::transcript::{Leaf, Sight, Transcript};
use athanor_spec::{Digest, Hotkey, Receipt, Round, SigningContext, Uid};
use serde::Serialize;

use super::{
    Difference, Grounds, LikenessReport, LineageReport, claims, replays::Replayed,
    weights::Rederived,
};

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What was verified: `transcript`, `receipt` or `weights`.
    pub kind: &'static str,
    /// Whose it is.
    pub validator: Option<Hotkey>,
    /// Which round.
    pub round: Option<Round>,
    /// Root of the transcript.
    pub root: Option<Digest>,
    /// Whether the root is on chain or anchored by one that is; `None` where the chain was not asked.
    pub anchored: Option<bool>,
    /// What is wrong as a whole.
    pub differences: Vec<Difference>,
    /// Asks that the round's seed gives; those without a leaf were never asked.
    pub planned: usize,
    /// What was found of each ask.
    pub leaves: Vec<LeafReport>,
    /// What was found of models that are said to be of an earlier one's class.
    pub likenesses: Vec<LikenessReport>,
    /// What was found of models that are said to be like nobody's.
    pub lineages: Vec<LineageReport>,
    /// The weights of each round.
    pub weights: Vec<RoundWeights>,
    /// The round whose weights the chain holds.
    pub on_chain: Option<Round>,
}

/// What was found of one ask.
#[derive(Clone, Debug, Serialize)]
pub struct LeafReport {
    /// Position in the transcript, from 0.
    pub leaf: usize,
    /// Who was asked.
    pub miner: Hotkey,
    /// Position among its asks.
    pub index: u32,
    /// What came of it: `answered`, `failed` or `own_trouble`.
    pub sight: &'static str,
    /// The audit's e-value as recorded.
    pub e_value: Option<f64>,
    /// The same of the replay.
    pub replayed_e_value: Option<f64>,
    /// Largest difference of a token's margin between record and replay, in nats.
    pub largest_difference: Option<f32>,
    /// Of a receipt: tokens that are draws of the checkpoint, and tokens.
    pub drawn: Option<(usize, usize)>,
    /// Why nothing was replayed.
    pub not_replayed: Option<String>,
    /// What does not hold.
    pub differences: Vec<Difference>,
}

/// The weights of a round.
#[derive(Clone, Debug, Serialize)]
pub struct RoundWeights {
    /// Which.
    pub round: Round,
    /// Root of its transcript.
    pub root: Digest,
    /// UIDs and weights.
    pub weights: Vec<(Uid, u16)>,
    /// What does not fit.
    pub differences: Vec<Difference>,
}

impl LeafReport {
    pub(super) fn of(
        leaf: usize,
        of: &Leaf,
        differences: Vec<Difference>,
        replayed: Option<Replayed>,
    ) -> Self {
        let replayed = replayed.unwrap_or_default();
        let e_value = match of.outcome() {
            Some(athanor_scoring::ledger::AskOutcome::Answered { e_value, .. }) => *e_value,
            _ => None,
        };
        Self {
            leaf,
            miner: of.account.hotkey,
            index: of.index,
            sight: match of.sight {
                Sight::OwnTrouble { .. } => "own_trouble",
                Sight::Failed { .. } => "failed",
                Sight::Answered { .. } => "answered",
                Sight::Unopened { .. } => "unopened",
                Sight::FailedUnopened { .. } => "failed_unopened",
            },
            e_value,
            replayed_e_value: replayed.e_value,
            largest_difference: replayed.largest,
            drawn: replayed.drawn,
            not_replayed: replayed.not,
            differences,
        }
    }
}

impl From<Rederived> for RoundWeights {
    fn from(derived: Rederived) -> Self {
        Self {
            round: derived.round,
            root: derived.root,
            weights: derived.weights,
            differences: derived.differences,
        }
    }
}

/// A report of a transcript, with nothing said of its leaves yet.
pub(super) fn of_head(
    transcript: &Transcript,
    grounds: &Grounds,
    anchored: Option<(bool, Digest)>,
) -> Report {
    let head = &transcript.head;
    let root = transcript.root();
    let mut differences = claims::head(head, grounds);
    if let Some((false, on_chain)) = anchored {
        differences.push(Difference::Root { root, on_chain });
    }
    Report {
        kind: "transcript",
        validator: Some(head.validator),
        round: Some(head.round),
        root: Some(root),
        anchored: anchored.map(|(anchored, _)| anchored),
        differences,
        ..Report::default()
    }
}

/// A report of a receipt.
pub(super) fn of_receipt(
    receipt: &Receipt,
    context: Option<&SigningContext>,
    replayed: Replayed,
) -> Report {
    let mut differences = replayed.differences.clone();
    if let Some(Err(error)) = context.map(|context| receipt.check(context)) {
        differences.push(claims::of_receipt(error));
    }
    let Replayed {
        e_value,
        not,
        largest,
        drawn,
        ..
    } = replayed;
    Report {
        kind: "receipt",
        validator: Some(receipt.ask.signer),
        leaves: vec![LeafReport {
            leaf: 0,
            miner: receipt.answer.signer,
            index: 0,
            sight: "answered",
            e_value: None,
            replayed_e_value: e_value,
            largest_difference: largest,
            drawn,
            not_replayed: not,
            differences,
        }],
        ..Report::default()
    }
}

impl Report {
    /// Whether everything holds that could be checked.
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
            && self.leaves.iter().all(|leaf| leaf.differences.is_empty())
            && self
                .weights
                .iter()
                .all(|round| round.differences.is_empty())
            && self.likenesses.iter().all(|it| it.differences.is_empty())
            && self.lineages.iter().all(|it| it.differences.is_empty())
    }

    /// The report for scripts.
    pub fn to_json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(report) = value.as_object_mut() {
            report.insert("holds".to_owned(), self.holds().into());
        }
        value.to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(round) = self.round {
            write!(f, " of round {round}")?;
        }
        if let Some(validator) = self.validator {
            write!(f, " by {validator}")?;
        }
        writeln!(f)?;
        if let Some(root) = self.root {
            let anchored = match self.anchored {
                Some(true) => "on chain, or anchored by a root that is",
                Some(false) => "not on chain",
                None => "not held against the chain (give --validator)",
            };
            writeln!(f, "root {root}: {anchored}")?;
        }
        for difference in &self.differences {
            writeln!(f, "  WRONG: {difference}")?;
        }
        for leaf in &self.leaves {
            let LeafReport {
                leaf: at,
                miner,
                index,
                sight,
                ..
            } = leaf;
            write!(f, "leaf {at}: {miner} ask {index} {sight}")?;
            if let Some(e_value) = leaf.e_value {
                write!(f, ", e-value {e_value:.3e}")?;
            }
            if let Some(e_value) = leaf.replayed_e_value {
                write!(f, ", replayed {e_value:.3e}")?;
            }
            if let Some(largest) = leaf.largest_difference {
                write!(f, ", margins within {largest:.4} nats")?;
            }
            if let Some((drawn, tokens)) = leaf.drawn {
                write!(
                    f,
                    ", {drawn} of {tokens} tokens are draws of its checkpoint"
                )?;
            }
            match (&leaf.not_replayed, leaf.differences.is_empty()) {
                (Some(reason), true) => writeln!(f, ": not replayed ({reason})")?,
                (None, true) => writeln!(f, ": holds")?,
                (_, false) => writeln!(f)?,
            }
            for difference in &leaf.differences {
                writeln!(f, "  WRONG: {difference}")?;
            }
        }
        for it in &self.likenesses {
            let (miner, earlier) = (it.miner, it.earlier.short());
            write!(
                f,
                "model {}: {miner}, of the class of {earlier}",
                it.checkpoint.short()
            )?;
            match (&it.compared, &it.not_compared) {
                (Some(compared), _) => writeln!(f, ": {compared}")?,
                (None, Some(reason)) => writeln!(f, ": not compared ({reason})")?,
                (None, None) => writeln!(f)?,
            }
            for difference in &it.differences {
                writeln!(f, "  WRONG: {difference}")?;
            }
        }
        for it in &self.lineages {
            let (miner, checkpoint) = (it.miner, it.checkpoint.short());
            write!(f, "model {checkpoint}: {miner}, like nobody's")?;
            match (&it.not_compared, &it.nearest) {
                (Some(reason), _) => writeln!(f, ": not compared ({reason})")?,
                (None, nearest) => {
                    let (compared, earlier) = (it.compared, it.earlier);
                    write!(f, ": held against {compared} of {earlier} earlier models")?;
                    if let Some(nearest) = nearest {
                        let (at, checkpoint) = (nearest.distances, nearest.checkpoint.short());
                        write!(f, ", the nearest {checkpoint} by {at}")?;
                    }
                    writeln!(f)?;
                }
            }
            for difference in &it.differences {
                writeln!(f, "  WRONG: {difference}")?;
            }
        }
        for round in &self.weights {
            let row: Vec<String> = round
                .weights
                .iter()
                .map(|(uid, weight)| format!("{uid}={weight}"))
                .collect();
            let chain = match self.on_chain == Some(round.round) {
                true => " (on chain)",
                false => "",
            };
            writeln!(f, "round {}{chain}: {}", round.round, row.join(" "))?;
            for difference in &round.differences {
                writeln!(f, "  WRONG: {difference}")?;
            }
        }
        if self.planned > 0 {
            let replayed = |leaf: &&LeafReport| leaf.not_replayed.is_none();
            writeln!(
                f,
                "{} asks planned, {} recorded, {} replayed",
                self.planned,
                self.leaves.len(),
                self.leaves.iter().filter(replayed).count()
            )?;
        }
        f.write_str(if self.holds() {
            "everything that was checked holds"
        } else {
            "not everything holds"
        })
    }
}
