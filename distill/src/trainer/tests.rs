//! Training is reproducible, resumable, and teaches.

use burn::backend::{Autodiff, Flex};

use super::*;
use crate::{
    gate::GateSettings,
    init::{StudentPlan, student},
    schedule::Decay,
    tests::{config, shard, source, teacher, write_student},
};

type Train = Autodiff<Flex>;

fn start(seed: u64, student: &Checkpoint) -> Result<Trainer<Train>, TrainerError> {
    let device = Default::default();
    Trainer::new(config(seed), source(), Some(&shard()), student, device)
}

fn trainer(dir: &Path, seed: u64) -> Trainer<Train> {
    start(seed, &write_student(dir)).unwrap()
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
fn the_number_of_threads_changes_no_bit() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let dir = tempfile::tempdir().unwrap();
            let mut trainer = trainer(dir.path(), 1);
            for _ in 0..4 {
                trainer.step().unwrap();
            }
            let out = dir.path().join("out");
            trainer.publish(&out, Precision::F32).unwrap().digest()
        })
    };
    assert_eq!(run(1), run(3));
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
    let mut second = start(1, &saved).unwrap();
    assert_eq!(second.evaluate(), first.evaluate());
    assert_eq!(second.step().unwrap().step, 4);
}

#[test]
fn a_saved_run_goes_on_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::new(GateSettings::default()).unwrap();
    let (state, ends) = (
        dir.path().join("state"),
        ["a", "b"].map(|end| dir.path().join(end)),
    );
    let mut whole = trainer(dir.path(), 1);
    for _ in 0..5 {
        whole.step().unwrap();
    }
    whole.save(&state, &gate).unwrap();
    let saved = Checkpoint::open(&state).unwrap();
    let rest = Resume::read(&state, saved.digest()).unwrap();
    let device = Default::default();
    let mut resumed = Trainer::<Train>::resume(config(1), source(), &saved, rest, device).unwrap();
    resumed.set_parent(whole.parent);
    for _ in 0..7 {
        assert_eq!(whole.step().unwrap(), resumed.step().unwrap());
    }
    let ended = [(&whole, &ends[0]), (&resumed, &ends[1])].map(|(trainer, dir)| {
        trainer.save(dir, &gate).unwrap();
        let checkpoint = Checkpoint::open(dir).unwrap();
        let rest = Resume::read(dir, checkpoint.digest()).unwrap();
        (checkpoint.digest(), rest.place, rest.pool)
    });
    assert_eq!(ended[0], ended[1]);
}

/// The held-out loss before and after 30 steps of an objective.
fn taught(change: impl Fn(&mut TrainerConfig)) -> (f32, f32) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(1);
    change(&mut config);
    let (student, device) = (write_student(dir.path()), Default::default());
    let mut trainer = Trainer::<Train>::new(config, source(), None, &student, device).unwrap();
    let before = mean(&trainer.evaluate());
    for _ in 0..30 {
        assert!(trainer.step().unwrap().loss.is_finite());
    }
    (before, mean(&trainer.evaluate()))
}

#[test]
fn every_objective_teaches() {
    let check = |name, change: &dyn Fn(&mut TrainerConfig)| {
        let (before, after) = taught(change);
        assert!(
            after < 0.97 * before,
            "{name}: {before} before, {after} after"
        );
    };
    check("temperature", &|config| config.objective.temperature = 2.0);
    check("full vocabulary", &|config| {
        config.objective.vocabulary = Vocabulary::Full;
    });
    check("own rollouts only", &|config| {
        config.objective.rollout_every = 1
    });
    check("accumulated and decaying", &|config| {
        config.accumulate = 2.try_into().unwrap();
        config.step_tokens /= 2;
        config.planned_steps = Some(30);
        config.schedule.decay = Decay::Cosine { floor: 0.1 };
    });
}

#[test]
fn the_gate_refuses_copies_with_noise() {
    let dir = tempfile::tempdir().unwrap();
    let served = write_student(dir.path());
    for (seed, noise) in [(1, 0.002), (2, 0.01), (3, 0.01), (4, 0.03), (5, 0.1)] {
        let plan = StudentPlan {
            layers: vec![0, 1],
            seed,
            noise,
        };
        let (config, tensors) = student(&served, &plan).unwrap();
        let copy = Checkpoint::write(
            &dir.path().join(format!("copy-{seed}")),
            &config,
            &tensors,
            &served.tokenizer_json().unwrap(),
            &Provenance::default(),
            Precision::F32,
        );
        let mut trainer = start(seed, &copy.unwrap()).unwrap();
        let mut gate = Gate::new(GateSettings::default()).unwrap();
        let open = trainer.judge(&mut gate, &served, 96).unwrap();
        assert!(!open, "noise of {noise}: e = {}", gate.e_value());
        assert_eq!(gate.observed(), 96);
    }
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
    let tensors = teacher().tensors().unwrap();
    let device = Default::default();
    let model = Transformer::<Flex>::from_tensors(&teacher().config, &tensors, &device).unwrap();
    let losses = divergences(&model, &shard().examples);
    assert!(losses.iter().all(|loss| loss.abs() < 1e-3), "{losses:?}");
}

#[test]
fn a_student_with_another_vocabulary_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut config_json = write_student(dir.path()).config;
    config_json.vocab_size += 1;
    let tensors = athanor_model::Tensors::random(&config_json, 1);
    let tokenizer = teacher().tokenizer_json().unwrap();
    let provenance = Provenance::default();
    let odd = Checkpoint::write(
        &dir.path().join("odd"),
        &config_json,
        &tensors,
        &tokenizer,
        &provenance,
        Precision::F32,
    );
    let refused = start(1, &odd.unwrap()).err().unwrap();
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
