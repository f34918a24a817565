//! The neurons, one row each: chain and telemetry joined.

use athanor_chain::Neuron;
use athanor_spec::{
    Hotkey, Uid,
    telemetry::{FaultSummary, GradeSummary},
};

use super::State;
use crate::table::{EpochRow, Role};

/// A neuron with what is known about it. What validators say is looked up when it is asked for: of thousands of rows a
/// frame shows a few dozen.
#[derive(Clone, Copy)]
pub struct NeuronRow<'a> {
    /// What the chain says.
    pub neuron: &'a Neuron,
    /// What it acts as.
    pub role: Role,
    /// What it is known to be, on a local subnet whose names are shown.
    pub label: Option<&'a str>,
    state: &'a State,
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

/// What the table is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The column.
    pub by: Sort,
    /// Whether the order is turned around.
    pub reversed: bool,
}

/// Orders of the table. Numbers come largest first, whoever is accused comes before everybody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By slot.
    #[default]
    Uid,
    /// By the epoch's emission.
    Emission,
    /// By stake.
    Stake,
    /// By the quality that is paid.
    Quality,
    /// By trust or consensus, whichever the role has.
    Trust,
    /// By the block of the last weights.
    Updated,
    /// The accused first.
    Fault,
}

impl Sort {
    /// All of them, in the order in which a key goes through them.
    pub const ALL: [Self; 7] = [
        Self::Uid,
        Self::Emission,
        Self::Stake,
        Self::Quality,
        Self::Trust,
        Self::Updated,
        Self::Fault,
    ];

    /// The next order in the cycle.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// Name for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Emission => "emission",
            Self::Stake => "stake",
            Self::Quality => "quality",
            Self::Trust => "trust",
            Self::Updated => "updated",
            Self::Fault => "fault",
        }
    }
}

/// Which neurons the table shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// Those that serve.
    Miners,
    /// Those that vote.
    Validators,
    /// Those that a validator accuses.
    Accused,
    /// Those that the last epoch paid.
    Paid,
}

impl Filter {
    const ALL: [Self; 5] = [
        Self::All,
        Self::Miners,
        Self::Validators,
        Self::Accused,
        Self::Paid,
    ];

    /// The next filter in the cycle.
    pub fn next(self) -> Self {
        let at = Self::ALL
            .iter()
            .position(|filter| *filter == self)
            .unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// Name for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Miners => "miners",
            Self::Validators => "validators",
            Self::Accused => "accused",
            Self::Paid => "paid",
        }
    }

    fn keeps(self, row: &NeuronRow<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Miners => row.role == Role::Miner,
            Self::Validators => row.role == Role::Validator,
            Self::Accused => row.is_accused(),
            Self::Paid => row.neuron.emission.0 > 0,
        }
    }
}

impl<'a> NeuronRow<'a> {
    /// What validators say of it; `None` before the first grade.
    pub fn verdict(&self) -> Option<Verdict<'a>> {
        self.state.verdict(&self.neuron.hotkey)
    }

    /// What it is accused of.
    pub fn fault(&self) -> Option<&'a FaultSummary> {
        match self.is_accused() {
            true => self.verdict()?.fault,
            false => None,
        }
    }

    /// Whether a validator accuses it of anything.
    pub fn is_accused(&self) -> bool {
        self.state.peers.accused.contains(&self.neuron.hotkey)
    }

    /// Whether a search finds it: UID, hotkey, coldkey, label, address, fault and role.
    fn matches(&self, text: &str) -> bool {
        let found = |place: &str| place.to_lowercase().contains(text);
        let neuron = self.neuron;
        self.label.is_some_and(found)
            || neuron.uid.to_string() == text
            || found(&neuron.hotkey.to_ss58())
            || found(&neuron.coldkey.to_ss58())
            || self.fault().is_some_and(|fault| found(&fault.kind))
            || neuron.axon.is_some_and(|axon| found(&axon.to_string()))
            || found(match self.role {
                Role::Miner => "miner",
                Role::Validator => "validator",
            })
    }
}

impl State {
    /// The neurons that `filter` and `search` keep, in the order asked for; ties are ordered by UID.
    pub fn rows(&self, order: Order, filter: Filter, search: &str) -> Vec<NeuronRow<'_>> {
        let Some(chain) = &self.chain else {
            return Vec::new();
        };
        let search = search.to_lowercase();
        let mut rows: Vec<_> = chain
            .metagraph
            .neurons
            .iter()
            .map(|neuron| self.row(neuron))
            .filter(|row| filter.keeps(row) && (search.is_empty() || row.matches(&search)))
            .collect();
        rows.sort_by_key(|row| row.neuron.uid);
        let quality = |row: &NeuronRow<'_>| {
            let verdict = row.verdict();
            verdict.map_or(-1.0, |verdict| verdict.grade.quality_low)
        };
        match order.by {
            Sort::Uid => {}
            Sort::Emission => rows.sort_by_key(|row| std::cmp::Reverse(row.neuron.emission)),
            Sort::Stake => rows.sort_by_key(|row| std::cmp::Reverse(row.neuron.stake)),
            Sort::Quality => {
                let mut graded: Vec<_> = rows.into_iter().map(|row| (quality(&row), row)).collect();
                graded.sort_by(|(a, _), (b, _)| b.total_cmp(a));
                rows = graded.into_iter().map(|(_, row)| row).collect();
            }
            Sort::Trust => rows.sort_by_key(|row| {
                std::cmp::Reverse(row.neuron.validator_trust.max(row.neuron.consensus))
            }),
            Sort::Updated => rows.sort_by_key(|row| std::cmp::Reverse(row.neuron.last_update)),
            Sort::Fault => rows.sort_by_key(|row| !row.is_accused()),
        }
        if order.reversed {
            rows.reverse();
        }
        rows
    }

    /// All neurons by UID.
    pub fn all_rows(&self) -> Vec<NeuronRow<'_>> {
        self.rows(Order::default(), Filter::All, "")
    }

    /// The row of one neuron.
    pub fn row<'a>(&'a self, neuron: &'a Neuron) -> NeuronRow<'a> {
        NeuronRow {
            neuron,
            role: self.role(neuron),
            label: self.label(&neuron.hotkey),
            state: self,
        }
    }

    /// How many act as validators, how many as miners, and how many of all are accused.
    pub fn census(&self) -> (usize, usize, usize) {
        let neurons = match &self.chain {
            Some(chain) => chain.metagraph.neurons.as_slice(),
            None => &[],
        };
        let votes = |neuron: &&Neuron| self.role(neuron) == Role::Validator;
        let validators = neurons.iter().filter(votes).count();
        let accused = self.peers.accused.iter();
        (
            validators,
            neurons.len() - validators,
            accused.filter(|it| self.neuron(it).is_some()).count(),
        )
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
            .votes
            .weights
            .iter()
            .filter(|(_, row)| !row.is_empty())
            .map(|(validator, row)| (*validator, given(row)))
            .collect()
    }

    /// The rows of [`crate::epoch_table`] as of now, with what each is known to be.
    pub fn epoch_rows(&self) -> Vec<EpochRow> {
        self.all_rows()
            .into_iter()
            .map(|row| EpochRow {
                uid: row.neuron.uid,
                role: row.role,
                behaviour: self.labels.get(&row.neuron.hotkey).cloned(),
                checkpoint: row
                    .neuron
                    .commitment
                    .and_then(|(record, _)| record.checkpoint()),
                grade: row.verdict().map(|verdict| verdict.grade.clone()),
                weights: if row.role == Role::Miner {
                    self.weights_on(row.neuron.uid)
                } else {
                    Vec::new()
                },
                incentive: row.neuron.incentive,
                dividends: row.neuron.dividends,
                emission: row.neuron.emission,
                fault: row.fault().cloned(),
            })
            .collect()
    }

    /// A permit alone makes no validator: on a small subnet every neuron with stake holds one.
    fn role(&self, neuron: &Neuron) -> Role {
        let commits_model = neuron
            .commitment
            .is_some_and(|(record, _)| record.checkpoint().is_some());
        if self.peers.validators.contains_key(&neuron.hotkey) || self.voters.contains(&neuron.uid) {
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
        let mut grade: Option<(u64, &GradeSummary)> = None;
        let mut fault: Option<(u64, &FaultSummary)> = None;
        let mut accusers = 0;
        for (validator, graded) in &miner.grades {
            let stake = self.neuron(validator).map_or(0, |neuron| neuron.stake.0);
            if grade.is_none_or(|(most, _)| stake > most) {
                grade = Some((stake, &graded.summary));
            }
            if let Some(found) = &graded.summary.fault {
                accusers += 1;
                if fault.is_none_or(|(most, _)| stake > most) {
                    fault = Some((stake, found));
                }
            }
        }
        Some(Verdict {
            grade: grade?.1,
            fault: fault.map(|(_, fault)| fault),
            accusers,
            graders: miner.grades.len(),
        })
    }
}
