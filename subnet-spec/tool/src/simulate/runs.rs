//! Run populations under specs with several seeds, and put what came out together.

use std::time::{Duration, Instant};

use athanor_scoring::simulation::{
    Interval, Outcome, Population, PopulationError, Simulation, interval,
};
use athanor_spec::SubnetSpec;
use rayon::prelude::*;
use serde::Serialize;

use super::{SimulateArgs, SimulateError, cases::Case, progress::Progress};

/// Epochs between runs of the collusion battery.
const BATTERY_EVERY: u64 = 50;
/// Points of a curve over epochs.
const POINTS: usize = 200;

/// What a spec does to a population.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) spec: String,
    pub(super) digest: String,
    pub(super) epochs: u64,
    pub(super) groups: Vec<Group>,
    /// Pairs of honest validator and honest miner with an accusation, over all runs.
    pub(super) false_accusations: u64,
    /// Pairs that there were, over all runs.
    pub(super) honest_pairs: u64,
    pub(super) gini: Option<Interval>,
    pub(super) nakamoto: Option<Interval>,
    pub(super) burned: Option<Interval>,
    pub(super) honest_trust: Option<Interval>,
    /// Seconds of one run by the clock, the battery's not counted, and the battery's.
    pub(super) seconds: f64,
    pub(super) battery_seconds: f64,
    /// What the battery found at the end of the first run.
    pub(super) findings: Vec<String>,
}

/// What a group got.
#[derive(Serialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) behaviour: String,
    pub(super) side: &'static str,
    pub(super) members: u32,
    /// Alpha per member and epoch.
    pub(super) earned: Option<Interval>,
    /// Alpha for a thousand GPU-seconds.
    pub(super) rate: Option<Interval>,
    /// Alpha per cost over that of the honest group of its side.
    pub(super) over_honest: Option<Interval>,
    /// Share of members that most of the honest stake accused, over all runs.
    pub(super) accused: f64,
    pub(super) detection: Option<Interval>,
    pub(super) paid_after: Option<Interval>,
    /// Share of its side's pay, averaged over runs: points of epoch and share.
    pub(super) shares: Vec<(f64, f64)>,
}

/// A run, and what the clock said.
pub(super) struct Timed {
    pub(super) outcome: Outcome,
    seconds: f64,
    battery: f64,
    findings: Vec<String>,
}

/// One run to its end.
fn timed(
    spec: &SubnetSpec,
    population: &Population,
    seed: u64,
    epochs: u64,
    with_battery: bool,
    progress: &Progress,
) -> Result<Timed, PopulationError> {
    let begun = Instant::now();
    let mut battery = Duration::ZERO;
    let mut findings = Vec::new();
    let outcome = Simulation::new(spec, population, seed)?.run(epochs, |simulation| {
        if with_battery && simulation.epoch().is_multiple_of(BATTERY_EVERY) {
            let begun = Instant::now();
            findings = simulation.battery().lines();
            battery += begun.elapsed();
        }
        progress.one();
    });
    Ok(Timed {
        outcome,
        seconds: begun.elapsed().saturating_sub(battery).as_secs_f64(),
        battery: battery.as_secs_f64(),
        findings,
    })
}

/// Outcomes of all runs of every population under every spec, in order.
pub(super) fn outcomes(
    jobs: &[(&SubnetSpec, &Population)],
    args: &SimulateArgs,
    with_battery: bool,
) -> Result<Vec<Vec<Timed>>, PopulationError> {
    let runs = args.runs;
    let progress = Progress::of(jobs.len() as u64 * runs * args.epochs);
    let of_run = |index: u64| {
        // In range: there are as many as there are jobs and runs.
        let (spec, population) = jobs[(index / runs) as usize];
        let run = index % runs;
        let seed = args.seed.wrapping_add(run);
        let battery = with_battery && run == 0;
        timed(spec, population, seed, args.epochs, battery, &progress)
    };
    let mut all: Vec<Timed> = (0..jobs.len() as u64 * runs)
        .into_par_iter()
        .map(of_run)
        .collect::<Result<_, _>>()?;
    let mut grouped = Vec::with_capacity(jobs.len());
    while !all.is_empty() {
        let rest = all.split_off((runs as usize).min(all.len()));
        grouped.push(std::mem::replace(&mut all, rest));
    }
    Ok(grouped)
}

/// A report for each spec.
pub(super) fn reports(
    args: &SimulateArgs,
    cases: &[Case],
    population: &Population,
) -> Result<Vec<Report>, SimulateError> {
    let jobs: Vec<_> = cases.iter().map(|case| (&case.spec, population)).collect();
    let all = outcomes(&jobs, args, true).map_err(|source| SimulateError::Population {
        origin: "the population".to_owned(),
        source,
    })?;
    Ok(cases
        .iter()
        .zip(&all)
        .map(|(case, runs)| report(case, population, runs, args.epochs))
        .collect())
}

fn report(case: &Case, population: &Population, runs: &[Timed], epochs: u64) -> Report {
    let of = |value: &dyn Fn(&Outcome) -> f64| -> Option<Interval> {
        interval(
            &runs
                .iter()
                .map(|run| value(&run.outcome))
                .collect::<Vec<_>>(),
        )
    };
    let count = |honest: &str, counts: &[(&str, u32)]| -> u64 {
        let honest = counts.iter().filter(|(behaviour, _)| *behaviour == honest);
        honest.map(|(_, count)| u64::from(*count)).sum()
    };
    let miners: Vec<_> = population
        .miners
        .iter()
        .map(|it| (it.behaviour.as_str(), it.count))
        .collect();
    let validators: Vec<_> = population
        .validators
        .iter()
        .map(|it| (it.behaviour.as_str(), it.count))
        .collect();
    let groups = runs.first().map_or(0, |run| run.outcome.groups.len());
    Report {
        spec: case.label.clone(),
        digest: case.spec.digest().to_string(),
        epochs,
        groups: (0..groups).map(|index| group(runs, index)).collect(),
        false_accusations: runs.iter().map(|run| run.outcome.false_accusations).sum(),
        honest_pairs: runs.len() as u64 * count("honest", &miners) * count("honest", &validators),
        gini: of(&|outcome| outcome.gini),
        nakamoto: of(&|outcome| f64::from(outcome.nakamoto)),
        burned: of(&|outcome| outcome.burned),
        honest_trust: of(&|outcome| outcome.honest_trust),
        seconds: runs.iter().map(|run| run.seconds).sum::<f64>() / runs.len().max(1) as f64,
        battery_seconds: runs.iter().map(|run| run.battery).sum(),
        findings: runs
            .first()
            .map_or_else(Vec::new, |run| run.findings.clone()),
    }
}

fn group(runs: &[Timed], index: usize) -> Group {
    let of_run = |run: &Timed| run.outcome.groups[index].clone();
    let first = of_run(&runs[0]);
    let honest = |run: &Timed| -> Option<f64> {
        let honest = run
            .outcome
            .groups
            .iter()
            .find(|it| it.side == first.side && it.behaviour == "honest")?;
        (honest.rate > 0.0).then_some(honest.rate)
    };
    let collect = |value: &dyn Fn(&Timed) -> Option<f64>| -> Option<Interval> {
        interval(&runs.iter().filter_map(value).collect::<Vec<_>>())
    };
    let epochs = runs[0].outcome.epochs.max(1) as f64;
    let members = f64::from(first.members.max(1));
    Group {
        earned: collect(&|run| Some(of_run(run).earned / members / epochs)),
        rate: collect(&|run| Some(of_run(run).rate)),
        over_honest: collect(&|run| Some(of_run(run).rate / honest(run)?)),
        accused: runs
            .iter()
            .map(|run| f64::from(of_run(run).accused))
            .sum::<f64>()
            / (members * runs.len() as f64),
        detection: collect(&|run| of_run(run).detection),
        paid_after: collect(&|run| of_run(run).paid_after),
        shares: mean_shares(runs, index),
        name: first.name,
        behaviour: first.behaviour,
        side: first.side,
        members: first.members,
    }
}

/// Shares by epoch, averaged over the runs and over windows of epochs.
fn mean_shares(runs: &[Timed], index: usize) -> Vec<(f64, f64)> {
    let length = runs
        .iter()
        .map(|run| run.outcome.groups[index].shares.len())
        .min()
        .unwrap_or(0);
    let window = length.div_ceil(POINTS).max(1);
    (0..length)
        .step_by(window)
        .map(|from| {
            let to = (from + window).min(length);
            let sum: f64 = runs
                .iter()
                .flat_map(|run| &run.outcome.groups[index].shares[from..to])
                .map(|share| f64::from(*share))
                .sum();
            (from as f64, sum / ((to - from) * runs.len()) as f64)
        })
        .collect()
}
