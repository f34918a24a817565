//! Which subnet, by which rules.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use athanor_spec::{NetUid, SubnetSpec, params::SpecError};
use clap::Args;
use thiserror::Error;

/// The subnet and its spec.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetArgs {
    /// Number of the subnet, instead of the spec's
    #[arg(long, env = "BT_NETUID", value_name = "N")]
    pub netuid: Option<NetUid>,
    /// The subnet's spec, instead of the one for local subnets
    #[arg(
        long = "subnet.spec",
        aliases = ["subnet-spec", "spec"],
        env = "BT_SUBNET_SPEC",
        value_name = "FILE"
    )]
    pub spec: Option<PathBuf>,
    /// The spec that the owner has announced: it is taken up at its activation block. Without it, peers are asked for it
    #[arg(
        long = "subnet.next",
        aliases = ["subnet-next", "spec.next", "spec-next"],
        env = "BT_SUBNET_NEXT",
        value_name = "FILE"
    )]
    pub next: Option<PathBuf>,
}

/// Why a spec could not be loaded.
#[derive(Debug, Error)]
pub enum SpecFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; `athanor-subnet new` writes a spec to start from", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not a valid spec.
    #[error("{}:{source}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SpecError,
    },
}

impl SubnetArgs {
    /// The spec, with the subnet's number replaced if one was given.
    pub fn load(&self) -> Result<SubnetSpec, SpecFileError> {
        match &self.spec {
            None => Ok(self.here(SubnetSpec::local())),
            Some(path) => self.read(path),
        }
    }

    /// As [`SubnetArgs::load`], the spec that is to come, if it was given.
    pub fn load_next(&self) -> Result<Option<SubnetSpec>, SpecFileError> {
        self.next.as_deref().map(|path| self.read(path)).transpose()
    }

    fn read(&self, path: &Path) -> Result<SubnetSpec, SpecFileError> {
        let path = path.to_owned();
        match fs::read_to_string(&path) {
            Ok(text) => SubnetSpec::from_toml(&text)
                .map(|spec| self.here(spec))
                .map_err(|source| SpecFileError::Invalid { path, source }),
            Err(source) => Err(SpecFileError::Read { path, source }),
        }
    }

    fn here(&self, mut spec: SubnetSpec) -> SubnetSpec {
        if let Some(netuid) = self.netuid {
            spec.subnet.netuid = netuid;
        }
        spec
    }
}
