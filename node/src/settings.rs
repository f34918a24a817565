//! What a daemon was told, and by what: flag, environment, file or default, and the first of them wins.
//!
//! The command line is the one list of what can be said. A configuration file says the same in TOML: the keys are the
//! flags without their dashes, so `[axon] port = 8091` is `--axon.port 8091`. Every setting of `run` can be in the
//! environment too, under the name that Bittensor gives it (`BT_AXON_PORT`) or, where it has none, under `ATHANOR_` and the
//! key (`ATHANOR_DISTILL_DUTY`). A file `.env` in the working directory adds variables that are not set.
//!
//! A file's values become the defaults of the command line before it is parsed, so one parser judges all of them and
//! `--help` shows what holds.

mod command;
mod dotenv;
mod example;
mod file;
mod sheet;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, Args, Parser, ValueEnum};
use thiserror::Error;

pub use example::{ExampleError, check_example};
use file::{Bound, ConfigFile};
use sheet::Sheet;
pub use sheet::{Changed, Source};

/// Where the settings come from, and whether to show them.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigArgs {
    /// File of settings, in TOML; a flag or the environment wins over it [default: ~/.athanor/DAEMON.toml, if it is there]
    #[arg(long, global = true, display_order = 1000, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every setting with where it comes from, as a file for --config or as JSON, and end
    #[arg(
        long = "dump-config",
        global = true,
        display_order = 1000,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "toml"
    )]
    pub dump_config: Option<DumpFormat>,
}

/// How settings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DumpFormat {
    /// As a configuration file
    Toml,
    /// As one JSON object
    Json,
}

/// A place in a configuration file, lines and columns from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// Why settings are not taken.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The command line, or the environment, is wrong.
    #[error("{}; {}", athanor_cli::sentence(.0), athanor_cli::HINT)]
    CommandLine(#[source] clap::Error),
    /// The file cannot be read.
    #[error("cannot read the settings in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is no settings at all.
    #[error("{} is longer than any settings: is it the file that --config was meant to name?", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// The file has a key that means nothing.
    #[error("{place}: `{key}` is no setting{}; `run --help` lists all", nearest.as_ref().map_or(String::new(), |name| format!(", the nearest is `{name}`")))]
    Unknown {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// The setting that is spelt most like it.
        nearest: Option<String>,
    },
    /// One setting has two values, perhaps in two spellings.
    #[error("{place}: `{key}` was set already, at {first}: keep one of them")]
    Twice {
        /// Where.
        place: Place,
        /// The setting.
        key: String,
        /// Where it was set first.
        first: Place,
    },
    /// The value has a type that the setting never has.
    #[error("{place}: `{key}` is {expected}, and this is {found}")]
    WrongType {
        /// Where.
        place: Place,
        /// The setting.
        key: String,
        /// What it is.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// The value is not one of the setting's.
    #[error("{place}: {reason}")]
    Invalid {
        /// Where.
        place: Place,
        /// What the command line would say of it.
        reason: String,
    },
    /// The value does not go with the other settings.
    #[error("{place}: `{key}` does not go with the other settings: {reason}")]
    Contradiction {
        /// Where.
        place: Place,
        /// The setting.
        key: String,
        /// What the command line would say of it.
        reason: String,
    },
    /// The file `.env` cannot be used.
    #[error("cannot use the variables in {}: {source}", path.display())]
    DotEnv {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: dotenvy::Error,
    },
}

/// The arguments of a daemon, with where each came from.
pub struct Settings<A> {
    arguments: A,
    sheet: Sheet,
    dump: Option<DumpFormat>,
    origin: Origin,
}

/// What was read, to read it again.
#[derive(Clone)]
struct Origin {
    /// The command line, the program's name first.
    words: Vec<OsString>,
    /// The file that is read if none was named.
    usual: Option<PathBuf>,
    /// Variables that `.env` added.
    dotenv: BTreeSet<String>,
}

impl<A: Parser> Settings<A> {
    /// Reads the process's command line, environment and configuration file, `~/.athanor/NAME` if none was named. To be
    /// called before the process has a second thread, for it adds the variables of `.env` to the environment.
    ///
    /// `--help` and `--version` are shown, and end the process.
    pub fn load(name: &str) -> Result<Self, SettingsError> {
        let origin = Origin {
            words: std::env::args_os().collect(),
            usual: std::env::home_dir().map(|home| home.join(".athanor").join(name)),
            dotenv: dotenv::adopt(Path::new(".env"))?,
        };
        origin.load().inspect_err(|error| match error {
            SettingsError::CommandLine(asked) if !asked.use_stderr() => asked.exit(),
            _ => {}
        })
    }

    /// Reads these words, the program's name first, and the file that they name.
    pub fn of<W: Into<OsString>>(
        words: impl IntoIterator<Item = W>,
    ) -> Result<Self, SettingsError> {
        let origin = Origin {
            words: words.into_iter().map(Into::into).collect(),
            usual: None,
            dotenv: BTreeSet::new(),
        };
        origin.load()
    }

    /// What was told.
    pub fn arguments(&self) -> &A {
        &self.arguments
    }

    /// Reads the configuration file again, beside the same command line and environment, and says what is different. What
    /// cannot be taken changes nothing.
    pub fn reload(&mut self) -> Result<Vec<Changed>, SettingsError> {
        let fresh: Self = self.origin.clone().load()?;
        let changed = self.sheet.changed(&fresh.sheet);
        *self = fresh;
        Ok(changed)
    }

    /// All settings, if they were asked for instead of anything else; secrets are left out.
    pub fn dump(&self) -> Option<String> {
        self.dump.map(|format| match format {
            DumpFormat::Toml => self.sheet.toml(),
            DumpFormat::Json => self.sheet.json(),
        })
    }

    /// The name of every setting that the command has.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.sheet.keys()
    }

    /// Where the value of a setting comes from; `None` if the command has no such setting.
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.sheet.source(key)
    }
}

/// The names of the settings in a group of arguments.
pub fn keys_of<G: Args>() -> BTreeSet<String> {
    let command = G::augment_args(clap::Command::new("group"));
    let names = command.get_arguments().filter_map(command::key);
    names.map(str::to_owned).collect()
}

impl Origin {
    fn load<A: Parser>(self) -> Result<Settings<A>, SettingsError> {
        let file = match named(&self.words).or_else(|| self.usual.clone().filter(|it| it.exists()))
        {
            Some(path) => ConfigFile::read(&path).map(Some),
            None => Ok(None),
        };
        let resolved = file.and_then(|file| resolve::<A>(&self.words, file.as_ref(), &self.dotenv));
        // Whoever asks for help gets it, whatever the file is like.
        let (arguments, matches, sheet) = match resolved {
            Err(error) if !matches!(error, SettingsError::CommandLine(_)) => {
                match resolve::<A>(&self.words, None, &self.dotenv) {
                    Err(SettingsError::CommandLine(help)) if !help.use_stderr() => {
                        return Err(SettingsError::CommandLine(help));
                    }
                    _ => return Err(error),
                }
            }
            resolved => resolved?,
        };
        let dump = matches.try_get_one("dump_config").ok().flatten().copied();
        Ok(Settings {
            arguments,
            sheet,
            dump,
            origin: self,
        })
    }
}

/// The file after `--config`: looked for before anything is parsed, for it has a say in the parsing.
fn named(words: &[OsString]) -> Option<PathBuf> {
    let options = || words.iter().take_while(|word| *word != "--");
    let joined = options().find_map(|word| word.to_str()?.strip_prefix("--config="));
    let apart = options().position(|word| word == "--config");
    joined
        .map(PathBuf::from)
        .or_else(|| words.get(apart? + 1).map(PathBuf::from))
}

/// One reading of everything; a function of the words, the file and the environment.
fn resolve<A: Parser>(
    words: &[OsString],
    file: Option<&ConfigFile>,
    dotenv: &BTreeSet<String>,
) -> Result<(A, ArgMatches, Sheet), SettingsError> {
    let plain = command::shaped(A::command());
    let bound = match file {
        Some(file) => file.bind(&plain)?,
        None => Bound::default(),
    };
    let mut command = bound.as_defaults(plain.clone());
    let parsed = command.try_get_matches_from_mut(words);
    let matches = parsed.map_err(|error| command_line(&command, error))?;
    let sheet = Sheet::of(&command, &matches, &bound, dotenv);
    bound.check_together(&plain, words, &sheet)?;
    let arguments = A::from_arg_matches(&matches).map_err(SettingsError::CommandLine)?;
    Ok((arguments, matches, sheet))
}

/// Says which variable a refused value came from, where it was one.
fn command_line(command: &clap::Command, error: clap::Error) -> SettingsError {
    // clap builds only what was typed, and panics where an option of another command is to be written out.
    let mut command = command.clone();
    command.build();
    match command::variable_at_fault(&command, &error) {
        Some(variable) => SettingsError::CommandLine(clap::Error::raw(
            error.kind(),
            format!(
                "{} (from the environment variable {variable})\n",
                athanor_cli::sentence(&error)
            ),
        )),
        None => SettingsError::CommandLine(error),
    }
}

#[cfg(test)]
mod tests;
