//! What came of the attacks, as a table and as JSON.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use super::{
    bounds::{CONFIDENCE, proportion_high},
    tally::{HORIZON, Run},
};
use crate::error::LocalnetError;

/// What came of all attacks that were played.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Seed of the run.
    pub seed: u64,
    /// Epochs of each subnet.
    pub epochs: u64,
    /// Epochs over which the price of a registration is spread.
    pub horizon_epochs: f64,
    /// Confidence of every bound.
    pub confidence: f64,
    /// One for each attack, in the order in which they were played.
    pub findings: Vec<Finding>,
    /// What honest miners were accused of.
    pub accusations: Accusations,
}

/// What one attack came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Its name.
    pub attack: String,
    /// What it does.
    pub summary: String,
    /// `miner` or `validator`: what it is compared with.
    pub side: String,
    /// Hotkeys that it used.
    pub seats: usize,
    /// What it costs, over what one honest participant costs.
    pub cost: f64,
    /// Epochs that were measured.
    pub epochs: u64,
    /// What it earned over what one honest participant earned in the same epochs; `None` if honest ones earned nothing.
    pub earned: Option<f64>,
    /// [`Self::earned`] over [`Self::cost`]: what is held against the bound.
    pub earned_at_equal_cost: Option<f64>,
    /// Lower bound of that, by resampling epochs and honest participants.
    pub low: Option<f64>,
    /// Upper bound of that, by resampling epochs and honest participants.
    pub high: Option<f64>,
    /// Measured epochs in which it was paid anything.
    pub paid_epochs: u64,
    /// Upper bound of the probability that an epoch pays it anything.
    pub paid_high: f64,
    /// Its hotkeys that were accused.
    pub accused: usize,
    /// Rounds until the last of those was accused, 1 for the first round of its misdeeds.
    pub delay_rounds: Option<u64>,
    /// Of what they were accused.
    pub faults: BTreeSet<String>,
    /// What it may earn at equal cost.
    pub bound: f64,
    /// What follows.
    pub verdict: Verdict,
    /// What so short a run on so small a network cannot show of it, for which there is the simulator.
    pub cannot_show: Option<String>,
}

/// How a finding stands to its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What it earns is below its bound with the stated confidence.
    Held,
    /// Its bound lies between what it may have earned at least and at most: the run was too short to say.
    Open,
    /// What it earns is above its bound with the stated confidence.
    Exceeded,
    /// No epoch paid any honest participant.
    Unmeasured,
}

/// Accusations of honest miners.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Accusations {
    /// Epochs of honest miners, over all subnets.
    pub miner_epochs: u64,
    /// Those in which one was accused.
    pub accused: u64,
    /// Upper bound of their share, as if they were independent.
    pub high: f64,
    /// What they were accused of.
    pub of_what: BTreeSet<String>,
}

impl Verdict {
    /// What follows from the lower and the upper bound of what it earned.
    pub(super) fn of(earned: Option<(f64, f64)>, bound: f64) -> Self {
        match earned {
            Some((low, _)) if low > bound => Self::Exceeded,
            Some((_, high)) if high <= bound => Self::Held,
            Some(_) => Self::Open,
            None => Self::Unmeasured,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Open => "open",
            Self::Exceeded => "EXCEEDED",
            Self::Unmeasured => "unmeasured",
        }
    }
}

impl Accusations {
    pub(super) fn add(&mut self, run: &Run) {
        let (epochs, accused) = run.accused();
        self.miner_epochs += epochs;
        self.accused += accused;
        self.high = proportion_high(self.accused, self.miner_epochs);
        self.of_what.extend(run.accusations());
    }
}

impl Outcome {
    pub(super) fn new(seed: u64, epochs: u64) -> Self {
        Self {
            seed,
            epochs,
            horizon_epochs: HORIZON,
            confidence: CONFIDENCE,
            findings: Vec::new(),
            accusations: Accusations::default(),
        }
    }

    /// Whether cheating does not pay and nobody was accused who did not cheat.
    pub fn judged(&self) -> Result<(), LocalnetError> {
        let named = |verdict| {
            let names = self.findings.iter().filter(|it| it.verdict == verdict);
            let names: Vec<&str> = names.map(|it| it.attack.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        if self.accusations.accused > 0 {
            let what: Vec<&str> = self
                .accusations
                .of_what
                .iter()
                .map(String::as_str)
                .collect();
            return Err(LocalnetError::HonestAccused {
                what: what.join("; "),
            });
        }
        if let Some(attacks) = named(Verdict::Exceeded) {
            return Err(LocalnetError::AttacksPay { attacks });
        }
        match named(Verdict::Unmeasured) {
            Some(attacks) => Err(LocalnetError::Unmeasured { attacks }),
            None => Ok(()),
        }
    }
}

impl Finding {
    /// The row of the table.
    pub(super) fn line(&self) -> String {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |it| format!("{it:.3}"));
        let delay = self
            .delay_rounds
            .map_or("-".to_owned(), |it| it.to_string());
        let faults: Vec<&str> = self.faults.iter().map(String::as_str).collect();
        format!(
            "{:<22} {:>5} {:>6.2} {:>7} {:>7} {:>7} {:>7} {:>5.1}  {:<10} {:>3}/{:<3} {:>5}  {:>2}/{:<2} {}",
            self.attack,
            self.seats,
            self.cost,
            number(self.earned),
            number(self.earned_at_equal_cost),
            number(self.low),
            number(self.high),
            self.bound,
            self.verdict.name(),
            self.paid_epochs,
            self.epochs,
            delay,
            self.accused,
            self.seats,
            faults.join(", "),
        )
    }
}

/// The head of the table.
const HEAD: &str = "attack                 seats   cost  earned at cost   above   below bound  verdict    paid in delay  accused of what";

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        for finding in &self.findings {
            writeln!(f, "{}", finding.line().trim_end())?;
        }
        let percent = 100.0 * CONFIDENCE;
        writeln!(
            f,
            "cost: over an honest participant's, registrations spread over {HORIZON} epochs. earned: over what an honest \
             participant earned in the same epochs; at cost: that over the cost; above, below: with {percent} % \
             confidence each, by resampling epochs and honest participants. paid in: epochs. delay: rounds until its last accused hotkey was."
        )?;
        let open = self
            .findings
            .iter()
            .filter(|it| it.verdict == Verdict::Open);
        let open: Vec<&str> = open.map(|it| it.attack.as_str()).collect();
        if !open.is_empty() {
            writeln!(
                f,
                "too short to say: {} (more --epochs tell more)",
                open.join(", ")
            )?;
        }
        writeln!(f, "what this cannot show, and the simulator can:")?;
        for finding in &self.findings {
            if let Some(what) = &finding.cannot_show {
                writeln!(f, "  {}: {what}", finding.attack)?;
            }
        }
        let Accusations {
            miner_epochs,
            accused,
            high,
            ..
        } = &self.accusations;
        write!(
            f,
            "honest miners accused in {accused} of {miner_epochs} epochs, below {high:.4} of them with {percent} % confidence"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_follows_from_the_bounds() {
        let of = |earned| Verdict::of(earned, 0.1);
        assert_eq!(of(Some((0.0, 0.0))), Verdict::Held);
        assert_eq!(of(Some((0.05, 0.2))), Verdict::Open);
        assert_eq!(of(Some((0.15, 0.2))), Verdict::Exceeded);
        assert_eq!(of(None), Verdict::Unmeasured);
    }

    #[test]
    fn an_accused_honest_miner_fails_a_run_in_which_nothing_pays() {
        let mut outcome = Outcome::new(1, 4);
        assert!(outcome.judged().is_ok());
        outcome.accusations.accused = 1;
        outcome.accusations.of_what.insert("uid 3, copy".into());
        let error = outcome.judged().unwrap_err();
        assert!(error.to_string().contains("uid 3, copy"), "{error}");
    }
}
