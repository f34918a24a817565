//! What a spec needs of a subnet's hyperparameters.
//!
//! A spec says what validators ask, by when and how pay follows; the chain says how long an epoch is and who may set weights
//! when. Each rule here is one number of the chain that the spec bounds, with the reason.

use std::time::Duration;

use athanor_chain::{Client, Hyperparameter, Hyperparameters, ReadError};
use athanor_scoring::simulation::ChainRules;
use athanor_spec::{NetUid, SubnetSpec, params::Curve};
use serde::Serialize;

/// Blocks that weights and commitments may take after the last answers: each is an extrinsic, and may be sent anew once.
const SUBMISSION_BLOCKS: u64 = 4;
/// Epochs from commit to reveal at least, and the share of the bonds' penalty at most.
const RECOMMENDED: (u64, f64) = ChainRules::RECOMMENDED;
/// Quality of a newcomer that shall be known well enough before it can be replaced.
const NEWCOMER_QUALITY: f64 = 0.5;
/// Share of its pay that uncertainty may cost it by then.
const NEWCOMER_LOSS: f64 = 0.1;

/// A subnet as far as the rules look at it.
#[derive(Clone, Debug)]
pub(crate) struct Subnet {
    pub(crate) rules: Hyperparameters,
    /// Time from one block to the next.
    pub(crate) block_time: Duration,
    /// Largest share of one miner in a row, of 65535.
    pub(crate) max_weights_limit: u16,
}

impl Subnet {
    /// Reads it at the latest finalized block.
    pub(crate) async fn read(client: &Client, netuid: NetUid) -> Result<Self, ReadError> {
        Ok(Self {
            rules: client.hyperparameters(netuid, None).await?,
            block_time: client.block_time(),
            max_weights_limit: client.weight_limits(netuid, None).await?.max_weight_limit,
        })
    }

    /// Blocks after which a silent validator no longer counts.
    fn activity_cutoff(&self) -> Option<u64> {
        match self.rules.activity_cutoff_factor {
            Some(milli) => Some(u64::from(self.rules.tempo) * u64::from(milli) / 1000),
            None => self.rules.activity_cutoff.map(u64::from),
        }
    }
}

/// How a hyperparameter stands to what the spec needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// Bittensor's name.
    pub(crate) name: &'static str,
    /// What the chain has.
    pub(crate) chain: String,
    /// What the spec needs, in words.
    pub(crate) needs: String,
    /// Whether the chain's will do.
    pub(crate) fits: bool,
    /// Why.
    pub(crate) reason: String,
    /// What the owner would set; `None` if nothing is to be set, or only root can.
    #[serde(skip)]
    pub(crate) set: Option<Hyperparameter>,
}

/// Every rule, with how the chain stands to it.
pub(crate) fn findings(spec: &SubnetSpec, chain: &Subnet) -> Vec<Finding> {
    vec![
        version_key(spec, chain),
        tempo(spec, chain),
        weights_rate_limit(chain),
        activity_cutoff(chain),
        commit_reveal(chain),
        reveal_period(chain),
        bonds_penalty(chain),
        min_allowed_weights(spec, chain),
        max_weights_limit(chain),
        immunity_period(spec, chain),
    ]
}

fn version_key(spec: &SubnetSpec, chain: &Subnet) -> Finding {
    let (key, found) = (spec.subnet.version_key, chain.rules.weights_version);
    Finding {
        name: "weights_version",
        chain: found.to_string(),
        needs: key.to_string(),
        fits: key == found,
        reason: match found > key {
            true => "the chain refuses weights with the spec's key: raise `subnet.version_key`"
                .to_owned(),
            false => "validators with an older spec are shut out by it".to_owned(),
        },
        // Lowering it would let in what was shut out: that is a decision, and not a consequence of the spec.
        set: (key > found).then_some(Hyperparameter::WeightsVersionKey(key)),
    }
}

/// Shortest epoch in whose rest after the asks the last answer, its replay and the weights have room.
fn least_tempo(spec: &SubnetSpec, chain: &Subnet) -> u64 {
    let block_ms = chain.block_time.as_millis().max(1) as f64;
    let rest_share = (1.0 - spec.round.ask_window_share).max(f64::EPSILON);
    // The last ask may take its whole deadline, and its replay as long again.
    let answers = (2.0 * f64::from(spec.round.deadline_ms) / block_ms).ceil();
    ((answers + SUBMISSION_BLOCKS as f64) / rest_share).ceil() as u64
}

fn tempo(spec: &SubnetSpec, chain: &Subnet) -> Finding {
    let least = least_tempo(spec, chain);
    let fits = u64::from(chain.rules.tempo) >= least;
    Finding {
        name: "tempo",
        chain: chain.rules.tempo.to_string(),
        needs: format!("at least {least}"),
        fits,
        reason: format!(
            "the {:.0} % of the epoch after the asks must hold the last answer ({} ms), its replay, and {SUBMISSION_BLOCKS} \
             blocks for weights and commitment",
            100.0 * (1.0 - spec.round.ask_window_share),
            spec.round.deadline_ms
        ),
        set: u16::try_from(least)
            .ok()
            .filter(|_| !fits)
            .map(Hyperparameter::TempoAsOwner),
    }
}

fn weights_rate_limit(chain: &Subnet) -> Finding {
    Finding {
        name: "weights_rate_limit",
        chain: chain.rules.weights_rate_limit.to_string(),
        needs: format!("at most {} (the tempo)", chain.rules.tempo),
        fits: chain.rules.weights_rate_limit <= u64::from(chain.rules.tempo),
        reason: "a validator sets weights once an epoch; only root can change this limit"
            .to_owned(),
        set: None,
    }
}

fn activity_cutoff(chain: &Subnet) -> Finding {
    let least = 2 * u64::from(chain.rules.tempo);
    let cutoff = chain.activity_cutoff();
    let fits = cutoff.is_none_or(|it| it >= least);
    let set = match chain.rules.activity_cutoff_factor.is_some() {
        true => Some(Hyperparameter::ActivityCutoffFactor(2000)),
        false => u16::try_from(least)
            .ok()
            .map(Hyperparameter::ActivityCutoff),
    };
    Finding {
        name: "activity_cutoff",
        chain: cutoff.map_or_else(|| "unknown".to_owned(), |it| it.to_string()),
        needs: format!("at least {least} (two epochs)"),
        fits,
        reason: "a validator that misses one epoch must still count in the next".to_owned(),
        set: set.filter(|_| !fits),
    }
}

fn commit_reveal(chain: &Subnet) -> Finding {
    Finding {
        name: "commit_reveal_weights_enabled",
        chain: chain.rules.commit_reveal.to_string(),
        needs: "true".to_owned(),
        fits: chain.rules.commit_reveal,
        reason: "weights in the open are copied by validators that audit nothing".to_owned(),
        set: (!chain.rules.commit_reveal).then_some(Hyperparameter::CommitReveal(true)),
    }
}

fn reveal_period(chain: &Subnet) -> Finding {
    let (least, _) = RECOMMENDED;
    let found = chain.rules.reveal_period;
    // A chain that does not tell has none that could be set.
    let fits = found.is_none_or(|epochs| epochs >= least);
    Finding {
        name: "commit_reveal_period",
        chain: found.map_or_else(|| "unknown".to_owned(), |epochs| epochs.to_string()),
        needs: format!("at least {least} epochs"),
        fits,
        reason: "weights that are shown an epoch later are nearly as good as one's own for who copies them"
            .to_owned(),
        set: (!fits).then_some(Hyperparameter::CommitRevealPeriod(least)),
    }
}

fn bonds_penalty(chain: &Subnet) -> Finding {
    let (_, most) = RECOMMENDED;
    let most = (most * f64::from(u16::MAX)) as u16;
    let found = chain.rules.bonds_penalty;
    let fits = found.is_none_or(|penalty| penalty <= most);
    Finding {
        name: "bonds_penalty",
        chain: found.map_or_else(|| "unknown".to_owned(), |penalty| penalty.to_string()),
        needs: format!("at most {most} (a half)"),
        fits,
        reason: "all of it takes from validators that grade what their noise costs, and nothing from who copies the consensus"
            .to_owned(),
        set: (!fits).then_some(Hyperparameter::BondsPenalty(most)),
    }
}

fn min_allowed_weights(spec: &SubnetSpec, chain: &Subnet) -> Finding {
    let most = match spec.allocation.curve {
        Curve::TopK => spec.allocation.top_k.max(1),
        Curve::Proportional | Curve::Crown => 1,
    };
    let most = u16::try_from(most).unwrap_or(u16::MAX);
    let found = chain.rules.min_allowed_weights.unwrap_or_default();
    let fits = found <= most;
    Finding {
        name: "min_allowed_weights",
        chain: found.to_string(),
        needs: format!("at most {most}"),
        fits,
        reason: "a shorter row is filled up with miners that earned nothing, or is not set at all"
            .to_owned(),
        set: (!fits).then_some(Hyperparameter::MinAllowedWeights(most)),
    }
}

fn max_weights_limit(chain: &Subnet) -> Finding {
    Finding {
        name: "max_weights_limit",
        chain: chain.max_weights_limit.to_string(),
        needs: u16::MAX.to_string(),
        fits: chain.max_weights_limit == u16::MAX,
        reason: "below, the best miner and what is burned are cut; only root can change this limit"
            .to_owned(),
        set: None,
    }
}

/// Prompts after which uncertainty costs a newcomer no more than a tenth of its pay: n = (p z s / (share Q))^2.
fn newcomer_prompts(spec: &SubnetSpec) -> f64 {
    let pay = &spec.allocation;
    let root = pay.exponent * pay.confidence_z * pay.pool_sd / (NEWCOMER_LOSS * NEWCOMER_QUALITY);
    (root * root).min(pay.max_effective_asks)
}

fn immunity_period(spec: &SubnetSpec, chain: &Subnet) -> Finding {
    let rounds = newcomer_prompts(spec) / f64::from(spec.round.asks_per_miner);
    // One epoch goes by until the first whole round.
    let epochs = rounds.ceil() as u64 + 1;
    let least = epochs * u64::from(chain.rules.tempo);
    let found = chain.rules.immunity_period.unwrap_or_default();
    let fits = u64::from(found) >= least;
    Finding {
        name: "immunity_period",
        chain: found.to_string(),
        needs: format!("at least {least} ({epochs} epochs)"),
        fits,
        reason: "a newcomer of quality 0.5 must be known well enough to be paid nine tenths before it can be replaced".to_owned(),
        set: u16::try_from(least)
            .ok()
            .filter(|_| !fits)
            .map(Hyperparameter::ImmunityPeriod),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Subnet {
        Subnet {
            rules: Hyperparameters {
                tempo: 360,
                weights_version: 1,
                weights_rate_limit: 100,
                min_allowed_weights: Some(1),
                commit_reveal: true,
                reveal_period: Some(3),
                bonds_penalty: Some(32_767),
                activity_cutoff: Some(5000),
                immunity_period: Some(5000),
                ..Hyperparameters::default()
            },
            block_time: Duration::from_secs(12),
            max_weights_limit: u16::MAX,
        }
    }

    /// The chain with other rules.
    fn with(change: impl FnOnce(&mut Hyperparameters)) -> Subnet {
        let mut subnet = chain();
        change(&mut subnet.rules);
        subnet
    }

    fn check(chain: &Subnet, spec: &SubnetSpec, name: &str, set: Option<Hyperparameter>) {
        for finding in findings(spec, chain) {
            assert_eq!(finding.fits, finding.name != name, "{finding:?}");
            if finding.name == name {
                assert_eq!(finding.set, set, "{finding:?}");
            } else {
                assert_eq!(finding.set, None, "{finding:?}");
            }
        }
    }

    #[test]
    fn bittensors_defaults_fit_the_spec_that_ships_but_for_the_reveal() {
        let spec = SubnetSpec::shipped();
        check(&chain(), &spec, "none", None);
        let soon = with(|rules| rules.reveal_period = Some(1));
        let later = Hyperparameter::CommitRevealPeriod(3);
        check(&soon, &spec, "commit_reveal_period", Some(later));
        let strict = with(|rules| rules.bonds_penalty = Some(u16::MAX));
        let half = Hyperparameter::BondsPenalty(32_767);
        check(&strict, &spec, "bonds_penalty", Some(half));
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        let spec = SubnetSpec::local();
        let newer = spec.with("subnet.version_key", "2").unwrap();
        let key = Hyperparameter::WeightsVersionKey(2);
        check(&chain(), &newer, "weights_version", Some(key));
        let ahead = with(|rules| rules.weights_version = 9);
        check(&ahead, &spec, "weights_version", None);
        let open = with(|rules| rules.commit_reveal = false);
        let hide = Hyperparameter::CommitReveal(true);
        check(&open, &spec, "commit_reveal_weights_enabled", Some(hide));
        let long = with(|rules| rules.min_allowed_weights = Some(64));
        check(
            &long,
            &spec,
            "min_allowed_weights",
            Some(Hyperparameter::MinAllowedWeights(1)),
        );
        let silent = with(|rules| rules.activity_cutoff = Some(400));
        check(
            &silent,
            &spec,
            "activity_cutoff",
            Some(Hyperparameter::ActivityCutoff(720)),
        );
        // 144 prompts at 24 a round are six rounds, and one epoch goes by before.
        let young = with(|rules| rules.immunity_period = Some(2519));
        check(
            &young,
            &spec,
            "immunity_period",
            Some(Hyperparameter::ImmunityPeriod(2520)),
        );
        let slow = spec.with("round.deadline_ms", "1200000").unwrap();
        // 200 blocks and 4 in two fifths of an epoch.
        check(
            &chain(),
            &slow,
            "tempo",
            Some(Hyperparameter::TempoAsOwner(510)),
        );
        let limited = with(|rules| rules.weights_rate_limit = 361);
        check(&limited, &spec, "weights_rate_limit", None);
    }
}
