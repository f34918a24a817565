//! Keys on disk, in the layout that bittensor's own tools read and write.
//!
//! `<path>/<name>/coldkey`, `coldkeypub.txt`, `hotkeys/<hotkey>` and `hotkeys/<hotkey>pub.txt`, each one JSON object, and
//! the coldkey's encrypted with a password unless its owner wants it otherwise. A daemon needs its hotkey only. Key files
//! written here are readable by their owner alone, and whole or not there at all.

mod encryption;
mod keyfile;
pub mod password;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use athanor_spec::Hotkey;
use sp_core::{Pair as _, sr25519};
use thiserror::Error;

use keyfile::KeyFile;
pub use password::Password;

/// One coldkey with one of its hotkeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Folder of all wallets.
    pub path: PathBuf,
    /// Name of the coldkey, which is the name of a folder in `path`.
    pub name: String,
    /// Name of the hotkey, which is the name of a file.
    pub hotkey: String,
}

/// Which of a wallet's two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Owns the stake and pays; best kept off the machines that run daemons.
    Coldkey,
    /// Serves, scores and is paid.
    Hotkey,
}

/// A key pair that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Its address.
    pub address: Hotkey,
    /// The twelve words that restore it; shown once, for the owner to write down.
    pub phrase: String,
}

/// Why a key could not be read or written.
#[derive(Debug, Error)]
pub enum WalletError {
    /// There is no such file.
    #[error(
        "there is no key at {path}: create it (`wallet new`), or check --wallet.name, --wallet.hotkey and --wallet.path"
    )]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// The file exists and cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The key file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is encrypted, and nobody gave the password.
    #[error(
        "{path} is encrypted: type its password at a terminal, or put it where btcli does, into the environment variable \
         {variable}; a daemon needs the hotkey only"
    )]
    Encrypted {
        /// The key file.
        path: PathBuf,
        /// The environment variable for its password.
        variable: String,
    },
    /// The password does not open the file.
    #[error("the password does not open {path}: it is another one, or the file is damaged")]
    WrongPassword {
        /// The key file.
        path: PathBuf,
    },
    /// The password could not be asked for.
    #[error("cannot ask for the password of {path}: {source}")]
    Ask {
        /// The key file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be encrypted.
    #[error("{path} cannot be encrypted: {reason}")]
    CannotEncrypt {
        /// The key file.
        path: PathBuf,
        /// What the cipher says.
        reason: String,
    },
    /// The file is encrypted in a way that bittensor itself gave up.
    #[error("{path} is encrypted in the old {scheme} format: convert it with btcli first")]
    OldEncryption {
        /// The key file.
        path: PathBuf,
        /// Name of the format.
        scheme: &'static str,
    },
    /// The file is not a key file.
    #[error("{path} is not a bittensor key file: {source}")]
    NotAKeyFile {
        /// The key file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// The key is of the other kind.
    #[error(
        "{path} holds an ed25519 key: this subnet draws its samples with VRFs, which need an sr25519 key; create one"
    )]
    Ed25519 {
        /// The key file.
        path: PathBuf,
    },
    /// The file holds an address without its secret.
    #[error("{path} holds a public key only: copy the key file itself to sign with it")]
    PublicOnly {
        /// The key file.
        path: PathBuf,
    },
    /// The secret is damaged.
    #[error("`{field}` in {path} is not a valid secret")]
    BadSecret {
        /// The key file.
        path: PathBuf,
        /// The JSON field.
        field: &'static str,
    },
    /// The secret makes another key than the file says.
    #[error(
        "{path} says {stated}, but its secret makes {derived}: the file was mixed up; restore it from its words"
    )]
    Mismatch {
        /// The key file.
        path: PathBuf,
        /// The address in the file.
        stated: Hotkey,
        /// The address of the secret.
        derived: Hotkey,
    },
    /// A key is there already.
    #[error(
        "{path} exists already, and a key that is overwritten is lost: choose another name, or move it away"
    )]
    Exists {
        /// The key file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The key file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The text restores no key.
    #[error("neither a mnemonic of 12 to 24 words nor a seed of 64 hexadecimal digits")]
    BadPhrase,
    /// A name would leave the wallet's folder.
    #[error(
        "`{name}` cannot be a wallet's or a hotkey's name: use letters, digits, `-`, `_` and `.`"
    )]
    BadName {
        /// The name.
        name: String,
    },
}

impl Wallet {
    /// The hotkey's pair, whose file must have no password, or one that the environment holds.
    pub fn hotkey(&self) -> Result<sr25519::Pair, WalletError> {
        self.pair(KeyKind::Hotkey, |_| Ok(None))
    }

    /// The coldkey's pair, whose file must have no password, or one that the environment holds.
    pub fn coldkey(&self) -> Result<sr25519::Pair, WalletError> {
        self.pair(KeyKind::Coldkey, |_| Ok(None))
    }

    /// A key's pair; `ask` is asked for the password of the file only if it has one that the environment does not hold.
    pub fn pair(
        &self,
        kind: KeyKind,
        ask: impl FnOnce(&Path) -> io::Result<Option<Password>>,
    ) -> Result<sr25519::Pair, WalletError> {
        let path = self.key_file(kind)?;
        KeyFile::read(&path, || match password::from_environment(&path) {
            Some(password) => Ok(Some(password)),
            None => ask(&path),
        })?
        .pair()
    }

    /// A key's address; the public file is enough for it.
    pub fn address(&self, kind: KeyKind) -> Result<Hotkey, WalletError> {
        let locked = || Ok(None);
        match KeyFile::read(&self.public_file(kind)?, locked) {
            Ok(file) => file.address(),
            Err(WalletError::Missing { .. }) => {
                KeyFile::read(&self.key_file(kind)?, locked)?.address()
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a key and writes its files, encrypted if a password is given; refuses to overwrite.
    pub fn create(
        &self,
        kind: KeyKind,
        password: Option<&Password>,
    ) -> Result<NewKey, WalletError> {
        let (pair, phrase, _) = sr25519::Pair::generate_with_phrase(None);
        self.write(kind, &KeyFile::from_phrase(&pair, &phrase), password)?;
        Ok(NewKey {
            address: Hotkey(pair.public().0),
            phrase,
        })
    }

    /// Restores a key from its words, or from a seed of 64 hexadecimal digits, and writes its files, encrypted if a password
    /// is given; refuses to overwrite.
    pub fn import(
        &self,
        kind: KeyKind,
        secret: &str,
        password: Option<&Password>,
    ) -> Result<Hotkey, WalletError> {
        let secret = secret.trim();
        let mut seed = [0; 32];
        let file = if hex::decode_to_slice(secret.strip_prefix("0x").unwrap_or(secret), &mut seed)
            .is_ok()
        {
            KeyFile::from_seed(&seed)
        } else {
            let (pair, _) =
                sr25519::Pair::from_phrase(secret, None).map_err(|_| WalletError::BadPhrase)?;
            KeyFile::from_phrase(&pair, secret)
        };
        self.write(kind, &file, password)?;
        file.address()
    }

    /// The file that holds the secret of a key.
    pub fn key_file(&self, kind: KeyKind) -> Result<PathBuf, WalletError> {
        let folder = self.folder()?;
        Ok(match kind {
            KeyKind::Coldkey => folder.join("coldkey"),
            KeyKind::Hotkey => folder.join("hotkeys").join(plain(&self.hotkey)?),
        })
    }

    fn public_file(&self, kind: KeyKind) -> Result<PathBuf, WalletError> {
        let folder = self.folder()?;
        Ok(match kind {
            KeyKind::Coldkey => folder.join("coldkeypub.txt"),
            KeyKind::Hotkey => folder
                .join("hotkeys")
                .join(format!("{}pub.txt", plain(&self.hotkey)?)),
        })
    }

    fn folder(&self) -> Result<PathBuf, WalletError> {
        Ok(self.path.join(plain(&self.name)?))
    }

    fn write(
        &self,
        kind: KeyKind,
        file: &KeyFile,
        password: Option<&Password>,
    ) -> Result<(), WalletError> {
        let path = self.key_file(kind)?;
        if let Some(folder) = path.parent() {
            make_private_folder(folder)?;
        }
        file.write_secret(&path, password)?;
        file.write_public(&self.public_file(kind)?)
    }
}

/// What is in one folder of wallets: a coldkey and its hotkeys, by address. `None` where a file is missing or unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The wallet's name.
    pub name: String,
    /// Address of its coldkey.
    pub coldkey: Option<Hotkey>,
    /// Its hotkeys, by name.
    pub hotkeys: Vec<(String, Option<Hotkey>)>,
}

/// Every wallet in the folder `path`, by name. No secret is read where a public file is there.
pub fn list(path: &Path) -> Result<Vec<Listing>, WalletError> {
    let mut listings = Vec::new();
    for name in names(path)? {
        if !path.join(&name).is_dir() {
            continue;
        }
        let wallet = |hotkey: &str| Wallet {
            path: path.to_owned(),
            name: name.clone(),
            hotkey: hotkey.to_owned(),
        };
        let hotkeys = match names(&path.join(&name).join("hotkeys")) {
            Ok(files) => files,
            Err(WalletError::Missing { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let hotkeys = hotkeys
            .into_iter()
            .filter(|file| !file.ends_with("pub.txt"))
            .map(|file| {
                let address = wallet(&file).address(KeyKind::Hotkey).ok();
                (file, address)
            })
            .collect();
        listings.push(Listing {
            coldkey: wallet("default").address(KeyKind::Coldkey).ok(),
            hotkeys,
            name,
        });
    }
    Ok(listings)
}

/// Names of the entries of a folder that can be wallets' or keys', sorted.
fn names(folder: &Path) -> Result<Vec<String>, WalletError> {
    let path = folder.to_owned();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(WalletError::Missing { path });
        }
        // A stray file where a folder should be holds no keys.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        Err(source) => return Err(WalletError::Read { path, source }),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| WalletError::Read {
            path: path.clone(),
            source,
        })?;
        names.extend(
            entry
                .file_name()
                .into_string()
                .ok()
                .filter(|name| plain(name).is_ok()),
        );
    }
    names.sort();
    Ok(names)
}

/// A name that stays within its folder.
fn plain(name: &str) -> Result<&str, WalletError> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
        return Err(WalletError::BadName {
            name: name.to_owned(),
        });
    }
    Ok(name)
}

fn make_private_folder(path: &Path) -> Result<(), WalletError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .recursive(true)
        .create(path)
        .map_err(|source| WalletError::Write {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests;
