//! What a local subnet stands on: its settings found good, its directory, and its chain.
//!
//! Whatever can be wrong with the command line shows here, before anything is said to have started.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use athanor_devnet::Devnet;
use athanor_model::Checkpoint;
use athanor_spec::SubnetSpec;

use crate::{
    chain::{self, Rules},
    error::LocalnetError,
    models,
    roster::{Participant, graded_roster, roster},
    settings::Settings,
};

/// A chain that runs, with nobody on it yet.
pub struct Ground {
    pub(crate) started: Instant,
    pub(crate) spec: SubnetSpec,
    pub(crate) data_dir: PathBuf,
    /// Removes the data directory at the end, when it is a temporary one.
    pub(crate) temporary: Option<tempfile::TempDir>,
    pub(crate) teacher: Checkpoint,
    pub(crate) roster: Vec<Participant>,
    pub(crate) devnet: Devnet,
}

impl Ground {
    /// Checks the settings, writes wallets and teacher, and starts the chain.
    pub async fn prepare(settings: &Settings) -> Result<Self, LocalnetError> {
        let spec = load_spec(settings)?;
        if let Some(path) = &settings.report {
            check_report(path)?;
        }
        let whom = |layers| match settings.agreement {
            true => graded_roster(settings.seed, layers),
            false => roster(settings.seed, layers, settings.spare_validator),
        };
        Self::lay(settings, spec, Rules::default(), whom).await
    }

    /// Writes wallets and teacher, and starts a chain with these rules for whom `roster` names, given the teacher's layers.
    pub async fn lay(
        settings: &Settings,
        spec: SubnetSpec,
        rules: Rules,
        roster: impl FnOnce(usize) -> Vec<Participant>,
    ) -> Result<Self, LocalnetError> {
        let started = Instant::now();
        let (data_dir, temporary) = data_dir(settings)?;
        let teacher = models::teacher(&data_dir)?;
        let roster = roster(teacher.config.num_hidden_layers);
        chain::write_wallets(&data_dir.join("wallets"), &roster)?;
        let config = chain::devnet(settings, &spec, &roster, rules);
        let devnet = athanor_devnet::spawn(config).await?;
        Ok(Self {
            started,
            spec,
            data_dir,
            temporary,
            teacher,
            roster,
            devnet,
        })
    }

    /// WebSocket address of the chain.
    pub fn url(&self) -> String {
        self.devnet.url()
    }

    /// Where wallets, checkpoints and ledgers are.
    pub fn data_dir(&self) -> &std::path::Path {
        &self.data_dir
    }
}

/// A report that cannot be written should not be found out after the run.
pub(crate) fn check_report(path: &Path) -> Result<(), LocalnetError> {
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    opened.map(drop).map_err(|source| LocalnetError::Write {
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn load_spec(settings: &Settings) -> Result<SubnetSpec, LocalnetError> {
    let Some(path) = &settings.spec else {
        return Ok(SubnetSpec::local());
    };
    let text = std::fs::read_to_string(path).map_err(|source| LocalnetError::Read {
        path: path.clone(),
        source,
    })?;
    SubnetSpec::from_toml(&text).map_err(|source| LocalnetError::Spec {
        path: path.clone(),
        source,
    })
}

fn data_dir(settings: &Settings) -> Result<(PathBuf, Option<tempfile::TempDir>), LocalnetError> {
    match &settings.data_dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|source| LocalnetError::Write {
                path: dir.clone(),
                source,
            })?;
            Ok((dir.clone(), None))
        }
        None => {
            let dir = tempfile::Builder::new()
                .prefix("athanor-")
                .tempdir()
                .map_err(|source| LocalnetError::Write {
                    path: std::env::temp_dir(),
                    source,
                })?;
            Ok((dir.path().to_owned(), Some(dir)))
        }
    }
}
