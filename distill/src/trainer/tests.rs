//! Training is reproducible, resumable, and teaches.

use super::*;
use crate::{
    gate::GateSettings,
    tests::{config, shard, source, teacher, write_student},
};

fn trainer(dir: &Path, seed: u64) -> Trainer {
    Trainer::with_shard(config(seed), source(), shard(), &write_student(dir)).unwrap()
}

fn mean(losses: &[f32]) -> f32 {
    losses.iter().sum::<f32>() / losses.len() as f32
}

#[test]
fn the_same_seed_twice_gives_the_same_losses_and_the_same_checkpoint() {
    let run = |seed| {
        let dir = tempfile::tempdir().unwrap();
        let mut trainer = trainer(dir.path(), seed);
        let losses: Vec<u32> = (0..4)
            .map(|_| trainer.step().unwrap().loss.to_bits())
            .collect();
        (
            losses,
            trainer
                .publish(&dir.path().join("out"), Precision::F16)
                .unwrap()
                .digest(),
        )
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn the_held_out_loss_falls() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(dir.path(), 1);
    let before = mean(&trainer.evaluate());
    for _ in 0..40 {
        trainer.step().unwrap();
    }
    let after = mean(&trainer.evaluate());
    assert!(after < 0.95 * before, "{before} nats before, {after} after");
}

#[test]
fn a_resumed_run_goes_on_counting_and_names_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = trainer(dir.path(), 1);
    for _ in 0..3 {
        first.step().unwrap();
    }
    let saved = first
        .publish(&dir.path().join("state"), Precision::F32)
        .unwrap();
    assert_eq!(saved.manifest.training.steps, 3);
    assert_eq!(
        saved.manifest.parent_digest(),
        Some(write_student(dir.path()).digest())
    );
    let mut second = Trainer::with_shard(config(1), source(), shard(), &saved).unwrap();
    assert_eq!(second.evaluate(), first.evaluate());
    assert_eq!(second.step().unwrap().step, 4);
}

#[test]
fn the_gate_opens_for_a_student_that_has_learnt_and_not_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(dir.path(), 1);
    let served = write_student(dir.path());
    let mut gate = Gate::new(GateSettings::default()).unwrap();
    assert!(!trainer.judge(&mut gate, &served, 32).unwrap());
    assert_eq!(gate.observed(), 32);
    for _ in 0..40 {
        trainer.step().unwrap();
    }
    gate.next();
    assert!(
        trainer.judge(&mut gate, &served, 200).unwrap(),
        "e = {}",
        gate.e_value()
    );
}

#[test]
fn the_teacher_itself_has_almost_no_divergence_from_its_own_record() {
    let network = Network::open(teacher()).unwrap();
    let losses = divergences(&network, &shard().examples);
    assert!(losses.iter().all(|loss| loss.abs() < 1e-3), "{losses:?}");
}

#[test]
fn a_student_with_another_vocabulary_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = Network::open(&write_student(dir.path())).unwrap();
    network.config.vocab_size += 1;
    let odd = Network::random(&network.config, 1);
    let tokenizer = teacher().tokenizer_json().unwrap();
    let (config_json, tensors) = (&odd.config, odd.to_tensors());
    let provenance = Provenance::default();
    let odd = Checkpoint::write(
        &dir.path().join("odd"),
        config_json,
        &tensors,
        &tokenizer,
        &provenance,
        Precision::F32,
    );
    let refused = Trainer::with_shard(config(1), source(), shard(), &odd.unwrap())
        .err()
        .unwrap();
    assert!(
        matches!(
            refused,
            TrainerError::Vocabulary {
                student: 1025,
                teacher: 1024
            }
        ),
        "{refused}"
    );
}
