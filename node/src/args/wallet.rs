//! Which keys to use.

use std::path::{Path, PathBuf};

use athanor_chain::Wallet;
use clap::Args;

/// The wallet on disk, in bittensor's layout.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct WalletArgs {
    /// Name of the wallet (of its coldkey)
    #[arg(
        long = "wallet.name",
        alias = "wallet-name",
        env = "BT_WALLET_NAME",
        value_name = "NAME",
        default_value = "default"
    )]
    pub name: String,
    /// Name of the hotkey
    #[arg(
        long = "wallet.hotkey",
        alias = "wallet-hotkey",
        env = "BT_WALLET_HOTKEY",
        value_name = "NAME",
        default_value = "default"
    )]
    pub hotkey: String,
    /// Folder of all wallets
    #[arg(
        long = "wallet.path",
        alias = "wallet-path",
        env = "BT_WALLET_PATH",
        value_name = "DIR",
        default_value = "~/.bittensor/wallets"
    )]
    pub path: PathBuf,
}

impl WalletArgs {
    /// The wallet that is named, with `~` as the user's home folder.
    pub fn wallet(&self) -> Wallet {
        let home = std::env::home_dir();
        Wallet {
            path: expand(&self.path, home.as_deref()),
            name: self.name.clone(),
            hotkey: self.hotkey.clone(),
        }
    }
}

/// A shell leaves the `~` of `--wallet.path=~/x` alone, and so does the environment.
fn expand(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leading_tilde_is_the_home_folder() {
        let home = Some(Path::new("/home/me"));
        assert_eq!(
            expand(Path::new("~/.bittensor"), home),
            Path::new("/home/me/.bittensor")
        );
        assert_eq!(expand(Path::new("/w/~/x"), home), Path::new("/w/~/x"));
        assert_eq!(expand(Path::new("~/x"), None), Path::new("~/x"));
    }
}
