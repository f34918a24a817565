//! A population that looks like a real subnet: its stakes, and miners as good as they are paid.
//!
//! What a miner is able to do cannot be read from a chain, only what it is paid. The best paid is taken to be as good as the
//! best of the default population, and the others so much worse that Q^2 is in proportion to their incentives.

use athanor_scoring::simulation::{
    ChainRules, MinerGroup, Noise, Population, SkillRange, ValidatorGroup,
};
use serde::Deserialize;

/// Divergence and credit of the best, after training.
const BEST: (f64, f64) = (0.12, 0.97);

/// What is read of a recorded metagraph.
#[derive(Deserialize)]
struct Recorded {
    tempo: u16,
    neurons: Vec<Neuron>,
}

#[derive(Deserialize)]
struct Neuron {
    uid: u16,
    stake_rao: u64,
    validator_permit: bool,
    incentive: u16,
}

/// Reads a recorded metagraph.
pub(super) fn read(text: &str) -> Result<Population, serde_json::Error> {
    let recorded: Recorded = serde_json::from_str(text)?;
    let votes = |neuron: &&Neuron| neuron.validator_permit && neuron.stake_rao > 0;
    let best = recorded
        .neurons
        .iter()
        .map(|it| it.incentive)
        .max()
        .unwrap_or(0);
    let miner = |neuron: &Neuron| {
        // Q in proportion to the root of the pay, of the best about 0.85.
        let share = f64::from(neuron.incentive) / f64::from(best.max(1));
        let quality = share.sqrt();
        let divergence = (BEST.0 - 0.5 * quality.max(0.02).ln()).min(2.0);
        let correctness = BEST.1 * quality;
        MinerGroup {
            name: format!("uid {}", neuron.uid),
            behaviour: "honest".to_owned(),
            count: 1,
            joins: 0,
            skill: SkillRange {
                divergence: (divergence, divergence),
                divergence_trained: (divergence, divergence),
                correctness: (correctness, correctness),
                correctness_trained: (correctness, correctness),
                ..SkillRange::default()
            },
        }
    };
    Ok(Population {
        chain: ChainRules {
            tempo: recorded.tempo,
            ..ChainRules::default()
        },
        prices: Default::default(),
        noise: Noise::default(),
        miners: recorded
            .neurons
            .iter()
            .filter(|neuron| !votes(neuron))
            .map(miner)
            .collect(),
        validators: recorded
            .neurons
            .iter()
            .filter(votes)
            .map(|neuron| ValidatorGroup {
                name: format!("validator {}", neuron.uid),
                behaviour: "honest".to_owned(),
                count: 1,
                stake: neuron.stake_rao as f64,
                favours: None,
            })
            .collect(),
    })
}
