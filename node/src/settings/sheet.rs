//! Every setting with its value and where that comes from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use clap::{ArgMatches, Command, parser::ValueSource};
use serde_json::json;

use super::{
    Place,
    command::{self, Kind},
    file::Bound,
};

/// What is shown where a value may hold a secret.
const LEFT_OUT: &str = "left out, for it may hold a secret";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// A variable of the environment.
    Environment {
        /// Its name.
        variable: String,
        /// Whether `.env` set it.
        dotenv: bool,
    },
    /// The configuration file.
    File(Place),
    /// The program itself.
    Default,
}

impl Source {
    /// Which of the four, as scripts may match it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment { .. } => "env",
            Self::File(_) => "file",
            Self::Default => "default",
        }
    }

    fn from(&self) -> Option<String> {
        match self {
            Self::Flag | Self::Default => None,
            Self::Environment {
                variable,
                dotenv: true,
            } => Some(format!("{variable} in .env")),
            Self::Environment { variable, .. } => Some(variable.clone()),
            Self::File(place) => Some(place.to_string()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from() {
            Some(from) => write!(f, "{} {from}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

/// A setting that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its key.
    pub key: String,
    /// What it was, as on the command line; `None` if it was not set.
    pub before: Option<String>,
    /// What it is now.
    pub after: Option<String>,
}

#[derive(Debug)]
pub(super) struct Sheet(BTreeMap<String, Setting>);

#[derive(Debug)]
struct Setting {
    kind: Kind,
    value: Option<String>,
    source: Source,
}

impl Sheet {
    /// The settings of the command that was given.
    pub(super) fn of(
        command: &Command,
        matches: &ArgMatches,
        bound: &Bound,
        dotenv: &BTreeSet<String>,
    ) -> Self {
        let mut found = BTreeMap::new();
        let (mut level, mut given) = (command, matches);
        loop {
            for arg in level.get_arguments() {
                let Some(key) =
                    command::key(arg).filter(|key| command::find(command, key).is_some())
                else {
                    continue;
                };
                let id = arg.get_id().as_str();
                let value = given.try_get_raw(id).ok().flatten().map(|values| {
                    let words: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                    words.join(",")
                });
                let source = match given.value_source(id) {
                    Some(ValueSource::CommandLine) => Source::Flag,
                    Some(ValueSource::EnvVariable) => {
                        let variable = arg.get_env().unwrap_or_default().to_string_lossy();
                        Source::Environment {
                            dotenv: dotenv.contains(variable.as_ref()),
                            variable: variable.into_owned(),
                        }
                    }
                    _ => bound
                        .place(key)
                        .map_or(Source::Default, |place| Source::File(place.clone())),
                };
                let kind = Kind::of(arg);
                let setting = Setting {
                    kind,
                    value,
                    source,
                };
                found.insert(key.to_owned(), setting);
            }
            match given.subcommand() {
                Some((name, below)) => match level.find_subcommand(name) {
                    Some(command) => (level, given) = (command, below),
                    None => return Self(found),
                },
                None => return Self(found),
            }
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn source(&self, key: &str) -> Option<&Source> {
        self.0.get(key).map(|setting| &setting.source)
    }

    /// As on the command line; `None` if it is not set.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.value.as_deref()
    }

    pub(super) fn is_from_file(&self, key: &str) -> bool {
        matches!(self.source(key), Some(Source::File(_)))
    }

    /// What is different in a later reading.
    pub(super) fn changed(&self, later: &Self) -> Vec<Changed> {
        let mut changed = Vec::new();
        for (key, after) in &later.0 {
            let before = self.0.get(key);
            if before.and_then(|setting| setting.value.as_ref()) != after.value.as_ref() {
                changed.push(Changed {
                    key: key.clone(),
                    before: before.and_then(Setting::shown),
                    after: after.shown(),
                });
            }
        }
        changed
    }

    /// As a configuration file that says the same.
    pub(super) fn toml(&self) -> String {
        let mut lines = String::new();
        for (key, setting) in &self.0 {
            let key = match self.is_table_of_a_value(key) {
                true => format!("\"{key}\""),
                false => key.clone(),
            };
            let source = &setting.source;
            // Writing to a string cannot fail.
            let _ = match &setting.value {
                None => writeln!(lines, "# {key} is not set"),
                Some(value) if may_hold_secret(value) => {
                    writeln!(lines, "# {key}: {LEFT_OUT} ({source})")
                }
                Some(value) => writeln!(lines, "{key} = {}  # {source}", setting.written(value)),
            };
        }
        lines.truncate(lines.trim_end().len());
        lines
    }

    /// As `{key: {"value", "source", "from"}}`.
    pub(super) fn json(&self) -> String {
        let settings: serde_json::Map<_, _> = self
            .0
            .iter()
            .map(|(key, setting)| {
                let (source, from) = (setting.source.name(), setting.source.from());
                let value = json!({"value": setting.shown(), "source": source, "from": from});
                (key.clone(), value)
            })
            .collect();
        serde_json::Value::Object(settings).to_string()
    }

    /// `model` is a value, so in TOML `model.digest` cannot be in a table of that name.
    fn is_table_of_a_value(&self, key: &str) -> bool {
        let parents = key.match_indices('.').map(|(at, _)| &key[..at]);
        parents
            .into_iter()
            .any(|parent| self.0.contains_key(parent))
    }
}

impl Setting {
    fn shown(&self) -> Option<String> {
        self.value
            .as_ref()
            .map(|value| match may_hold_secret(value) {
                true => LEFT_OUT.to_owned(),
                false => value.clone(),
            })
    }

    fn written(&self, value: &str) -> String {
        match self.kind {
            Kind::Number => value.to_owned(),
            // A variable may say it in another way.
            Kind::Switch => match value.to_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => "true".to_owned(),
                _ => "false".to_owned(),
            },
            Kind::Text | Kind::Path | Kind::Free => toml::Value::from(value).to_string(),
        }
    }
}

/// Hosted nodes are paid for by a key in their address: a user, a path or a query.
fn may_hold_secret(value: &str) -> bool {
    value.split(',').any(|part| match part.split_once("://") {
        Some((_, rest)) => {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            rest.contains(['@', '/', '?'])
        }
        None => false,
    })
}
