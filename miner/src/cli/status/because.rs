//! Why a validator gives this miner what it gives: read from the transcripts that it publishes, by the function that it closes
//! its rounds with.

use std::fmt::{self, Write};

use athanor_scoring::{
    ledger::{AskOutcome, Measured},
    round::{Closed, Ledger, Purpose},
    transcript::{Leaf, Sight, Transcript},
};
use athanor_spec::{Account, Digest, Hotkey, Round, SubnetSpec, Uid, telemetry::FaultSummary};
use serde::Serialize;

/// Pieces of evidence that are named at most.
const MAX_EVIDENCE: usize = 8;

/// What a validator has published, in the order of its rounds, and the ledger before the first of them.
pub(super) struct Line {
    /// `None` if no ledger was at hand: then only the last round can be looked at.
    pub(super) before: Option<Ledger>,
    /// At least one.
    pub(super) transcripts: Vec<Transcript>,
    /// The root that the chain holds of this validator.
    pub(super) on_chain: Digest,
}

/// What a validator's last closed round says of this miner.
#[derive(Debug, Serialize)]
pub(super) struct Because {
    /// The round.
    pub(super) round: Round,
    /// Root of its transcript.
    pub(super) root: Digest,
    /// Whether the root on chain is this one, or that of a round whose line leads back to this one or begins with it.
    pub(super) anchored: bool,
    /// Whether this miner was one of the round's.
    pub(super) known: bool,
    /// What came of the round's asks of this miner.
    pub(super) asks: Asks,
    /// What it is accused of.
    pub(super) fault: Option<FaultSummary>,
    /// What the validator's record of this registration holds; absent if its ledger was not at hand.
    pub(super) measured: Option<Measured>,
    /// Where it stands among the round's miners; absent like `measured`.
    pub(super) standing: Option<Standing>,
    /// Leaves of the transcript that show it.
    pub(super) evidence: Vec<Evidence>,
    /// What in the line of transcripts does not fit together.
    pub(super) differences: Vec<String>,
}

/// What came of a round's asks.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Asks {
    /// Planned by the validator.
    pub(super) planned: u32,
    /// Answered, whether or not the answer was opened.
    pub(super) answered: u32,
    /// Graded 0: refused, late, cut or not to be used.
    pub(super) failed: u32,
    /// Void by the validator's own trouble.
    pub(super) void: u32,
    /// Users' answers that joined the audit.
    pub(super) organic: u32,
}

/// Where a miner stands in a round.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Standing {
    /// The weight that the validator derives, of 65535.
    pub(super) weight: u16,
    /// Share of the whole row.
    pub(super) share: f64,
    /// Place by weight among the round's miners, from 1.
    pub(super) place: usize,
    /// Miners of the round.
    pub(super) miners: usize,
    /// Whether its class of models holds the crown.
    pub(super) crown: bool,
    /// The epoch since which its class has priority, if it has.
    pub(super) priority_since: Option<u64>,
}

/// A leaf of the transcript, for `athanor-validator verify --leaf`.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Evidence {
    /// Position in the transcript.
    pub(super) leaf: usize,
    /// Which of the asks of this miner.
    pub(super) index: u32,
    /// What it shows.
    pub(super) shows: String,
}

impl Because {
    /// What a line says of an account; `None` if the line is empty.
    pub(super) fn of(line: Line, account: Account, spec: &SubnetSpec) -> Option<Self> {
        let Line {
            before,
            transcripts,
            on_chain,
        } = line;
        let last = transcripts.last()?;
        let (closed, differences) = match before {
            Some(before) => close(before, &transcripts, spec),
            None => (None, Vec::new()),
        };
        let own = || {
            let leaves = last.leaves.iter().enumerate();
            leaves.filter(|(_, leaf)| leaf.account == account)
        };
        let miner = last.head.miner(&account);
        let asks = asks(
            miner.map_or(0, |miner| miner.asks),
            own().map(|(_, leaf)| leaf),
        );
        let measured = closed.as_ref().and_then(|closed| {
            let record = closed.ledger.records().get(&account)?;
            Some(record.measured(spec))
        });
        let graded = closed
            .as_ref()
            .and_then(|closed| closed.graded.iter().find(|it| it.account == account));
        let standing = miner
            .zip(closed.as_ref())
            .map(|(miner, closed)| standing(closed, miner.uid, miner.artifact.tensors()));
        let roots: Vec<Digest> = transcripts.iter().map(Transcript::root).collect();
        Some(Self {
            round: last.head.round,
            root: last.root(),
            anchored: roots.contains(&on_chain),
            known: miner.is_some(),
            asks,
            fault: graded.and_then(|graded| graded.grade.fault.clone()),
            measured,
            standing,
            evidence: evidence(own()),
            differences,
        })
    }

    /// For people; `validator` is who says it.
    pub(super) fn describe(&self, text: &mut String, validator: &Hotkey) -> fmt::Result {
        let anchored = match self.anchored {
            true => "on chain",
            false => "not on chain yet",
        };
        let root = self.root.short();
        writeln!(
            text,
            "            by its transcript of round {} ({root}, {anchored}):",
            self.round
        )?;
        if !self.known {
            return writeln!(
                text,
                "              this miner was not one of the round's: it came later, or committed to nothing"
            );
        }
        let Asks {
            planned,
            answered,
            failed,
            void,
            organic,
        } = self.asks;
        write!(
            text,
            "              asks        {planned} planned, {answered} answered, {failed} failed, {void} void"
        )?;
        match organic {
            0 => writeln!(text)?,
            _ => writeln!(text, ", {organic} of users beside them")?,
        }
        if let Some(fault) = &self.fault {
            writeln!(
                text,
                "              fault       {}: {}",
                fault.kind, fault.evidence
            )?;
        }
        match &self.measured {
            None => writeln!(
                text,
                "              grade       not known: no ledger that it follows from is at hand"
            )?,
            Some(it) => {
                let axis = |value: Option<f64>| {
                    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
                };
                writeln!(
                    text,
                    "              grade       fidelity {}, correctness {}, service {}, liveliness {}",
                    axis(it.fidelity),
                    axis(it.correctness.map(|it| it.value)),
                    axis(it.service.map(|it| it.value)),
                    axis(it.liveliness.map(|it| it.value)),
                )?;
                writeln!(
                    text,
                    "              quality     {:.3}, of which {:.3} is paid: {:.1} effective asks are known",
                    it.quality, it.quality_low, it.effective_asks
                )?;
                writeln!(
                    text,
                    "              audit       e-value {:.3e} after {} requests, condemned at {:.0e}",
                    it.e_value, it.audited, it.condemned_at
                )?;
            }
        }
        if let Some(it) = &self.standing {
            let crown = match (it.crown, it.priority_since) {
                (true, _) => "holds the crown".to_owned(),
                (false, Some(epoch)) => format!("may challenge for the crown, since epoch {epoch}"),
                (false, None) => "may not challenge for the crown yet".to_owned(),
            };
            writeln!(
                text,
                "              weight      {} ({:.2} % of its row), place {} of {}; {crown}",
                it.weight,
                100.0 * it.share,
                it.place,
                it.miners
            )?;
        }
        for it in &self.evidence {
            writeln!(
                text,
                "              evidence    athanor-validator verify --validator {validator} --round {} --leaf {}  # {}",
                self.round, it.leaf, it.shows
            )?;
        }
        for difference in &self.differences {
            writeln!(text, "              WRONG       {difference}")?;
        }
        Ok(())
    }
}

/// Closes one round after the other; the last of them, and what does not fit together.
fn close(
    before: Ledger,
    transcripts: &[Transcript],
    spec: &SubnetSpec,
) -> (Option<Closed>, Vec<String>) {
    let (mut ledger, mut root) = (before, None);
    let (mut closed, mut differences) = (None, Vec::new());
    for transcript in transcripts {
        let head = &transcript.head;
        if root.is_some() && head.previous != root {
            differences.push(format!(
                "round {} does not follow on the round before",
                head.round
            ));
        }
        if head.ledger != ledger.digest() {
            differences.push(format!(
                "round {} was closed on another ledger than the rounds before give",
                head.round
            ));
        }
        let after = transcript.close(ledger, spec);
        ledger = after.ledger.clone();
        root = Some(transcript.root());
        closed = Some(after);
    }
    (closed, differences)
}

fn asks<'a>(planned: u32, leaves: impl Iterator<Item = &'a Leaf>) -> Asks {
    let mut asks = Asks {
        planned,
        ..Asks::default()
    };
    for leaf in leaves {
        let count = match (leaf.purpose, leaf.outcome()) {
            (Purpose::Organic, _) => &mut asks.organic,
            (_, None) => &mut asks.void,
            (_, Some(outcome)) if outcome.is_answered() => &mut asks.answered,
            (_, Some(_)) => &mut asks.failed,
        };
        *count += 1;
    }
    asks
}

fn standing(closed: &Closed, uid: Uid, class: Option<Digest>) -> Standing {
    let of = |uid: Uid| {
        let found = closed.weights.iter().find(|(of, _)| *of == uid);
        found.map_or(0, |(_, weight)| *weight)
    };
    let weight = of(uid);
    let all: u64 = closed.weights.iter().map(|(_, it)| u64::from(*it)).sum();
    let better = |it: &&athanor_scoring::round::Graded| of(it.uid) > weight;
    let crown = closed.ledger.crown();
    Standing {
        weight,
        share: f64::from(weight) / (all as f64).max(1.0),
        place: closed.graded.iter().filter(better).count() + 1,
        miners: closed.graded.len(),
        crown: class.is_some() && crown.holder() == class,
        priority_since: class.and_then(|class| crown.priority(class)).map(|it| it.0),
    }
}

/// The leaves that say most: what proves a fault, what speaks most against the checkpoint, and what failed.
fn evidence<'a>(leaves: impl Iterator<Item = (usize, &'a Leaf)>) -> Vec<Evidence> {
    let mut found: Vec<(f64, Evidence)> = Vec::new();
    for (at, leaf) in leaves {
        let (matters, shows) = match (&leaf.sight, leaf.outcome()) {
            (Sight::Failed { failure, .. } | Sight::FailedUnopened { failure, .. }, _) => {
                match failure.fault {
                    Some(kind) => (
                        f64::INFINITY,
                        format!("{}: {}", kind.name(), failure.reason),
                    ),
                    None => (1.0, format!("failed: {}", failure.reason)),
                }
            }
            (
                _,
                Some(AskOutcome::Answered {
                    e_value: Some(e_value),
                    ..
                }),
            ) if *e_value > 1.0 => (
                *e_value,
                format!("e-value {e_value:.3e} against the checkpoint"),
            ),
            _ => continue,
        };
        let index = leaf.index;
        found.push((
            matters,
            Evidence {
                leaf: at,
                index,
                shows,
            },
        ));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.truncate(MAX_EVIDENCE);
    found.into_iter().map(|(_, evidence)| evidence).collect()
}

#[cfg(test)]
mod tests;
