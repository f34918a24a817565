//! The models of a run: the bundled teacher, a student per miner, and what the students learn from.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use athanor_distill::{
    bundled,
    init::{self, StudentPlan},
    shard::Shard,
    source::Source,
    trainer::TrainerConfig,
};
use athanor_model::{Checkpoint, DeviceChoice, Precision, TrainingSummary, checkpoint::Provenance};

use crate::{
    error::LocalnetError,
    roster::{Key, Part, Participant, STUDENT_NOISE},
};

/// Noise in the student of somebody who does not train, as a share of each tensor's own deviation.
const UNSTUDENT_NOISE: f32 = 0.5;

/// Everything that is computed before a miner can start.
pub struct Models {
    /// The opened teacher, shared by all trainers of the process.
    pub source: Arc<Source>,
    /// What the teacher says about the first examples, recorded once for all trainers; `None` if nobody trains.
    pub shard: Option<Arc<Shard>>,
    /// Each honest miner's checkpoint, by the miner's name.
    pub students: BTreeMap<String, Checkpoint>,
    /// What each attack has, by its name.
    pub attackers: BTreeMap<&'static str, Students>,
    /// Name of the honest miner with the largest model.
    pub best: Option<String>,
}

/// What somebody could serve who is about to cheat.
#[derive(Clone)]
pub struct Students {
    /// As good as the honest miners'.
    pub trained: Checkpoint,
    /// What it has without training: a minute is too short to show what training gives, so more noise stands for less of it.
    pub untrained: Checkpoint,
}

/// Unpacks and opens the teacher that ships with the program.
pub fn teacher(data_dir: &Path) -> Result<Checkpoint, LocalnetError> {
    Ok(bundled::write_teacher(&data_dir.join("teacher"))?)
}

/// Makes the students and records the teacher. Takes some seconds of one core.
pub fn prepare(
    data_dir: &Path,
    teacher: &Checkpoint,
    roster: &[Participant],
    seed: u64,
) -> Result<Models, LocalnetError> {
    let source = Arc::new(Source::open(teacher)?);
    let trains = |participant: &Participant| match &participant.part {
        Part::Miner(plan) => plan.duty.is_some(),
        _ => false,
    };
    let shard = if roster.iter().any(trains) {
        let plan = TrainerConfig::small(seed).shard;
        let shard = Shard::record(&source, &source.training, &plan, DeviceChoice::Cpu)?;
        Some(Arc::new(shard))
    } else {
        None
    };
    let mut students = BTreeMap::new();
    let mut attackers = BTreeMap::new();
    let (mut best, mut largest) = (None, 0);
    for participant in roster {
        let dir = data_dir.join("models").join(&participant.name);
        match &participant.part {
            Part::Miner(plan) => {
                let student = write_student(teacher, plan.layers, plan.seed, plan.noise, &dir)?;
                students.insert(participant.name.clone(), student);
                if plan.layers > largest {
                    (best, largest) = (Some(participant.name.clone()), plan.layers);
                }
            }
            Part::Attacker { driver, .. } if !attackers.contains_key(driver.name) => {
                let layers = teacher.config.num_hidden_layers.saturating_sub(1).max(1);
                let seed = attacker_seed(seed, driver.name);
                let student =
                    |noise, name| write_student(teacher, layers, seed, noise, &dir.join(name));
                let made = Students {
                    trained: student(STUDENT_NOISE, "trained")?,
                    untrained: student(UNSTUDENT_NOISE, "untrained")?,
                };
                attackers.insert(driver.name, made);
            }
            Part::Attacker { .. } | Part::Validator { .. } | Part::Spare { .. } => {}
        }
    }
    Ok(Models {
        source,
        shard,
        students,
        attackers,
        best,
    })
}

/// An attack's own seed in a run.
pub(crate) fn attacker_seed(seed: u64, attack: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = Key::derive(seed, attack, "attack").seed;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn write_student(
    teacher: &Checkpoint,
    layers: usize,
    seed: u64,
    noise: f32,
    dir: &Path,
) -> Result<Checkpoint, LocalnetError> {
    let plan = StudentPlan {
        layers: init::layers(teacher.config.num_hidden_layers, layers),
        seed,
        noise,
    };
    let (config, tensors) = init::student(teacher, &plan)?;
    let provenance = Provenance {
        parent: Some(teacher.digest()),
        training: TrainingSummary::default(),
    };
    let tokenizer = teacher.tokenizer_json()?;
    Ok(Checkpoint::write(
        dir,
        &config,
        &tensors,
        &tokenizer,
        &provenance,
        Precision::F32,
    )?)
}
