//! The token that somebody shows who asks: to a signer, or for events. One line in a file that nobody else may read.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use hyper::{HeaderMap, header::AUTHORIZATION};
use thiserror::Error;

/// Shorter ones can be guessed.
const MIN_CHARS: usize = 32;
const MAX_BYTES: u64 = 4096;

/// Why a token is not used.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot use the token file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the token file {} is readable by others: run `chmod 600` on it", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
    },
    /// It holds no token.
    #[error(
        "{} holds no token of at least {MIN_CHARS} letters and digits: one is made where there is no file",
        path.display()
    )]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
    /// The environment holds none.
    #[error(
        "{variable} holds no token of at least {MIN_CHARS} letters and digits, such as `openssl rand -hex 32` makes"
    )]
    NotInVariable {
        /// The variable.
        variable: &'static str,
    },
}

/// The hash of a token: comparing two takes the same time wherever the tokens differ.
#[derive(Clone, Copy)]
pub(crate) struct Token(blake3::Hash);

impl Token {
    /// Of a token's text.
    pub(crate) fn of(text: &str) -> Self {
        Self(blake3::hash(text.as_bytes()))
    }

    /// Whether a request shows this token, as `Authorization: Bearer TOKEN`.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        shown.is_some_and(|token| blake3::hash(token) == self.0)
    }
}

/// The token in a file.
pub(crate) fn read(path: &Path) -> Result<String, TokenError> {
    let told = |source| TokenError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(told)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata().map_err(told)?);
        if mode & 0o077 != 0 {
            return Err(TokenError::TooOpen {
                path: path.to_owned(),
            });
        }
    }
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, MAX_BYTES), &mut text).map_err(told)?;
    checked(&text).ok_or_else(|| TokenError::NotAToken {
        path: path.to_owned(),
    })
}

/// The token in a variable of the environment, if it is set.
pub(crate) fn in_environment(variable: &'static str) -> Result<Option<String>, TokenError> {
    match std::env::var_os(variable) {
        None => Ok(None),
        Some(value) => match value.to_str().and_then(checked) {
            Some(token) => Ok(Some(token)),
            None => Err(TokenError::NotInVariable { variable }),
        },
    }
}

/// The token that a text is, if it is one.
fn checked(text: &str) -> Option<String> {
    let token = text.trim();
    let fine = token.len() >= MIN_CHARS && token.chars().all(|c| c.is_ascii_alphanumeric());
    fine.then(|| token.to_owned())
}

/// The token in a file, which is made with a new one if it is not there.
pub(crate) fn read_or_make(path: &Path) -> Result<String, TokenError> {
    if !path.exists() {
        let make = || {
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            writeln!(file, "{}", hex::encode(rand::random::<[u8; 32]>()))?;
            file.sync_all()
        };
        make().map_err(|source| TokenError::Io {
            path: path.to_owned(),
            source,
        })?;
        tracing::info!(file = %path.display(), "a new token: copy the file to whoever has to show it");
    }
    read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(matches!(read(&path), Err(TokenError::Io { .. })));
        let made = read_or_make(&path).unwrap();
        assert_eq!(made.len(), 64);
        assert_eq!(read_or_make(&path).unwrap(), made);
        fs::write(&path, "short\n").unwrap();
        assert!(matches!(read(&path), Err(TokenError::NotAToken { .. })));
        #[cfg(unix)]
        {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            fs::set_permissions(&path, open).unwrap();
            assert!(matches!(read(&path), Err(TokenError::TooOpen { .. })));
        }
    }
}
