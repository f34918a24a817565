//! Variables in a file `.env`, as bittensor's tools read them.

use std::{collections::BTreeSet, io, path::Path};

use super::SettingsError;

/// Adds the variables of a file that are not set, and gives their names; a file that is not there adds none.
pub(super) fn adopt(path: &Path) -> Result<BTreeSet<String>, SettingsError> {
    let told = |source| SettingsError::DotEnv {
        path: path.to_owned(),
        source,
    };
    let variables = match dotenvy::from_path_iter(path) {
        Ok(variables) => variables,
        Err(dotenvy::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(BTreeSet::new());
        }
        Err(error) => return Err(told(error)),
    };
    let mut added = BTreeSet::new();
    for variable in variables {
        let (name, _) = variable.map_err(told)?;
        if std::env::var_os(&name).is_none() {
            added.insert(name);
        }
    }
    dotenvy::from_path(path).map_err(told)?;
    Ok(added)
}
