//! Who takes part: from a file, from a recorded metagraph, or as it ships.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use athanor_scoring::simulation::Population;

use super::{SimulateArgs, SimulateError, metagraph};

/// The population that is taken if none is named.
const DEFAULT: &str = include_str!("../../populations/default.toml");
/// Longer than any file of a population or metagraph: what is longer is not read.
const MAX_BYTES: u64 = 64 << 20;

/// Reads and checks the population that the arguments name.
pub(super) fn population(args: &SimulateArgs) -> Result<Population, SimulateError> {
    let (origin, population) = match (&args.population, &args.metagraph) {
        (Some(path), _) => (path.clone(), parsed(&read(path)?, path)?),
        (None, Some(path)) => {
            let recorded =
                metagraph::read(&read(path)?).map_err(|source| SimulateError::Metagraph {
                    path: path.clone(),
                    source,
                })?;
            (path.clone(), recorded)
        }
        (None, None) => {
            let path = PathBuf::from("populations/default.toml");
            (path.clone(), parsed(DEFAULT, &path)?)
        }
    };
    population
        .checked()
        .map_err(|source| SimulateError::Population {
            origin: origin.display().to_string(),
            source,
        })
}

fn parsed(text: &str, path: &Path) -> Result<Population, SimulateError> {
    toml::from_str(text).map_err(|source| SimulateError::Parse {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<String, SimulateError> {
    let text = || -> std::io::Result<String> {
        let mut text = String::new();
        File::open(path)?
            .take(MAX_BYTES)
            .read_to_string(&mut text)?;
        Ok(text)
    };
    text().map_err(|source| SimulateError::Read {
        path: path.to_owned(),
        source,
    })
}
