//! Refuse populations that cannot be simulated, by name.

use std::collections::BTreeSet;

use super::{HONEST, Population, PopulationError, attack_of};
use crate::attack::Side;

impl Population {
    /// Fills in names, and refuses what cannot be simulated.
    pub fn checked(mut self) -> Result<Self, PopulationError> {
        for group in &mut self.miners {
            if group.name.is_empty() {
                group.name.clone_from(&group.behaviour);
            }
        }
        for group in &mut self.validators {
            if group.name.is_empty() {
                group.name = match group.behaviour.as_str() {
                    HONEST => "validators".to_owned(),
                    attack => attack.to_owned(),
                };
            }
        }
        self.check_names()?;
        self.check_sizes()?;
        self.check_values()?;
        Ok(self)
    }

    fn check_names(&self) -> Result<(), PopulationError> {
        let miners = self
            .miners
            .iter()
            .map(|it| (&it.name, &it.behaviour, Side::Miner));
        let validators = self
            .validators
            .iter()
            .map(|it| (&it.name, &it.behaviour, Side::Validator));
        let mut names = BTreeSet::new();
        for (name, behaviour, side) in miners.chain(validators) {
            let group = name.clone();
            if !names.insert(name) {
                return Err(PopulationError::SameName { group });
            }
            let behaviour = behaviour.clone();
            match attack_of(&behaviour) {
                Err(()) => return Err(PopulationError::UnknownBehaviour { group, behaviour }),
                Ok(Some(attack)) if attack.side() != side => {
                    return Err(PopulationError::WrongSide {
                        group,
                        behaviour,
                        side: side.name(),
                    });
                }
                Ok(_) => {}
            }
        }
        for group in &self.validators {
            if let Some(favours) = &group.favours
                && !self.miners.iter().any(|miners| miners.name == *favours)
            {
                return Err(PopulationError::UnknownFavourite {
                    group: group.name.clone(),
                    favours: favours.clone(),
                });
            }
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), PopulationError> {
        let miners: u64 = self.miners.iter().map(|it| u64::from(it.count)).sum();
        let validators: u64 = self.validators.iter().map(|it| u64::from(it.count)).sum();
        let stake: f64 = self
            .validators
            .iter()
            .map(|it| it.stake * f64::from(it.count))
            .sum();
        for (what, missing) in [
            ("miner", miners == 0),
            ("validator", validators == 0),
            ("validator with stake", stake <= 0.0 || !stake.is_finite()),
        ] {
            if missing {
                return Err(PopulationError::Nobody { what });
            }
        }
        // One more is the owner.
        let members = miners + validators + 1;
        if members > Self::MAX_MEMBERS {
            return Err(PopulationError::TooMany { members });
        }
        Ok(())
    }

    fn check_values(&self) -> Result<(), PopulationError> {
        let chain = &self.chain;
        let unit = 0.0..=1.0;
        let share = "between 0 and 1";
        let refuse = |group: &str, key, value: String, expected| {
            Err(PopulationError::OutOfRange {
                group: group.to_owned(),
                key,
                value,
                expected,
            })
        };
        for (key, value) in [
            ("kappa", chain.kappa),
            ("bonds_moving_average", chain.bonds_moving_average),
            ("bonds_penalty", chain.bonds_penalty),
            ("max_weight", chain.max_weight),
        ] {
            if !unit.contains(&value) {
                return refuse("chain", key, value.to_string(), share);
            }
        }
        if chain.tempo == 0 {
            return refuse("chain", "tempo", "0".to_owned(), "above 0");
        }
        if !(0.0..=1e9).contains(&chain.emission) {
            let value = chain.emission.to_string();
            return refuse(
                "chain",
                "emission",
                value,
                "between 0 and a thousand million",
            );
        }
        if !(0.1..=1e6).contains(&chain.activity_cutoff_epochs) {
            let value = chain.activity_cutoff_epochs.to_string();
            return refuse("chain", "activity_cutoff_epochs", value, "at least 0.1");
        }
        let noise = &self.noise;
        for (key, value) in [
            ("divergence", noise.divergence),
            ("prompt", noise.prompt),
            ("correctness", noise.correctness),
            ("service", noise.service),
            ("goodput", noise.goodput),
        ] {
            if !(0.0..=10.0).contains(&value) {
                return refuse("noise", key, value.to_string(), "between 0 and 10");
            }
        }
        for group in &self.miners {
            let skill = &group.skill;
            for (key, (low, high), most) in [
                ("divergence", skill.divergence, 10.0),
                ("divergence_trained", skill.divergence_trained, 10.0),
                ("correctness", skill.correctness, 1.0),
                ("correctness_trained", skill.correctness_trained, 1.0),
                ("half_life", skill.half_life, 1e9),
                ("ttft_ms", skill.ttft_ms, 1e7),
                ("per_token_ms", skill.per_token_ms, 1e7),
                ("tokens_per_second", skill.tokens_per_second, 1e9),
                ("answered", skill.answered, 1.0),
            ] {
                if !(0.0 <= low && low <= high && high <= most) {
                    let value = format!("[{low}, {high}]");
                    let expected = "[low, high] with 0 <= low <= high within its unit";
                    return refuse(&group.name, key, value, expected);
                }
            }
            if skill.publish_every == 0 || skill.half_life.0 <= 0.0 {
                let key = "publish_every and half_life";
                return refuse(&group.name, key, "0".to_owned(), "above 0");
            }
        }
        Ok(())
    }
}
