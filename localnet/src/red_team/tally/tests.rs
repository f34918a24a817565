//! Findings of invented subnets.

use athanor_scoring::attack;
use athanor_spec::{BlockNumber, Epoch, telemetry::FaultSummary};

use super::*;
use crate::{
    report::{GradeReport, HONEST, Role},
    roster::arena,
};

const PAY: u64 = 1_000_000;

fn driver(name: &str) -> &'static Driver {
    Driver::find(name).unwrap()
}

/// A run of so many epochs in which everybody is paid `paid` of the usual pay by its behaviour and the epoch, and accused
/// where that says so.
fn run(names: &[&str], epochs: u64, paid: impl Fn(&Participant, u64) -> (f64, bool)) -> Run {
    let drivers: Vec<_> = names.iter().map(|name| driver(name)).collect();
    let roster = arena(1, 4, 3, false, &drivers);
    let neurons = |number: u64| {
        let neuron = |(uid, participant): (u16, &Participant)| {
            let (share, accused) = paid(participant, number);
            let fault = accused.then(|| FaultSummary {
                kind: "wrong_checkpoint".into(),
                evidence: "e-process".into(),
            });
            let grade = GradeReport {
                fidelity: 0.5,
                correctness: 0.5,
                service: 0.5,
                liveliness: 1.0,
                quality: 0.5,
                fault: fault.clone(),
            };
            NeuronReport {
                uid: Uid(uid),
                hotkey: participant.hotkey.account(),
                role: Role::Miner,
                behaviour: participant.behaviour().to_owned(),
                checkpoint: None,
                weight_by_validator: BTreeMap::new(),
                grades_by_validator: BTreeMap::from([(Uid(0), grade)]),
                fault: fault.map(|fault| fault.kind),
                incentive: 0,
                dividends: 0,
                emission_rao: (share * PAY as f64) as u64,
            }
        };
        (0..).zip(&roster).map(neuron).collect()
    };
    let report = Report {
        epochs: (1..=epochs)
            .map(|number| EpochReport {
                epoch: Epoch(number),
                block: BlockNumber(number as u32),
                seconds: 0.0,
                neurons: neurons(number),
            })
            .collect(),
        ..Report::default()
    };
    Run::new(report, roster)
}

fn finding(run: &Run, name: &str) -> Finding {
    let attack = attack::find(name).unwrap();
    run.finding(driver(name), attack, &Prices::default(), 1)
}

#[test]
fn what_is_never_paid_is_held_and_tells_when_it_was_found_out() {
    let run = run(&["relay"], 6, |who, epoch| match who.behaviour() {
        HONEST => (f64::from(epoch > 2), false),
        _ => (0.0, epoch >= 2),
    });
    let relay = finding(&run, "relay");
    assert_eq!((relay.epochs, relay.paid_epochs), (4, 0));
    assert_eq!(relay.earned_at_equal_cost, Some(0.0));
    assert_eq!(relay.high, Some(0.0));
    assert!(relay.paid_high > 0.4, "four epochs prove little: {relay:?}");
    assert_eq!((relay.accused, relay.delay_rounds), (1, Some(2)));
    assert_eq!(relay.verdict, Verdict::Held);
    assert_eq!(run.accused(), (18, 0));
}

#[test]
fn what_pays_more_than_its_bound_exceeds_it() {
    let run = run(&["relay"], 4, |_, _| (1.0, false));
    let relay = finding(&run, "relay");
    assert_eq!(relay.earned, Some(1.0));
    // A relay is cheaper than honest work, so that the same pay is more at the same cost.
    assert!(relay.cost < 1.0);
    assert!(relay.earned_at_equal_cost.unwrap() > 1.0);
    assert_eq!(relay.verdict, Verdict::Exceeded);
    assert_eq!((relay.accused, relay.delay_rounds), (0, None));
}

#[test]
fn an_honest_past_does_not_count_for_a_turncoat() {
    let turned = driver("turncoat").begins_after;
    let run = run(&["turncoat"], turned + LAG + 2, |who, epoch| {
        match who.behaviour() {
            HONEST => (1.0, false),
            _ => (f64::from(epoch <= turned + LAG), epoch > turned),
        }
    });
    let turncoat = finding(&run, "turncoat");
    assert_eq!(turncoat.epochs, 2);
    assert_eq!(turncoat.earned, Some(0.0));
    assert_eq!(turncoat.delay_rounds, Some(1));
}

#[test]
fn validators_are_compared_by_stake_and_their_miners_count_with_them() {
    let run = run(&["self_dealing_validator"], 4, |who, _| {
        let by_stake = who.stake_tao().map(|stake| stake as f64 / 10_000.0);
        (by_stake.unwrap_or(1.0), false)
    });
    let dealer = finding(&run, "self_dealing_validator");
    // Its 50 thousandths are paid like anybody's, and its idle miner twice that.
    assert!((dealer.earned.unwrap() - 3.0).abs() < 1e-6, "{dealer:?}");
    assert_eq!(dealer.verdict, Verdict::Exceeded);
}

#[test]
fn where_nobody_is_paid_nothing_is_found() {
    let run = run(&["relay"], 4, |_, _| (0.0, false));
    assert_eq!(finding(&run, "relay").verdict, Verdict::Unmeasured);
}

#[test]
fn an_honest_miner_that_is_accused_is_named() {
    let run = run(&["relay"], 4, |who, epoch| {
        (1.0, who.name == "miner-1" && epoch == 3)
    });
    assert_eq!(run.accused(), (12, 1));
    let accusations = run.accusations();
    assert_eq!(accusations.len(), 1);
    assert!(
        accusations
            .first()
            .unwrap()
            .contains("wrong_checkpoint by uid 0")
    );
}
