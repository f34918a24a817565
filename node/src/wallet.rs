//! `wallet` verbs of a daemon: make, restore, list and show its keys, and what they hold.

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    path::Path,
};

use athanor_chain::{
    Client, ConnectError, ReadError, Wallet, WalletError,
    wallet::{self, KeyKind, Password, password},
};
use athanor_spec::{Hotkey, Rao};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use thiserror::Error;

use crate::{SubtensorArgs, WalletArgs, amount};

/// What to do with a wallet's keys.
#[derive(Clone, Debug, Subcommand)]
pub enum WalletCommand {
    /// Make a new key and show its twelve words once; a coldkey gets a password
    #[command(alias = "create")]
    New {
        /// Which key to make
        #[arg(long, value_enum, default_value_t = Key::Hotkey)]
        key: Key,
        /// Write a coldkey without a password
        #[arg(long = "no-password")]
        no_password: bool,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Restore a key from its words or its seed, read from standard input; a coldkey gets a password
    #[command(alias = "import")]
    Regen {
        /// Which key to restore
        #[arg(long, value_enum, default_value_t = Key::Hotkey)]
        key: Key,
        /// Write a coldkey without a password
        #[arg(long = "no-password")]
        no_password: bool,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the addresses of the wallet
    Show {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// List all wallets of the folder, with the addresses of their keys
    List {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the wallet's coldkey holds unstaked
    Balance {
        /// Which chain
        #[command(flatten)]
        subtensor: SubtensorArgs,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
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
    /// A coldkey needs a password, and there is nobody to type one.
    #[error(
        "a coldkey is written under a password, and this is no terminal to type one at: put it where btcli does, into \
         {variable}, or give --no-password"
    )]
    NoPassword {
        /// The environment variable for the password.
        variable: String,
    },
    /// The password was mistyped.
    #[error("the two passwords differ: nothing was written")]
    PasswordsDiffer,
    /// The chain cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<Key> for KeyKind {
    fn from(key: Key) -> Self {
        match key {
            Key::Coldkey => Self::Coldkey,
            Key::Hotkey => Self::Hotkey,
        }
    }
}

/// Asks at the terminal for the password of a key file; `None` if nobody sits there.
pub fn ask_password(path: &Path) -> io::Result<Option<Password>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let typed = rpassword::prompt_password(format!("Password of {}: ", path.display()))?;
    Ok(Some(Password::new(typed)))
}

impl WalletCommand {
    /// Does it, and gives the text to print.
    pub async fn run(&self, arguments: &WalletArgs) -> Result<String, WalletCommandError> {
        let wallet = arguments.wallet();
        match self {
            Self::New {
                key,
                no_password,
                json,
            } => new(&wallet, *key, *no_password, *json),
            Self::Regen {
                key,
                no_password,
                json,
            } => regenerate(&wallet, *key, *no_password, *json),
            Self::Show { json } => show(&wallet, *json),
            Self::List { json } => list(&wallet.path, *json),
            Self::Balance { subtensor, json } => balance(&wallet, subtensor, *json).await,
        }
    }
}

fn new(
    wallet: &Wallet,
    key: Key,
    no_password: bool,
    json: bool,
) -> Result<String, WalletCommandError> {
    let password = new_password(wallet, key, no_password)?;
    let new = wallet.create(key.into(), password.as_ref())?;
    let file = wallet.key_file(key.into())?;
    Ok(match json {
        true => json!({"address": new.address, "file": file, "words": new.phrase}).to_string(),
        false => format!(
            "address  {}\nfile     {}\nwords    {}\nWrite the words down and keep them secret: they alone restore the key.",
            new.address,
            file.display(),
            new.phrase
        ),
    })
}

fn regenerate(
    wallet: &Wallet,
    key: Key,
    no_password: bool,
    json: bool,
) -> Result<String, WalletCommandError> {
    let mut secret = Password::default();
    if io::stdin().is_terminal() {
        eprintln!("Type the words or the seed, then press enter:");
    }
    io::stdin().lock().read_line(&mut secret)?;
    let password = new_password(wallet, key, no_password)?;
    let address = wallet.import(key.into(), &secret, password.as_ref())?;
    let file = wallet.key_file(key.into())?;
    Ok(match json {
        true => json!({"address": address, "file": file}).to_string(),
        false => format!("address  {address}\nfile     {}", file.display()),
    })
}

/// The password for a new file: none for a hotkey, which daemons read by themselves.
fn new_password(
    wallet: &Wallet,
    key: Key,
    no_password: bool,
) -> Result<Option<Password>, WalletCommandError> {
    let path = wallet.key_file(key.into())?;
    if key == Key::Hotkey || no_password {
        return Ok(None);
    }
    if path.exists() {
        return Err(WalletError::Exists { path }.into());
    }
    if let Some(password) = password::from_environment(&path) {
        return Ok(Some(password));
    }
    let Some(first) = ask_password(&path)? else {
        return Err(WalletCommandError::NoPassword {
            variable: password::variable(&path),
        });
    };
    let again = Password::new(rpassword::prompt_password("Once more: ")?);
    match first == again {
        true => Ok(Some(first)),
        false => Err(WalletCommandError::PasswordsDiffer),
    }
}

fn show(wallet: &Wallet, json: bool) -> Result<String, WalletCommandError> {
    // A machine that runs a daemon need not have the coldkey.
    let address = |kind| match wallet.address(kind) {
        Ok(address) => Ok(Ok(address)),
        Err(WalletError::Missing { path }) => Ok(Err(path)),
        Err(error) => Err(error),
    };
    let (coldkey, hotkey) = (address(KeyKind::Coldkey)?, address(KeyKind::Hotkey)?);
    Ok(match json {
        true => json!({"coldkey": coldkey.ok(), "hotkey": hotkey.ok()}).to_string(),
        false => {
            let line = |name: &str, found: Result<Hotkey, std::path::PathBuf>| match found {
                Ok(address) => format!("{name}  {address}"),
                Err(path) => format!("{name}  none at {}", path.display()),
            };
            format!("{}\n{}", line("coldkey", coldkey), line("hotkey ", hotkey))
        }
    })
}

fn list(folder: &Path, json: bool) -> Result<String, WalletCommandError> {
    let wallets = wallet::list(folder)?;
    if json {
        let wallets: Vec<Value> = wallets
            .into_iter()
            .map(|wallet| {
                let hotkeys: serde_json::Map<String, Value> = wallet
                    .hotkeys
                    .into_iter()
                    .map(|(name, address)| (name, json!(address)))
                    .collect();
                json!({"name": wallet.name, "coldkey": wallet.coldkey, "hotkeys": hotkeys})
            })
            .collect();
        return Ok(json!(wallets).to_string());
    }
    let written = |address: Option<Hotkey>| match address {
        Some(address) => address.to_string(),
        None => "no readable key".to_owned(),
    };
    let mut lines = Vec::new();
    for wallet in wallets {
        lines.push(format!("{}  {}", wallet.name, written(wallet.coldkey)));
        lines.extend(
            wallet
                .hotkeys
                .into_iter()
                .map(|(name, address)| format!("  {name}  {}", written(address))),
        );
    }
    Ok(lines.join("\n"))
}

async fn balance(
    wallet: &Wallet,
    subtensor: &SubtensorArgs,
    json: bool,
) -> Result<String, WalletCommandError> {
    let coldkey = wallet.address(KeyKind::Coldkey)?;
    let chain = Client::open(subtensor.endpoints.clone()).await?;
    let balance: Rao = chain.balance(&coldkey).await?;
    Ok(match json {
        true => json!({"coldkey": coldkey, "balance_rao": balance.0}).to_string(),
        false => format!("{coldkey} holds {} TAO", amount::write(balance)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_HOTKEY: WalletCommand = WalletCommand::New {
        key: Key::Hotkey,
        no_password: false,
        json: false,
    };

    fn arguments(folder: &tempfile::TempDir) -> WalletArgs {
        WalletArgs {
            name: "w".to_owned(),
            hotkey: "h".to_owned(),
            path: folder.path().to_owned(),
        }
    }

    #[tokio::test]
    async fn a_created_key_is_shown_by_address_and_a_missing_one_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = arguments(&folder);
        let created = NEW_HOTKEY.run(&wallet).await.unwrap();
        let shown = WalletCommand::Show { json: false }
            .run(&wallet)
            .await
            .unwrap();
        let address = wallet.wallet().address(KeyKind::Hotkey).unwrap().to_ss58();
        assert!(
            created.contains(&address) && shown.contains(&address),
            "{created}\n{shown}"
        );
        assert!(shown.contains("coldkey  none at"), "{shown}");
        let error = NEW_HOTKEY.run(&wallet).await.unwrap_err().to_string();
        assert!(error.contains("exists already"), "{error}");
        let json = WalletCommand::Show { json: true }
            .run(&wallet)
            .await
            .unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json, json!({"coldkey": null, "hotkey": address}));
    }

    #[tokio::test]
    async fn all_wallets_of_a_folder_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = arguments(&folder);
        NEW_HOTKEY.run(&wallet).await.unwrap();
        let coldkey = WalletCommand::New {
            key: Key::Coldkey,
            no_password: true,
            json: true,
        };
        let new: Value = serde_json::from_str(&coldkey.run(&wallet).await.unwrap()).unwrap();
        assert_eq!(new["words"].as_str().unwrap().split(' ').count(), 12);
        let listed = WalletCommand::List { json: true }
            .run(&wallet)
            .await
            .unwrap();
        let hotkey = wallet.wallet().address(KeyKind::Hotkey).unwrap();
        let expected = json!([{"name": "w", "coldkey": new["address"], "hotkeys": {"h": hotkey}}]);
        assert_eq!(serde_json::from_str::<Value>(&listed).unwrap(), expected);
        let text = WalletCommand::List { json: false }
            .run(&wallet)
            .await
            .unwrap();
        assert!(
            text.starts_with("w  5") && text.contains("\n  h  5"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_coldkey_without_a_password_has_to_be_asked_for() {
        if io::stdin().is_terminal() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let command = WalletCommand::New {
            key: Key::Coldkey,
            no_password: false,
            json: false,
        };
        let error = command.run(&arguments(&folder)).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("BT_PW_") && text.contains("--no-password"),
            "{text}"
        );
    }
}
