//! `wallet` verbs of a daemon: make, restore and show its keys.

use std::io::{self, BufRead as _, IsTerminal as _};

use athanor_chain::{WalletError, wallet::KeyKind};
use clap::{Subcommand, ValueEnum};
use thiserror::Error;

use crate::WalletArgs;

/// What to do with a wallet's keys.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum WalletCommand {
    /// Make a new key, without a password, and show its twelve words once
    Create {
        /// Which key to make
        #[arg(long, value_enum, default_value_t = Key::Hotkey)]
        key: Key,
    },
    /// Restore a key from its words or its seed, read from standard input
    Import {
        /// Which key to restore
        #[arg(long, value_enum, default_value_t = Key::Hotkey)]
        key: Key,
    },
    /// Show the addresses
    Show,
}

/// One of a wallet's keys, as an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Key {
    /// Owns the stake and pays
    Coldkey,
    /// Serves, scores and is paid
    Hotkey,
}

/// Why a wallet verb failed.
#[derive(Debug, Error)]
pub enum WalletCommandError {
    /// The key could not be read or written.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The secret could not be read.
    #[error("cannot read the words from standard input: {0}")]
    Input(#[from] io::Error),
}

impl From<Key> for KeyKind {
    fn from(key: Key) -> Self {
        match key {
            Key::Coldkey => Self::Coldkey,
            Key::Hotkey => Self::Hotkey,
        }
    }
}

impl WalletCommand {
    /// Does it, and gives the text to print.
    pub fn run(&self, wallet: &WalletArgs) -> Result<String, WalletCommandError> {
        let wallet = wallet.wallet();
        Ok(match self {
            Self::Create { key } => {
                let new = wallet.create((*key).into())?;
                let file = wallet.key_file((*key).into())?;
                format!(
                    "address  {}\nfile     {}\nwords    {}\nWrite the words down and keep them secret: they alone restore \
                     the key.",
                    new.address,
                    file.display(),
                    new.phrase
                )
            }
            Self::Import { key } => {
                let mut secret = String::new();
                if io::stdin().is_terminal() {
                    eprintln!("Type the words or the seed, then press enter:");
                }
                io::stdin().lock().read_line(&mut secret)?;
                let address = wallet.import((*key).into(), &secret)?;
                format!(
                    "address  {address}\nfile     {}",
                    wallet.key_file((*key).into())?.display()
                )
            }
            Self::Show => {
                // A machine that runs a daemon need not have the coldkey.
                let line = |name: &str, kind| match wallet.address(kind) {
                    Ok(address) => Ok(format!("{name}  {address}")),
                    Err(WalletError::Missing { path }) => {
                        Ok(format!("{name}  none at {}", path.display()))
                    }
                    Err(error) => Err(error),
                };
                format!(
                    "{}\n{}",
                    line("coldkey", KeyKind::Coldkey)?,
                    line("hotkey ", KeyKind::Hotkey)?
                )
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_key_is_shown_by_address_and_a_missing_one_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = WalletArgs {
            name: "w".to_owned(),
            hotkey: "h".to_owned(),
            path: folder.path().to_owned(),
        };
        let created = WalletCommand::Create { key: Key::Hotkey }
            .run(&wallet)
            .unwrap();
        let shown = WalletCommand::Show.run(&wallet).unwrap();
        let address = wallet.wallet().address(KeyKind::Hotkey).unwrap().to_ss58();
        assert!(
            created.contains(&address) && shown.contains(&address),
            "{created}\n{shown}"
        );
        assert!(shown.contains("coldkey  none at"), "{shown}");
        let error = WalletCommand::Create { key: Key::Hotkey }
            .run(&wallet)
            .unwrap_err()
            .to_string();
        assert!(error.contains("exists already"), "{error}");
    }
}
