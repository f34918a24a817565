//! The models of a run: the bundled teacher, a student per miner, and what the students learn from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use athanor_distill::{
    bundled,
    init::{self, StudentPlan},
    shard::Shard,
    source::Source,
    trainer::TrainerConfig,
};
use athanor_model::{Checkpoint, DeviceChoice, Precision, TrainingSummary, checkpoint::Provenance};

use crate::{
    adversary::{Behaviour, copycat, looper},
    error::LocalnetError,
    report::HONEST,
    roster::{MinerPlan, Part, Participant},
};

/// Everything that is computed before a miner can start.
pub struct Models {
    /// The opened teacher, shared by all trainers of the process.
    pub source: Arc<Source>,
    /// What the teacher says about the first examples, recorded once for all trainers.
    pub shard: Arc<Shard>,
    /// Directory of each miner's checkpoint, by the miner's name.
    pub students: BTreeMap<String, PathBuf>,
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
    let plan = TrainerConfig::small(seed).shard;
    let shard = Arc::new(Shard::record(
        &source,
        &source.training,
        &plan,
        DeviceChoice::Cpu,
    )?);
    let mut students = BTreeMap::new();
    for participant in roster {
        if let Part::Miner(plan) = &participant.part {
            let dir = data_dir.join("models").join(&participant.name);
            let student = write_student(teacher, plan, &dir.join("student"))?;
            let served = match plan.behaviour {
                Behaviour::Looper => looper::degrade(&student, &dir.join("looper"))?,
                // Its victim's model is copied once the victim is known.
                Behaviour::Honest
                | Behaviour::Copycat
                | Behaviour::Relay
                | Behaviour::IgnoredSeed => student,
            };
            students.insert(participant.name.clone(), served.dir);
        }
    }
    for participant in roster {
        if let Part::Miner(plan) = &participant.part
            && plan.behaviour == Behaviour::Copycat
            && let Some(victim) = victim(roster).and_then(|victim| students.get(&victim.name))
        {
            let dir = data_dir.join("models").join(&participant.name).join("copy");
            let copy = copycat::forge(&Checkpoint::open(victim)?, &dir)?;
            students.insert(participant.name.clone(), copy.dir);
        }
    }
    Ok(Models {
        source,
        shard,
        students,
    })
}

/// Whom the copycat copies: the honest miner with the largest model.
fn victim(roster: &[Participant]) -> Option<&Participant> {
    let layers = |participant: &&Participant| match &participant.part {
        Part::Miner(plan) if participant.behaviour() == HONEST => plan.layers,
        _ => 0,
    };
    roster.iter().max_by_key(layers)
}

fn write_student(
    teacher: &Checkpoint,
    plan: &MinerPlan,
    dir: &Path,
) -> Result<Checkpoint, LocalnetError> {
    let layers = init::layers(teacher.config.num_hidden_layers, plan.layers);
    let plan = StudentPlan {
        layers,
        seed: plan.seed,
        noise: plan.noise,
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
