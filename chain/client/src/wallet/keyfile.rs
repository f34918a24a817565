//! One key file: JSON with a secret in up to three spellings.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use athanor_spec::Hotkey;
use serde::{Deserialize, Serialize};
use sp_core::{Pair as _, sr25519};
use zeroize::Zeroizing;

use super::{Password, WalletError, encryption};

/// Larger than any key file: what is longer is not read.
const MAX_BYTES: u64 = 64 * 1024;
/// `cryptoType` of ed25519; a missing one is sr25519.
const ED25519: u8 = 0;

/// The fields of a key file, where it was read from, and nothing interpreted yet.
pub(super) struct KeyFile {
    path: PathBuf,
    fields: Fields,
}

/// As in the file. `cryptoType` is left out on writing: bittensor-wallet up to 3.1 fails on a number there, and every
/// version takes a missing one for sr25519.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_phrase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ss58_address: Option<String>,
    #[serde(skip_serializing)]
    crypto_type: Option<u8>,
}

impl KeyFile {
    /// Reads the file at `path`; `password` is asked only if it is encrypted, and `None` leaves it locked.
    pub(super) fn read(
        path: &Path,
        password: impl FnOnce() -> io::Result<Option<Password>>,
    ) -> Result<Self, WalletError> {
        let path = path.to_owned();
        let mut bytes = match fs::File::open(&path).and_then(read_bounded) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(WalletError::Missing { path });
            }
            Err(source) => return Err(WalletError::Read { path, source }),
        };
        if bytes.starts_with(encryption::HEADER) {
            bytes = unlock(&path, &bytes, password)?;
        }
        for (header, scheme) in [
            (&b"$ANSIBLE_VAULT"[..], "ansible-vault"),
            (b"gAAAAA", "Fernet"),
        ] {
            if bytes.starts_with(header) {
                return Err(WalletError::OldEncryption { path, scheme });
            }
        }
        match serde_json::from_slice(&bytes) {
            Ok(fields) => Ok(Self { path, fields }),
            Err(source) => Err(WalletError::NotAKeyFile { path, source }),
        }
    }

    pub(super) fn from_phrase(pair: &sr25519::Pair, phrase: &str) -> Self {
        let seed = sr25519::Pair::from_phrase(phrase, None)
            .map(|(_, seed)| seed)
            .ok();
        let mut file = Self::of(pair);
        file.fields.secret_phrase = Some(phrase.to_owned());
        file.fields.secret_seed = seed.map(|seed| prefixed(&seed));
        file
    }

    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        let mut file = Self::of(&sr25519::Pair::from_seed(seed));
        file.fields.secret_seed = Some(prefixed(seed));
        file
    }

    fn of(pair: &sr25519::Pair) -> Self {
        let public = prefixed(&pair.public().0);
        let fields = Fields {
            account_id: Some(public.clone()),
            public_key: Some(public),
            private_key: Some(prefixed(&pair.to_raw_vec())),
            ss58_address: Some(Hotkey(pair.public().0).to_ss58()),
            ..Fields::default()
        };
        Self {
            path: PathBuf::new(),
            fields,
        }
    }

    /// The address that the file states.
    pub(super) fn address(&self) -> Result<Hotkey, WalletError> {
        if let Some(address) = self
            .fields
            .ss58_address
            .as_ref()
            .and_then(|text| text.parse().ok())
        {
            return Ok(address);
        }
        let hex = self
            .fields
            .public_key
            .as_ref()
            .or(self.fields.account_id.as_ref());
        match hex.and_then(|text| bytes::<32>(text)) {
            Some(public) => Ok(Hotkey(public)),
            None => self.pair().map(|pair| Hotkey(pair.public().0)),
        }
    }

    /// The pair, from the first secret that the file has: words, seed, private key.
    pub(super) fn pair(&self) -> Result<sr25519::Pair, WalletError> {
        if self.fields.crypto_type == Some(ED25519) {
            return Err(WalletError::Ed25519 {
                path: self.path.clone(),
            });
        }
        let pair = self.secret()?;
        let derived = Hotkey(pair.public().0);
        match self
            .fields
            .ss58_address
            .as_ref()
            .and_then(|text| text.parse().ok())
        {
            Some(stated) if stated != derived => Err(WalletError::Mismatch {
                path: self.path.clone(),
                stated,
                derived,
            }),
            _ => Ok(pair),
        }
    }

    fn secret(&self) -> Result<sr25519::Pair, WalletError> {
        let bad = |field| WalletError::BadSecret {
            path: self.path.clone(),
            field,
        };
        let Fields {
            secret_phrase,
            secret_seed,
            private_key,
            ..
        } = &self.fields;
        if let Some(phrase) = secret_phrase {
            return sr25519::Pair::from_phrase(phrase, None)
                .map(|(pair, _)| pair)
                .map_err(|_| bad("secretPhrase"));
        }
        if let Some(seed) = secret_seed {
            return bytes(seed)
                .map(|seed| sr25519::Pair::from_seed(&seed))
                .ok_or_else(|| bad("secretSeed"));
        }
        match private_key {
            Some(key) => bytes::<64>(key)
                .and_then(|key| sr25519::Pair::from_seed_slice(&key).ok())
                .ok_or_else(|| bad("privateKey")),
            None => Err(WalletError::PublicOnly {
                path: self.path.clone(),
            }),
        }
    }

    /// Writes the file, never over another one.
    pub(super) fn write_secret(
        &self,
        path: &Path,
        password: Option<&Password>,
    ) -> Result<(), WalletError> {
        let content = Zeroizing::new(self.json(path)?);
        let Some(password) = password else {
            return place(path, &content, Over::Nothing);
        };
        let refused = |reason: &str| WalletError::CannotEncrypt {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let key = encryption::derive(password).map_err(|error| refused(&error.to_string()))?;
        let sealed = encryption::seal(&content, &key).ok_or_else(|| refused("it is too long"))?;
        place(path, &sealed, Over::Nothing)
    }

    /// Writes the address alone.
    pub(super) fn write_public(&self, path: &Path) -> Result<(), WalletError> {
        let public = Self {
            path: path.to_owned(),
            fields: Fields {
                account_id: self.fields.account_id.clone(),
                public_key: self.fields.public_key.clone(),
                ss58_address: self.fields.ss58_address.clone(),
                ..Fields::default()
            },
        };
        place(path, &public.json(path)?, Over::Anything)
    }

    fn json(&self, path: &Path) -> Result<Vec<u8>, WalletError> {
        serde_json::to_vec(&self.fields).map_err(|error| WalletError::Write {
            path: path.to_owned(),
            source: error.into(),
        })
    }
}

fn unlock(
    path: &Path,
    file: &[u8],
    password: impl FnOnce() -> io::Result<Option<Password>>,
) -> Result<Zeroizing<Vec<u8>>, WalletError> {
    let asked = password().map_err(|source| WalletError::Ask {
        path: path.to_owned(),
        source,
    })?;
    let Some(password) = asked else {
        return Err(WalletError::Encrypted {
            path: path.to_owned(),
            variable: super::password::variable(path),
        });
    };
    encryption::derive(&password)
        .ok()
        .and_then(|key| encryption::open(file, &key))
        .ok_or_else(|| WalletError::WrongPassword {
            path: path.to_owned(),
        })
}

/// What a new file may replace.
enum Over {
    Nothing,
    Anything,
}

/// Writes a file for its owner alone, under its name only once it is whole and on disk.
fn place(path: &Path, content: &[u8], over: Over) -> Result<(), WalletError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        // Made with mode 0600, and removed again should anything fail.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        match over {
            Over::Nothing => file.persist_noclobber(path)?,
            Over::Anything => file.persist(path)?,
        };
        // The name is on disk with its folder.
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => WalletError::Exists {
            path: path.to_owned(),
        },
        _ => WalletError::Write {
            path: path.to_owned(),
            source,
        },
    })
}

fn read_bounded(file: fs::File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, MAX_BYTES), &mut bytes)?;
    Ok(bytes)
}

fn prefixed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes).ok()?;
    Some(bytes)
}
