//! What the tests of several modules share: the bundled teacher, opened once, and small students of it.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use athanor_model::{Checkpoint, DeviceChoice, Precision, checkpoint::Provenance};

use crate::{
    bundled,
    init::{StudentPlan, student},
    schedule::Schedule,
    shard::{Shard, ShardPlan},
    source::Source,
    trainer::TrainerConfig,
};

pub(crate) fn teacher() -> &'static Checkpoint {
    static TEACHER: OnceLock<Checkpoint> = OnceLock::new();
    TEACHER.get_or_init(|| bundled::write_teacher(&tempfile::tempdir().unwrap().keep()).unwrap())
}

pub(crate) fn source() -> Arc<Source> {
    static SOURCE: OnceLock<Arc<Source>> = OnceLock::new();
    Arc::clone(SOURCE.get_or_init(|| Arc::new(Source::open(teacher()).unwrap())))
}

/// A small shard, always the same one.
pub(crate) fn shard() -> Arc<Shard> {
    static SHARD: OnceLock<Arc<Shard>> = OnceLock::new();
    let plan = ShardPlan {
        seed: 5,
        items: 90,
        passages: 8,
        continuations: 40,
    };
    let record = || {
        let source = source();
        Arc::new(Shard::record(&source, &source.training, &plan, DeviceChoice::Cpu).unwrap())
    };
    Arc::clone(SHARD.get_or_init(record))
}

/// A student of two layers, noisy enough to have much to learn.
pub(crate) fn write_student(dir: &Path) -> Checkpoint {
    let plan = StudentPlan {
        layers: vec![0, 3],
        seed: 1,
        noise: 0.2,
    };
    let (config, tensors) = student(teacher(), &plan).unwrap();
    let tokenizer = teacher().tokenizer_json().unwrap();
    Checkpoint::write(
        dir,
        &config,
        &tensors,
        &tokenizer,
        &Provenance::default(),
        Precision::F32,
    )
    .unwrap()
}

/// The settings that small students are really trained with, on fewer examples.
pub(crate) fn config(seed: u64) -> TrainerConfig {
    let small = TrainerConfig::small(seed);
    TrainerConfig {
        held_out: 12,
        schedule: Schedule {
            warm_up: 1,
            ..small.schedule
        },
        shard: ShardPlan {
            seed,
            items: 32,
            passages: 0,
            continuations: 32,
        },
        ..small
    }
}
