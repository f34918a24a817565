//! What an epoch would pay if the subnet's rules were others: the chain's own arithmetic on the votes of now.

use athanor_chain::Hyperparameters;
use athanor_spec::Uid;
use athanor_yuma::{LiquidAlpha, Outcome, Params, State as Before};

use super::Snapshot;

/// Rao that stand for the whole stake where the chain gives shares only.
const WHOLE_STAKE: u64 = 1 << 50;

/// An epoch under the rules of now, and under others, from the same votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatIf {
    /// The other rules.
    pub rules: Hyperparameters,
    /// By the rules of now.
    pub now: Vec<Pay>,
    /// By the other rules.
    pub then: Vec<Pay>,
}

/// What an epoch gives a UID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pay {
    /// Who.
    pub uid: Uid,
    /// Share of all incentive, of 65,535.
    pub incentive: u16,
    /// Share of all dividends, of 65,535.
    pub dividends: u16,
    /// Both together, rao.
    pub emission: u64,
}

/// Rules that an epoch depends on, as rows to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knob {
    /// Majority that makes consensus.
    Kappa,
    /// Weight of the past in the bonds.
    BondsMovingAverage,
    /// Penalty on bonds beyond consensus.
    BondsPenalty,
    /// Validators with a permit.
    MaxAllowedValidators,
    /// How long a silent validator counts.
    ActivityCutoff,
    /// Yuma 3's bonds.
    Yuma3,
    /// Whether alpha follows consensus.
    LiquidAlpha,
    /// Lower end of liquid alpha.
    AlphaLow,
    /// Upper end of liquid alpha.
    AlphaHigh,
}

impl Knob {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Kappa,
        Self::BondsMovingAverage,
        Self::BondsPenalty,
        Self::MaxAllowedValidators,
        Self::ActivityCutoff,
        Self::Yuma3,
        Self::LiquidAlpha,
        Self::AlphaLow,
        Self::AlphaHigh,
    ];

    /// Bittensor's name of the rule.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kappa => "kappa",
            Self::BondsMovingAverage => "bonds_moving_avg",
            Self::BondsPenalty => "bonds_penalty",
            Self::MaxAllowedValidators => "max_validators",
            Self::ActivityCutoff => "activity_cutoff",
            Self::Yuma3 => "yuma3",
            Self::LiquidAlpha => "liquid_alpha",
            Self::AlphaLow => "alpha_low",
            Self::AlphaHigh => "alpha_high",
        }
    }

    /// The value as a person reads it; `-` where the chain does not know the rule.
    pub fn value(self, rules: &Hyperparameters) -> String {
        let share = |share: Option<u16>| {
            share.map(|share| format!("{:.3}", f64::from(share) / f64::from(u16::MAX)))
        };
        let switch = |on: Option<bool>| on.map(|on| if on { "on" } else { "off" }.to_owned());
        match self {
            Self::Kappa => share(rules.kappa),
            Self::BondsMovingAverage => rules
                .bonds_moving_average
                .map(|millionths| format!("{:.3}", millionths as f64 / 1e6)),
            Self::BondsPenalty => share(rules.bonds_penalty),
            Self::MaxAllowedValidators => {
                rules.max_allowed_validators.map(|count| count.to_string())
            }
            Self::ActivityCutoff => rules
                .activity_cutoff_factor
                .map(|factor| format!("{:.2} tempos", f64::from(factor) / 1000.0)),
            Self::Yuma3 => switch(rules.yuma3),
            Self::LiquidAlpha => switch(rules.liquid_alpha),
            Self::AlphaLow => share(rules.alpha_values.map(|(low, _)| low)),
            Self::AlphaHigh => share(rules.alpha_values.map(|(_, high)| high)),
        }
        .unwrap_or_else(|| "-".to_owned())
    }

    /// Turns the rule by one step, up or down; what the chain does not know stays unknown.
    pub fn turn(self, rules: &mut Hyperparameters, up: bool) {
        let share = |value: u16| {
            // Twentieths, on round values.
            let at = (f64::from(value) / f64::from(u16::MAX) * 20.0).round() as i32;
            let to = (at + if up { 1 } else { -1 }).clamp(0, 20);
            (f64::from(to) / 20.0 * f64::from(u16::MAX)).round() as u16
        };
        match self {
            Self::Kappa => rules.kappa = rules.kappa.map(share),
            Self::BondsPenalty => rules.bonds_penalty = rules.bonds_penalty.map(share),
            Self::BondsMovingAverage => {
                rules.bonds_moving_average = rules.bonds_moving_average.map(|value| match up {
                    true => (value + 50_000).min(1_000_000),
                    false => value.saturating_sub(50_000),
                });
            }
            Self::MaxAllowedValidators => {
                rules.max_allowed_validators = rules.max_allowed_validators.map(|count| match up {
                    true => count.saturating_add(1),
                    false => count.saturating_sub(1).max(1),
                });
            }
            Self::ActivityCutoff => {
                rules.activity_cutoff_factor = rules.activity_cutoff_factor.map(|value| match up {
                    true => value.saturating_add(250),
                    false => value.saturating_sub(250),
                });
            }
            Self::Yuma3 => rules.yuma3 = rules.yuma3.map(|_| up),
            Self::LiquidAlpha => rules.liquid_alpha = rules.liquid_alpha.map(|_| up),
            Self::AlphaLow => {
                rules.alpha_values = rules
                    .alpha_values
                    .map(|(low, high)| (share(low).min(high), high));
            }
            Self::AlphaHigh => {
                rules.alpha_values = rules
                    .alpha_values
                    .map(|(low, high)| (low, share(high).max(low)));
            }
        }
    }
}

impl WhatIf {
    /// The next epoch from the picture's votes, by its own rules and by `rules`.
    pub fn of(picture: &Snapshot, rules: Hyperparameters) -> Self {
        Self {
            now: epoch(picture, &picture.rules),
            then: epoch(picture, &rules),
            rules,
        }
    }
}

/// What the next epoch would give every UID if the votes stayed as they are and it had as much to share out as the last.
fn epoch(picture: &Snapshot, rules: &Hyperparameters) -> Vec<Pay> {
    let graph = &picture.metagraph;
    let n = graph.neurons.len();
    let params = Params {
        n: u16::try_from(n).unwrap_or(u16::MAX),
        tempo: rules.tempo,
        activity_cutoff_factor_milli: rules.activity_cutoff_factor.unwrap_or_else(|| {
            // Older runtimes count blocks.
            let blocks = u32::from(rules.activity_cutoff.unwrap_or(u16::MAX));
            blocks.saturating_mul(1000) / u32::from(rules.tempo.max(1))
        }),
        kappa: rules.kappa.unwrap_or(32_767),
        bonds_moving_average: rules.bonds_moving_average.unwrap_or(900_000),
        bonds_penalty: rules.bonds_penalty.unwrap_or(u16::MAX),
        yuma3: rules.yuma3.unwrap_or_default(),
        liquid_alpha: match (rules.liquid_alpha, rules.alpha_values) {
            (Some(true), Some((low, high))) => Some(LiquidAlpha {
                low,
                high,
                steepness: rules.alpha_steepness.unwrap_or(1000),
            }),
            _ => None,
        },
        max_allowed_validators: rules.max_allowed_validators.unwrap_or(u16::MAX),
        // Whoever is below the threshold has no share of the stake in the picture.
        stake_threshold: 0,
        tao_weight: 0,
        commit_reveal: false,
        reveal_period: 1,
        owner_uid: None,
    };
    let column = |read: fn(&athanor_chain::Neuron) -> u64| -> Vec<u64> {
        graph.neurons.iter().map(read).collect()
    };
    let shares = &picture.votes.stake_weight;
    let stake: Vec<u64> = match shares.iter().any(|share| *share > 0) {
        true => shares
            .iter()
            .map(|share| u64::from(*share) * (WHOLE_STAKE / u64::from(u16::MAX)))
            .collect(),
        false => column(|it| it.stake.0),
    };
    let dense = |rows: &[athanor_chain::Row]| {
        let mut dense = vec![Vec::new(); n];
        for (uid, row) in rows {
            if let Some(place) = dense.get_mut(usize::from(uid.0)) {
                *place = row.iter().map(|(to, value)| (to.0, *value)).collect();
            }
        }
        dense
    };
    let emission: u64 = column(|it| it.emission.0)
        .iter()
        .fold(0, |sum, rao| sum.saturating_add(*rao));
    let permits: Vec<bool> = graph.neurons.iter().map(|it| it.validator_permit).collect();
    let (weights, bonds) = (dense(&picture.votes.weights), dense(&picture.votes.bonds));
    let outcome = athanor_yuma::epoch(
        &params,
        &Before {
            block: graph.schedule.next_epoch_block.0.into(),
            last_mechanism_step_block: graph.schedule.last_epoch_block.0.into(),
            epoch_index: graph.schedule.epoch.0 + 1,
            rao_emission: emission,
            alpha_stake: &stake,
            tao_stake: &[],
            last_update: &column(|it| it.last_update.0.into()),
            block_at_registration: &column(|it| it.registered_at.0.into()),
            weights: &weights,
            bonds: &bonds,
            validator_permit: &permits,
            commits: &[],
            timelocked_commits: &[],
        },
    );
    pays(&outcome)
}

fn pays(outcome: &Outcome) -> Vec<Pay> {
    (0..)
        .map(Uid)
        .zip(&outcome.incentive)
        .zip(&outcome.dividends)
        .zip(&outcome.emission)
        .map(|(((uid, incentive), dividends), emission)| Pay {
            uid,
            incentive: *incentive,
            dividends: *dividends,
            emission: *emission,
        })
        .collect()
}
