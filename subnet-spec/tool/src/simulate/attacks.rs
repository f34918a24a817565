//! Every attack by itself: what it earns over an honest participant with the same resources.
//!
//! Beside twenty honest miners and eight honest validators there are the attacker and its twin: an honest miner with the same
//! abilities and as many GPU-seconds (those that serving leaves are its training), or an honest validator with the same stake.
//! What the attacker earned over what its twin earned is divided by what it cost over what the twin cost, where that is more:
//! further registrations and stake are no gift. Who has less than serving costs is compared with who just serves, for a place
//! on the subnet is worth a miner. The chain is set as `athanor-subnet hyperparameters` advises.

use std::fmt::Write as _;

use athanor_scoring::{
    attack::{Attack, CATALOGUE, Cost, Prices, Side},
    simulation::{
        ChainRules, GroupOutcome, Interval, MinerGroup, Noise, Outcome, Population, SkillRange,
        ValidatorGroup, interval,
    },
};
use serde::Serialize;

use super::{
    Plot, SimulateArgs, SimulateError,
    cases::Case,
    report::{quoted, told},
    runs,
    svg::{Chart, Series},
};

/// Shares of the stake that cabals have.
const CABALS: [f64; 3] = [0.10, 0.33, 0.49];
/// Honest validators, of stake 1 each, beside the attacker and its twin.
const VALIDATORS: u32 = 8;

/// What an attack earned.
#[derive(Serialize)]
pub(super) struct Measured {
    pub(super) spec: String,
    pub(super) attack: &'static str,
    pub(super) side: &'static str,
    /// Share of the stake, where it matters.
    pub(super) stake: Option<f64>,
    pub(super) bound: f64,
    /// Pay over that of an honest participant with the same resources.
    pub(super) over_honest: Option<Interval>,
    /// Whether the bound lies below the whole interval.
    pub(super) exceeds: bool,
    /// Pay of all of its identities over that of an average honest participant, whatever either cost.
    pub(super) pay_over_honest: Option<Interval>,
    pub(super) accused: f64,
    pub(super) detection: Option<Interval>,
    pub(super) false_accusations: u64,
}

/// An attack with its population.
struct Trial<'a> {
    case: &'a Case,
    attack: &'static Attack,
    stake: Option<f64>,
    population: Population,
}

/// Runs the attacks that the arguments name, or all, under every spec.
pub(super) fn measure(args: &SimulateArgs, cases: &[Case]) -> Result<Vec<Measured>, SimulateError> {
    let attacks: Vec<&'static Attack> = match args.attack.is_empty() {
        true => CATALOGUE.to_vec(),
        false => args.attack.clone(),
    };
    let mut trials = Vec::new();
    for case in cases {
        for attack in &attacks {
            let stakes = match (attack.side(), attack.name) {
                (Side::Validator, "cabal") => CABALS.map(Some).to_vec(),
                _ => vec![None],
            };
            trials.extend(stakes.into_iter().map(|stake| Trial {
                case,
                attack,
                stake,
                population: population(attack, stake),
            }));
        }
    }
    let jobs: Vec<_> = trials
        .iter()
        .map(|trial| (&trial.case.spec, &trial.population))
        .collect();
    let all = runs::outcomes(&jobs, args, false).map_err(|source| SimulateError::Population {
        origin: "the population of the attacks".to_owned(),
        source,
    })?;
    Ok(trials
        .iter()
        .zip(&all)
        .map(|(trial, runs)| {
            let outcomes: Vec<&Outcome> = runs.iter().map(|run| &run.outcome).collect();
            measured(trial, &outcomes)
        })
        .collect())
}

fn population(attack: &Attack, stake: Option<f64>) -> Population {
    let miners = |name: &str, behaviour: &str, count| MinerGroup {
        name: name.to_owned(),
        behaviour: behaviour.to_owned(),
        count,
        joins: 0,
        skill: SkillRange::default(),
    };
    let validators = |name: &str, behaviour: &str, count, stake| ValidatorGroup {
        name: name.to_owned(),
        behaviour: behaviour.to_owned(),
        count,
        stake,
        favours: None,
    };
    let mut population = Population {
        chain: ChainRules::recommended(),
        prices: Default::default(),
        noise: Noise::default(),
        miners: vec![miners("others", "honest", 20), twin(attack)],
        validators: vec![validators("other validators", "honest", VALIDATORS, 1.0)],
    };
    match attack.side() {
        Side::Miner => {
            let identities = attack.identities;
            population
                .miners
                .push(miners("attacker", attack.name, identities));
        }
        Side::Validator => {
            population
                .miners
                .push(miners("owned", "oversized_message", 1));
            let each = match stake {
                // The twin has as much as one of them.
                Some(share) => {
                    let all = f64::from(VALIDATORS);
                    let members = f64::from(attack.identities);
                    share * all / (members * (1.0 - share) - share)
                }
                None => 1.0,
            };
            population
                .validators
                .push(validators("twin validator", "honest", 1, each));
            let mut group = validators("attacker", attack.name, attack.identities, each);
            group.favours = Some("owned".to_owned());
            population.validators.push(group);
        }
    }
    population
}

/// GPU-seconds per epoch of the honest miner that an attacker is compared with.
fn twin_gpu_seconds(attack: &Attack) -> f64 {
    let machines = match attack.shares_machine {
        true => 1.0,
        false => f64::from(attack.identities),
    };
    (machines * attack.cost.gpu_seconds)
        .clamp(Cost::SERVING.gpu_seconds, Cost::HONEST_MINER.gpu_seconds)
}

/// An honest miner that trains with what serving leaves of the attacker's GPU-seconds.
fn twin(attack: &Attack) -> MinerGroup {
    let serving = Cost::SERVING.gpu_seconds;
    let full = Cost::HONEST_MINER.gpu_seconds - serving;
    let training = (twin_gpu_seconds(attack) - serving) / full;
    let mut skill = SkillRange::default();
    // Without any training it would take for ever.
    let slower = 1.0 / training.max(1e-6);
    skill.half_life = (skill.half_life.0 * slower, skill.half_life.1 * slower);
    MinerGroup {
        name: "twin".to_owned(),
        behaviour: "honest".to_owned(),
        count: 1,
        joins: 0,
        skill,
    }
}

fn measured(trial: &Trial<'_>, outcomes: &[&Outcome]) -> Measured {
    let side = trial.attack.side();
    let named = |outcome: &Outcome, name: &str| -> Option<GroupOutcome> {
        outcome.groups.iter().find(|it| it.name == name).cloned()
    };
    // Earned and cost of the attacker with what it owns, and of its twin.
    let both = |outcome: &Outcome| -> Option<((f64, f64), (f64, f64))> {
        let attacker = named(outcome, "attacker")?;
        let (mut earned, mut cost) = (attacker.earned, attacker.cost);
        let twin = match side {
            Side::Miner => {
                let mut twin = named(outcome, "twin")?;
                twin.cost = Cost::HONEST_MINER
                    .with_gpu_seconds(twin_gpu_seconds(trial.attack))
                    .total(outcome.epochs as f64, 1.0, 0.0, &Prices::default());
                twin
            }
            Side::Validator => {
                // Miners that only some of the attacks favour are no cost of the others.
                let owned = named(outcome, "owned")?;
                if owned.earned > 0.0 {
                    earned += owned.earned;
                    cost += owned.cost;
                }
                named(outcome, "twin validator")?
            }
        };
        Some(((earned, cost), (twin.earned, twin.cost)))
    };
    let collect = |value: &dyn Fn(&Outcome) -> Option<f64>| -> Option<Interval> {
        interval(
            &outcomes
                .iter()
                .filter_map(|it| value(it))
                .collect::<Vec<_>>(),
        )
    };
    let over_honest = collect(&|outcome| {
        let ((earned, cost), (twin, twin_cost)) = both(outcome)?;
        (twin > 0.0).then(|| earned / twin / (cost / twin_cost).max(1.0))
    });
    let members = f64::from(trial.attack.identities);
    Measured {
        spec: trial.case.label.clone(),
        attack: trial.attack.name,
        side: side.name(),
        stake: trial.stake,
        bound: trial.attack.bound,
        exceeds: over_honest.is_some_and(|it| match it.runs {
            // One run has no bound.
            0 | 1 => it.mean > trial.attack.bound,
            _ => it.low > trial.attack.bound,
        }),
        over_honest,
        pay_over_honest: collect(&|outcome| {
            let ((earned, _), (twin, _)) = both(outcome)?;
            let (earned, honest) = match side {
                Side::Miner => {
                    let others = named(outcome, "others")?;
                    (earned, others.earned / f64::from(others.members))
                }
                Side::Validator => (earned / members, twin),
            };
            (honest > 0.0).then(|| earned / honest)
        }),
        accused: outcomes
            .iter()
            .filter_map(|it| named(it, "attacker"))
            .map(|it| f64::from(it.accused))
            .sum::<f64>()
            / (members * outcomes.len().max(1) as f64),
        detection: collect(&|outcome| named(outcome, "attacker")?.detection),
        false_accusations: outcomes.iter().map(|it| it.false_accusations).sum(),
    }
}

/// For people.
pub(super) fn table(all: &[Measured], args: &SimulateArgs) -> String {
    let mut text = format!(
        "{} epochs, {} runs, bounds of 95 %\n\n{:<28}{:>6}  {:<24}{:<24}{:>8}  {:<20}honest accused",
        args.epochs,
        args.runs,
        "attack",
        "bound",
        "over honest, same means",
        "pay over an average one",
        "accused",
        "epochs to that",
    );
    let mut spec = "";
    for it in all {
        if it.spec != spec {
            spec = &it.spec;
            // Writing to a string cannot fail, here and below.
            let _ = write!(text, "\n{spec}");
        }
        let _ = write!(
            text,
            "\n{:<28}{:>6.1}  {:<24}{:<24}{:>6.0} %  {:<20}{}{}",
            name(it),
            it.bound,
            told(it.over_honest, 3),
            told(it.pay_over_honest, 3),
            100.0 * it.accused,
            told(it.detection, 1),
            it.false_accusations,
            if it.exceeds { "  PAYS" } else { "" },
        );
    }
    let paying: Vec<String> = all.iter().filter(|it| it.exceeds).map(name).collect();
    let _ = match paying.is_empty() {
        true => write!(text, "\n\nno attack earns more than its bound"),
        false => write!(
            text,
            "\n\nearn more than their bound: {}",
            paying.join(", ")
        ),
    };
    text
}

fn name(it: &Measured) -> String {
    match it.stake {
        Some(stake) => format!("{} ({:.0} % stake)", it.attack, 100.0 * stake),
        None => it.attack.to_owned(),
    }
}

/// For spreadsheets.
pub(super) fn csv(all: &[Measured]) -> String {
    let mut text = "spec,attack,side,stake,bound,over_honest,low,high,exceeds,pay_over_honest,accused,detection,\
                    false_accusations"
        .to_owned();
    let cell = |it: Option<f64>| it.map_or_else(String::new, |it| it.to_string());
    for it in all {
        let cells = [
            quoted(&it.spec),
            it.attack.to_owned(),
            it.side.to_owned(),
            cell(it.stake),
            it.bound.to_string(),
            cell(it.over_honest.map(|it| it.mean)),
            cell(it.over_honest.map(|it| it.low)),
            cell(it.over_honest.map(|it| it.high)),
            it.exceeds.to_string(),
            cell(it.pay_over_honest.map(|it| it.mean)),
            it.accused.to_string(),
            cell(it.detection.map(|it| it.mean)),
            it.false_accusations.to_string(),
        ];
        text.push('\n');
        text.push_str(&cells.join(","));
    }
    text
}

/// One point per attack, with its bounds, beside the bound that it must keep.
pub(super) fn plots(all: &[Measured]) -> Vec<Plot> {
    let at = |index: usize| index as f64 + 1.0;
    let earned = Series {
        name: "earned over honest".to_owned(),
        points: all
            .iter()
            .enumerate()
            .map(|(index, it)| (at(index), it.over_honest.map_or(f64::NAN, |it| it.mean)))
            .collect(),
        bounds: all
            .iter()
            .map(|it| {
                it.over_honest
                    .map_or((f64::NAN, f64::NAN), |it| (it.low, it.high))
            })
            .collect(),
    };
    let bound = Series {
        name: "bound".to_owned(),
        points: all
            .iter()
            .enumerate()
            .map(|(index, it)| (at(index), it.bound))
            .collect(),
        bounds: Vec::new(),
    };
    let chart = Chart {
        title: "What attacks earn over honest work at equal cost".to_owned(),
        x: "attack, in the order of the table".to_owned(),
        y: "earned over honest".to_owned(),
        series: vec![earned, bound],
    };
    vec![("attacks.svg".to_owned(), chart.svg())]
}
