//! The checkpoints that a miner is started with.

use std::path::Path;

use athanor_distill::{
    bundled,
    init::{self, StudentPlan},
};
use athanor_miner::CheckpointRefused;
use athanor_model::{Checkpoint, Precision, checkpoint::Provenance};
use athanor_spec::{Digest, SubnetSpec};

use super::{CliError, arguments::RunArgs};

/// Layers of a student that is made on the spot: half of the bundled teacher's, so that it answers in half the time.
const STUDENT_LAYERS: usize = 3;
/// Noise that makes two such students differ, as a share of each tensor's deviation: that of the siblings that validators'
/// test for copies knows (docs/similarity.md). Two students with less would be copies of each other until they are trained.
const STUDENT_NOISE: f32 = 0.1;

/// Teacher and student.
pub(crate) struct Files {
    pub(crate) teacher: Checkpoint,
    pub(crate) model: Checkpoint,
}

impl Files {
    /// Opens what was named, and makes what was not.
    pub(crate) fn prepare(
        arguments: &RunArgs,
        data_dir: &Path,
        seed: u64,
    ) -> Result<Self, CliError> {
        let teacher = match &arguments.teacher {
            Some(dir) => Checkpoint::open(dir).map_err(|source| CliError::Teacher {
                dir: dir.clone(),
                source,
            })?,
            None => bundled::write_teacher(&data_dir.join("teacher"))?,
        };
        let model = match &arguments.model {
            Some(dir) => open(dir)?,
            None => student(&teacher, &data_dir.join("student"), seed)?,
        };
        if let Some(expected) = arguments.model_digest
            && expected.0 != model.digest()
        {
            return Err(CheckpointRefused::WrongDigest {
                dir: model.dir.clone(),
                expected,
                found: Digest(model.digest()),
            }
            .into());
        }
        Ok(Self { teacher, model })
    }

    /// Whether the model fits the subnet.
    pub(crate) fn check(&self, spec: &SubnetSpec) -> Result<(), CliError> {
        Ok(CheckpointRefused::check(&self.model, spec)?)
    }
}

fn open(dir: &Path) -> Result<Checkpoint, CliError> {
    Checkpoint::open(dir).map_err(|source| {
        CheckpointRefused::Damaged {
            dir: dir.to_owned(),
            source,
        }
        .into()
    })
}

/// The student of an earlier start, or a new one.
fn student(teacher: &Checkpoint, dir: &Path, seed: u64) -> Result<Checkpoint, CliError> {
    if let Ok(present) = Checkpoint::open(dir)
        && present.manifest.parent_digest() == Some(teacher.digest())
    {
        return Ok(present);
    }
    let plan = StudentPlan {
        layers: init::layers(teacher.config.num_hidden_layers, STUDENT_LAYERS),
        seed,
        noise: STUDENT_NOISE,
    };
    let (config, tensors) = init::student(teacher, &plan)?;
    let provenance = Provenance {
        parent: Some(teacher.digest()),
        ..Provenance::default()
    };
    let tokenizer = teacher.tokenizer_json().map_err(CliError::WriteStudent)?;
    Checkpoint::write(
        dir,
        &config,
        &tensors,
        &tokenizer,
        &provenance,
        Precision::F16,
    )
    .map_err(CliError::WriteStudent)
}
