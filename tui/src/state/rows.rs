//! The neurons, one row each: chain and telemetry joined.

use athanor_chain::Neuron;
use athanor_spec::{
    Hotkey, Uid,
    telemetry::{FaultSummary, GradeSummary},
};

use super::State;
use crate::table::{EpochRow, Role};

/// A neuron with what is known about it.
#[derive(Clone, Debug)]
pub struct NeuronRow<'a> {
    /// What the chain says.
    pub neuron: &'a Neuron,
    /// What it acts as.
    pub role: Role,
    /// What it is known to be, on a local subnet.
    pub label: Option<&'a str>,
    /// What validators say of it; `None` before the first grade.
    pub verdict: Option<Verdict<'a>>,
}

/// What the validators say of a miner.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// The grade by the grader with the most stake.
    pub grade: &'a GradeSummary,
    /// The accusation by the accuser with the most stake.
    pub fault: Option<&'a FaultSummary>,
    /// Graders that accuse it of anything.
    pub accusers: usize,
    /// Validators that graded it.
    pub graders: usize,
}

/// Order of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By slot.
    #[default]
    Uid,
    /// By the epoch's emission, largest first.
    Emission,
    /// The accused first.
    Fault,
}

impl Sort {
    /// The next order in the cycle.
    pub fn next(self) -> Self {
        match self {
            Self::Uid => Self::Emission,
            Self::Emission => Self::Fault,
            Self::Fault => Self::Uid,
        }
    }

    /// Name for the header of the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Emission => "emission",
            Self::Fault => "fault",
        }
    }
}

impl State {
    /// The neurons in the order asked for; ties are ordered by UID.
    pub fn rows(&self, sort: Sort) -> Vec<NeuronRow<'_>> {
        let Some(chain) = &self.chain else {
            return Vec::new();
        };
        let mut rows: Vec<_> = chain
            .metagraph
            .neurons
            .iter()
            .map(|neuron| self.row(neuron))
            .collect();
        rows.sort_by_key(|row| row.neuron.uid);
        match sort {
            Sort::Uid => {}
            Sort::Emission => rows.sort_by_key(|row| std::cmp::Reverse(row.neuron.emission)),
            Sort::Fault => rows.sort_by_key(|row| {
                row.verdict
                    .as_ref()
                    .is_none_or(|verdict| verdict.fault.is_none())
            }),
        }
        rows
    }

    /// The row of one neuron.
    pub fn row<'a>(&'a self, neuron: &'a Neuron) -> NeuronRow<'a> {
        NeuronRow {
            neuron,
            role: self.role(neuron),
            label: self.labels.get(&neuron.hotkey).map(String::as_str),
            verdict: self.verdict(&neuron.hotkey),
        }
    }

    /// The weights on chain that miners got: validator, weight.
    pub fn weights_on(&self, uid: Uid) -> Vec<(Uid, u16)> {
        let Some(chain) = &self.chain else {
            return Vec::new();
        };
        let given = |row: &[(Uid, u16)]| {
            row.iter()
                .find(|(to, _)| *to == uid)
                .map_or(0, |(_, weight)| *weight)
        };
        chain
            .weights
            .iter()
            .filter(|(_, row)| !row.is_empty())
            .map(|(validator, row)| (*validator, given(row)))
            .collect()
    }

    /// The rows of [`crate::epoch_table`] as of now.
    pub fn epoch_rows(&self) -> Vec<EpochRow> {
        self.rows(Sort::Uid)
            .into_iter()
            .map(|row| EpochRow {
                uid: row.neuron.uid,
                role: row.role,
                behaviour: row.label.map(str::to_owned),
                checkpoint: row
                    .neuron
                    .commitment
                    .and_then(|(record, _)| record.checkpoint()),
                grade: row.verdict.as_ref().map(|verdict| verdict.grade.clone()),
                weights: if row.role == Role::Miner {
                    self.weights_on(row.neuron.uid)
                } else {
                    Vec::new()
                },
                incentive: row.neuron.incentive,
                dividends: row.neuron.dividends,
                emission: row.neuron.emission,
                fault: row.verdict.and_then(|verdict| verdict.fault.cloned()),
            })
            .collect()
    }

    /// A permit alone makes no validator: on a small subnet every neuron with stake holds one.
    fn role(&self, neuron: &Neuron) -> Role {
        let votes = |chain: &super::Snapshot| {
            chain
                .weights
                .iter()
                .any(|(uid, row)| *uid == neuron.uid && row.iter().any(|(to, _)| *to != neuron.uid))
        };
        let commits_model = neuron
            .commitment
            .is_some_and(|(record, _)| record.checkpoint().is_some());
        if self.peers.validators.contains_key(&neuron.hotkey)
            || self.chain.as_ref().is_some_and(votes)
        {
            Role::Validator
        } else if commits_model
            || neuron.incentive > 0
            || self.peers.miners.contains_key(&neuron.hotkey)
        {
            Role::Miner
        } else if neuron.validator_permit {
            Role::Validator
        } else {
            Role::Miner
        }
    }

    fn verdict(&self, hotkey: &Hotkey) -> Option<Verdict<'_>> {
        let miner = self.peers.miners.get(hotkey)?;
        let stake = |validator: &Hotkey| self.neuron(validator).map_or(0, |neuron| neuron.stake.0);
        let mut graded: Vec<_> = miner.grades.iter().collect();
        graded.sort_by_key(|(validator, _)| std::cmp::Reverse(stake(validator)));
        let (_, first) = graded.first()?;
        let accused: Vec<_> = graded
            .iter()
            .filter_map(|(_, graded)| graded.summary.fault.as_ref())
            .collect();
        Some(Verdict {
            grade: &first.summary,
            fault: accused.first().copied(),
            accusers: accused.len(),
            graders: graded.len(),
        })
    }
}
