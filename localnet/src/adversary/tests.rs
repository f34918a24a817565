//! The list of drivers, and what forgeries are.

use athanor_distill::{
    bundled,
    init::{self, StudentPlan},
};
use athanor_model::{Checkpoint, DeviceChoice, Precision, checkpoint::Provenance, scorer::Scorer};
use athanor_scoring::attack;
use athanor_spec::SubnetSpec;

use super::*;

/// The bundled teacher cut to two layers.
fn student(dir: &std::path::Path) -> Checkpoint {
    let teacher = bundled::write_teacher(&dir.join("teacher")).unwrap();
    let plan = StudentPlan {
        layers: init::layers(teacher.config.num_hidden_layers, 2),
        seed: 1,
        noise: 0.05,
    };
    let (config, tensors) = init::student(&teacher, &plan).unwrap();
    let (tokenizer, to) = (teacher.tokenizer_json().unwrap(), dir.join("student"));
    let provenance = Provenance::default();
    Checkpoint::write(
        &to,
        &config,
        &tensors,
        &tokenizer,
        &provenance,
        Precision::F32,
    )
    .unwrap()
}

fn logits(model: &Checkpoint) -> Vec<f32> {
    let scorer = Scorer::load(model, DeviceChoice::Cpu).unwrap();
    let text: Vec<u32> = (0..24).map(|at| 40 + at * 7 % 300).collect();
    scorer.logits(&text, 1).unwrap().data
}

fn furthest(a: &Checkpoint, b: &Checkpoint) -> f32 {
    let pairs = logits(a).into_iter().zip(logits(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_attack_of_the_catalogue_has_a_driver_in_the_same_order() {
    let catalogue: Vec<_> = attack::CATALOGUE.iter().map(|attack| attack.name).collect();
    let drivers: Vec<_> = ALL.iter().map(|driver| driver.name).collect();
    assert_eq!(catalogue, drivers);
}

#[test]
fn an_attack_acts_on_the_side_that_the_catalogue_says() {
    for driver in ALL {
        let side = attack::find(driver.name).unwrap().side();
        let is_validator = |seat: &Seat| matches!(seat, Seat::Validator { .. });
        match side {
            attack::Side::Validator => assert!(driver.seats.iter().any(is_validator), "{driver:?}"),
            attack::Side::Miner => assert_eq!(driver.seats[0], Seat::Miner, "{driver:?}"),
        }
    }
}

#[test]
fn who_votes_leaves_the_honest_a_majority() {
    for stage in [Stage::Votes, Stage::Cabal, Stage::Load] {
        let of_stage = ALL.iter().filter(|driver| driver.stage == stage);
        let stake: u32 = of_stage
            .flat_map(|driver| driver.seats)
            .map(|seat| match seat {
                Seat::Validator { stake } => *stake,
                Seat::Miner | Seat::Later => 0,
            })
            .sum();
        assert!((1..500).contains(&stake), "{stage:?}: {stake}");
    }
}

#[test]
fn copies_are_what_they_are_called() {
    let dir = tempfile::tempdir().unwrap();
    let model = student(dir.path());
    let at = |name: &str| dir.path().join(name);

    let renamed = forge::renamed(&model, 1, &at("renamed")).unwrap();
    assert_ne!(renamed.digest(), model.digest());
    assert_eq!(
        renamed.manifest.tensors_digest(),
        model.manifest.tensors_digest()
    );

    let resharded = forge::resharded(&model, 1, &at("resharded")).unwrap();
    let files = resharded.manifest.files.iter();
    assert_eq!(files.filter(|file| file.is_weights()).count(), 2);
    assert_eq!(
        resharded.manifest.tensors_digest(),
        model.manifest.tensors_digest()
    );

    let tensors = model.tensors().unwrap();
    let rescaled = forge::rescaled(&tensors, 1);
    let rescaled = forge::rewritten(&model, &rescaled, 1, &at("rescaled")).unwrap();
    assert_ne!(
        rescaled.manifest.tensors_digest(),
        model.manifest.tensors_digest()
    );
    assert!(furthest(&model, &rescaled) < 1e-3);

    let noisy =
        forge::rewritten(&model, &forge::noisy(&tensors, 0.01, 1), 1, &at("noisy")).unwrap();
    let rounded =
        forge::rewritten(&model, &forge::rounded(&tensors, 4), 1, &at("rounded")).unwrap();
    let (noise, rounding) = (furthest(&model, &noisy), furthest(&model, &rounded));
    assert!(noise > 1e-3 && noise < rounding, "{noise}, {rounding}");
}

#[test]
fn a_degenerate_model_repeats_the_last_token() {
    let dir = tempfile::tempdir().unwrap();
    let model = student(dir.path());
    let tensors = forge::degenerate(&model.tensors().unwrap(), 8.0);
    let looper = forge::rewritten(&model, &tensors, 1, &dir.path().join("looper")).unwrap();
    let scorer = Scorer::load(&looper, DeviceChoice::Cpu).unwrap();
    let rows = scorer.logits(&[50, 60, 70], 3).unwrap();
    let likeliest = (0..rows.vocab).max_by(|a, b| rows.row(0)[*a].total_cmp(&rows.row(0)[*b]));
    assert_eq!(likeliest, Some(70));
}

#[test]
fn every_misfit_commits_to_something_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (honest, spec) = (student(dir.path()), SubnetSpec::local());
    let workshop = Workshop {
        directory: dir.path(),
        honest: &honest,
        spec: &spec,
    };
    let makers = MALFORMED.into_iter().chain([OVERSIZED]).chain(UNTRUE);
    let made: Vec<Misfit> = makers.map(|make| make(&workshop).unwrap()).collect();
    let of = |name: fn(&Misfit) -> String| {
        made.iter()
            .map(name)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(of(|misfit| misfit.name.to_owned()).len(), made.len());
    assert_eq!(of(|misfit| misfit.checkpoint.to_string()).len(), made.len());
    assert!(
        made.iter()
            .all(|misfit| misfit.checkpoint.0 != honest.digest())
    );
}
