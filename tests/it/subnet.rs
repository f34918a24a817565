//! The main job: a whole subnet, in which good, fast, honest answers are paid and cheats are not.

use std::collections::BTreeMap;

use athanor_localnet::{
    Subnet,
    report::{HONEST, Report, Role},
    settings::Settings,
};
use clap::Parser as _;
use futures::StreamExt as _;

/// Runs a subnet for some epochs and returns its report.
pub(crate) async fn run(seed: u64, epochs: usize) -> Report {
    let seed = seed.to_string();
    let settings = Settings::try_parse_from([
        "athanor-localnet",
        "--headless",
        "--port",
        "0",
        "--seed",
        &seed,
    ])
    .unwrap();
    let subnet = Subnet::start(&settings).await.unwrap();
    let mut watcher = subnet.watcher();
    let mut blocks = subnet.client.blocks();
    let mut closed = 0;
    while closed < epochs {
        let block = blocks.next().await.unwrap().unwrap();
        if watcher.on_block(block).await.unwrap().is_some() {
            closed += 1;
        }
    }
    let report = watcher.report().clone();
    subnet.shutdown().await.unwrap();
    report
}

/// Emission of every miner, summed over the epochs after the first.
fn pay(report: &Report) -> BTreeMap<u16, (String, u64)> {
    let mut pay = BTreeMap::<u16, (String, u64)>::new();
    for neuron in report
        .epochs
        .iter()
        .skip(1)
        .flat_map(|epoch| &epoch.neurons)
    {
        if neuron.role == Role::Miner {
            let entry = pay
                .entry(neuron.uid.0)
                .or_insert_with(|| (neuron.behaviour.clone(), 0));
            entry.1 += neuron.emission_rao;
        }
    }
    pay
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn honest_miners_are_paid_and_cheats_are_not() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let report = run(1, 4).await;

    let pay = pay(&report);
    let mut honest: Vec<u64> = pay
        .values()
        .filter(|(behaviour, _)| behaviour == HONEST)
        .map(|(_, paid)| *paid)
        .collect();
    honest.sort_unstable();
    let median = honest[honest.len() / 2];
    assert!(median > 0, "no honest miner was paid: {pay:?}");
    let mut cheats = 0;
    for (uid, (behaviour, paid)) in pay.iter().filter(|(_, (behaviour, _))| behaviour != HONEST) {
        assert!(
            paid * 4 < median,
            "{behaviour} (uid {uid}) got {paid}, the median honest miner {median}"
        );
        cheats += 1;
    }
    assert_eq!(cheats, 4, "one of each cheat takes part: {pay:?}");

    for neuron in report.epochs.iter().flat_map(|epoch| &epoch.neurons) {
        if neuron.behaviour == HONEST {
            assert_eq!(
                neuron.fault, None,
                "an honest neuron is accused: {neuron:?}"
            );
        }
    }
    assert_eq!(
        report.failed_requests, 0,
        "{:?}",
        report.failed_request_reasons
    );
    assert!(report.hot_swaps >= 1, "no checkpoint was swapped in");

    let improved = report.distillation.iter().any(|history| {
        let measured: Vec<_> = history
            .steps
            .iter()
            .filter_map(|step| step.improvement)
            .collect();
        measured
            .last()
            .is_some_and(|last| last.improvement_low > 0.0)
    });
    assert!(
        improved,
        "no student's held-out loss fell: {:?}",
        report.distillation
    );

    let weights = report
        .extrinsics
        .iter()
        .filter(|e| crate::chain::sets_weights(&e.call));
    assert!(
        weights.clone().count() >= 4,
        "two validators set weights in at least two epochs"
    );
    assert!(weights.clone().all(|e| e.success && e.signer.is_some()));
}
