//! Where a validator keeps what it has: a directory per wallet, hotkey and subnet, so that one machine can run several.

use std::path::{Path, PathBuf};

use athanor_node::{WalletArgs, backup::DataKind};
use athanor_spec::SubnetSpec;
use clap::Args;
use thiserror::Error;

/// Name of the ledger's file in a data directory.
pub(crate) const LEDGER: &str = "ledger.redb";
/// Where earlier versions kept everything, in the working directory.
const EARLIER: &str = "athanor-validator";

/// The data directory of a validator, for `backup` and `restore`.
pub(crate) const DATA: DataKind = DataKind {
    daemon: "validator",
    // Checkpoints of miners, fetched again as they are needed.
    caches: &["artifacts"],
    usual,
};

/// Where a validator keeps what it has.
#[derive(Clone, Debug, Args)]
pub struct DataArgs {
    /// Directory of the ledger, the transcripts and the cache of artifacts [default: ~/.athanor/validator/WALLET/HOTKEY/NETUID]
    #[arg(
        long = "data.dir",
        alias = "data-dir",
        env = "ATHANOR_DATA_DIR",
        value_name = "DIR"
    )]
    data_dir: Option<PathBuf>,
}

/// The data lies where an earlier version kept it.
#[derive(Debug, Error)]
#[error(
    "the ledger of an earlier version lies in {}, where this version no longer looks by itself: move it \
     (`mkdir -p {} && mv {} {}`), or name it (`--data.dir {}`)",
    earlier.display(),
    usual.parent().unwrap_or(usual).display(),
    earlier.display(),
    usual.display(),
    earlier.display()
)]
pub struct MovedError {
    /// Where it lies.
    earlier: PathBuf,
    /// Where it is looked for.
    usual: PathBuf,
}

impl DataArgs {
    /// The directory of this wallet's validator on a subnet. Refused if the only ledger lies where earlier versions kept
    /// it: to begin an empty one beside it would forget every miner.
    pub fn dir(&self, wallet: &WalletArgs, spec: &SubnetSpec) -> Result<PathBuf, MovedError> {
        match &self.data_dir {
            Some(given) => Ok(given.clone()),
            None => unmoved(usual(wallet, spec), Path::new(EARLIER)),
        }
    }
}

fn usual(wallet: &WalletArgs, spec: &SubnetSpec) -> PathBuf {
    let home = std::env::home_dir().unwrap_or_default();
    home.join(".athanor/validator")
        .join(&wallet.name)
        .join(&wallet.hotkey)
        .join(spec.subnet.netuid.to_string())
}

fn unmoved(usual: PathBuf, earlier: &Path) -> Result<PathBuf, MovedError> {
    if !usual.join(LEDGER).exists() && earlier.join(LEDGER).exists() {
        let earlier = std::path::absolute(earlier).unwrap_or_else(|_| earlier.to_owned());
        return Err(MovedError { earlier, usual });
    }
    Ok(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_of_an_earlier_version_is_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (usual, earlier) = (folder.path().join("a/b"), folder.path().join("old"));
        assert_eq!(unmoved(usual.clone(), &earlier).unwrap(), usual);
        std::fs::create_dir_all(&earlier).unwrap();
        std::fs::write(earlier.join(LEDGER), b"x").unwrap();
        let error = unmoved(usual.clone(), &earlier).unwrap_err().to_string();
        assert!(
            error.contains(&format!("--data.dir {}", earlier.display())),
            "{error}"
        );
        assert!(
            error.contains("mkdir -p") && !error.contains('\n'),
            "{error}"
        );
        // One that was begun at the new place is the one that counts.
        std::fs::create_dir_all(&usual).unwrap();
        std::fs::write(usual.join(LEDGER), b"x").unwrap();
        assert_eq!(unmoved(usual.clone(), &earlier).unwrap(), usual);
    }
}
