//! Whether cheating pays: plays the attacks of the catalogue on real subnets, and prints what each earned.
//!
//! Attacks that do not disturb each other share a subnet ([`Stage`](crate::adversary::Stage)); [`stages`] says which. Every
//! subnet has two honest validators and some honest miners beside the attackers, on a chain with commit and reveal. What
//! everybody was paid is read from that chain, who was accused from the validators' grades; [`tally`] makes findings of it.

mod arguments;
mod bounds;
mod outcome;
mod stages;
mod tally;

use std::io::Write as _;

use athanor_scoring::attack::{self, Prices};
use athanor_spec::SubnetSpec;
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

pub use arguments::Arguments;
pub use outcome::{Accusations, Finding, Outcome, Verdict};

use crate::{
    adversary,
    chain::Rules,
    error::LocalnetError,
    ground::{self, Ground},
    roster,
    settings::Settings,
    subnet::Subnet,
};
use stages::Bill;
use tally::Run;

/// Asks per miner and round: fewer than a subnet at home has, so that a dozen nodes fit two cores.
const ASKS: u32 = 12;
/// Asks at once in the load probe of a subnet whose miners have cards: as many as the twelve leave beside the shared ones.
const CARD_STREAMS: u32 = 6;

/// Plays the attacks asked for and shows what came of them. It fails if any pays, or if an honest miner was accused.
pub async fn run(arguments: &Arguments, stop: &CancellationToken) -> Result<(), LocalnetError> {
    let Some(outcome) = measure(arguments, stop, |told| eprintln!("{told}")).await? else {
        return Ok(());
    };
    if let Some(path) = &arguments.report {
        crate::run::write_report(path, &outcome)?;
    }
    let shown = match arguments.json {
        true => serde_json::to_string_pretty(&outcome)?,
        false => outcome.to_string(),
    };
    // A reader that closed the pipe has seen enough.
    let _ = writeln!(std::io::stdout(), "{shown}");
    outcome.judged()
}

/// Plays the attacks asked for; `None` if it was told to stop before the end. `told` hears how far it is.
pub async fn measure(
    arguments: &Arguments,
    stop: &CancellationToken,
    told: impl Fn(String),
) -> Result<Option<Outcome>, LocalnetError> {
    if let Some(path) = &arguments.report {
        ground::check_report(path)?;
    }
    let settings = arguments.settings();
    let spec = match &arguments.spec {
        Some(_) => ground::load_spec(&settings)?,
        None => spec(),
    };
    let drivers = arguments.drivers();
    let bills = stages::bills(&drivers);
    let seconds = arguments.epochs * u64::from(settings.tempo) * settings.block_time / 1000;
    told(format!(
        "{} attacks on {} subnets, each for {} epochs, about {seconds} s (seed {})",
        drivers.len(),
        bills.len(),
        arguments.epochs,
        arguments.seed
    ));
    let mut outcome = Outcome::new(arguments.seed, arguments.epochs);
    for (index, bill) in bills.iter().enumerate() {
        let title = format!("subnet {} of {}", index + 1, bills.len());
        told(format!("{title}: {bill}"));
        let spec = match arguments.spec.is_none() && bill.is_on_cards() {
            true => on_cards(&spec),
            false => spec.clone(),
        };
        let played = play(bill, &settings, &spec, arguments.epochs, stop, |epoch| {
            told(format!("{title}: epoch {epoch} of {}", arguments.epochs));
        });
        let Some(run) = played.await? else {
            return Ok(None);
        };
        outcome.accusations.add(&run);
        for driver in &bill.drivers {
            // A test holds every driver to a name of the catalogue.
            if let Some(attack) = attack::find(driver.name) {
                let finding = run.finding(driver, attack, &Prices::default(), arguments.seed);
                told(format!("{title}: {}", finding.line()));
                outcome.findings.push(finding);
            }
        }
    }
    Ok(Some(outcome))
}

fn spec() -> SubnetSpec {
    let mut spec = SubnetSpec::local();
    spec.round.asks_per_miner = ASKS;
    spec
}

/// Where everybody has a card, capacity is paid for as the spec that ships says: in proportion, under more streams than two, and
/// up to the moment by which such a card has drawn the shortest of each.
fn on_cards(spec: &SubnetSpec) -> SubnetSpec {
    let mut spec = spec.clone();
    spec.allocation.goodput = SubnetSpec::shipped().allocation.goodput;
    (spec.service.load_probes, spec.service.load_streams) = (1, CARD_STREAMS);
    spec.service.goodput_tokens_per_second = adversary::TOKENS_PER_SECOND;
    spec
}

/// One subnet from its start to the last of its epochs; `None` if it was told to stop before.
async fn play(
    bill: &Bill,
    settings: &Settings,
    spec: &SubnetSpec,
    epochs: u64,
    stop: &CancellationToken,
    told: impl Fn(u64),
) -> Result<Option<Run>, LocalnetError> {
    let rules = Rules {
        commit_reveal: true,
        is_full: bill.is_full(),
    };
    let arena = |layers| {
        let (honest, on_a_card) = (bill.honest(), bill.is_on_cards());
        roster::arena(settings.seed, layers, honest, on_a_card, &bill.drivers)
    };
    let ground = Ground::lay(settings, spec.clone(), rules, arena).await?;
    let roster = ground.roster.clone();
    let mut subnet = tokio::select! {
        subnet = Subnet::populate(ground, settings) => subnet?,
        () = stop.cancelled() => return Ok(None),
    };
    let mut watcher = subnet.watcher();
    let mut blocks = subnet.client.blocks();
    let mut closed = 0;
    while closed < epochs {
        let block = tokio::select! {
            () = stop.cancelled() => break,
            failed = subnet.failed() => return failed.map(|()| None),
            block = blocks.next() => match block {
                Some(block) => block?,
                None => break,
            },
        };
        if watcher.on_block(block).await?.is_some() {
            closed += 1;
            told(closed);
        }
    }
    let report = watcher.report().clone();
    subnet.shutdown().await?;
    Ok((closed == epochs).then(|| Run::new(report, roster)))
}
