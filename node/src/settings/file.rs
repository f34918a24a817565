//! A configuration file: its values, where they stand, and what of the command line they speak for.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, Read as _},
    ops::Range,
    path::{Path, PathBuf},
};

use athanor_spec::position::Position;
use clap::{Arg, Command, error::ErrorKind};
use toml::de::{DeTable, DeValue};

use super::{
    Place, SettingsError,
    command::{self, Kind},
    sheet::Sheet,
};

/// Longer than any settings: what is longer is not read.
const MAX_BYTES: u64 = 1 << 20;

/// A file as it was read.
pub(super) struct ConfigFile {
    path: PathBuf,
    text: String,
}

/// What a file says of the settings, by their keys.
#[derive(Default)]
pub(super) struct Bound(BTreeMap<String, Value>);

struct Value {
    /// As on the command line.
    word: String,
    place: Place,
}

impl ConfigFile {
    /// A text that is no file's, under a name.
    pub(super) fn of(name: &str, text: &str) -> Self {
        Self {
            path: PathBuf::from(name),
            text: text.to_owned(),
        }
    }

    pub(super) fn read(path: &Path) -> Result<Self, SettingsError> {
        let path = path.to_owned();
        let read = || -> io::Result<String> {
            let mut text = String::new();
            let file = fs::File::open(&path)?;
            file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
            Ok(text)
        };
        match read() {
            Ok(text) if text.len() as u64 > MAX_BYTES => Err(SettingsError::TooLong { path }),
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(SettingsError::Read { path, source }),
        }
    }

    /// Holds every value against the setting that it is for, one by one.
    pub(super) fn bind(&self, command: &Command) -> Result<Bound, SettingsError> {
        let table = DeTable::parse(&self.text).map_err(|error| SettingsError::Syntax {
            place: self.place(error.span().unwrap_or_default()),
            message: error
                .message()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        })?;
        let mut bound = Bound::default();
        self.walk(command, "", table.get_ref(), &mut bound)?;
        bound.check_each(command)?;
        Ok(bound)
    }

    fn walk(
        &self,
        command: &Command,
        prefix: &str,
        table: &DeTable<'_>,
        bound: &mut Bound,
    ) -> Result<(), SettingsError> {
        for (name, value) in table {
            let (name, place) = (
                format!("{prefix}{}", name.get_ref()),
                self.place(name.span()),
            );
            let setting = command::find(command, &name);
            match (value.get_ref(), setting) {
                // Never a value: `model` is a setting, and `model.digest` another.
                (DeValue::Table(below), _) => {
                    self.walk(command, &format!("{name}."), below, bound)?;
                }
                (_, None) => {
                    return Err(SettingsError::Unknown {
                        nearest: command::nearest(command, &name),
                        place,
                        key: name,
                    });
                }
                (given, Some(arg)) => {
                    let key = command::key(arg).unwrap_or_default().to_owned();
                    let word = word(arg, given).map_err(|found| SettingsError::WrongType {
                        place: self.place(value.span()),
                        key: key.clone(),
                        expected: Kind::of(arg).told(),
                        found,
                    })?;
                    if let Some(Value { place: first, .. }) = bound.0.get(&key) {
                        let (first, place) = in_order(first.clone(), place);
                        return Err(SettingsError::Twice { place, key, first });
                    }
                    let place = self.place(value.span());
                    bound.0.insert(key, Value { word, place });
                }
            }
        }
        Ok(())
    }

    fn place(&self, span: Range<usize>) -> Place {
        let Position { line, column } = Position::of(&self.text, span.start);
        Place {
            path: self.path.clone(),
            line,
            column,
        }
    }
}

/// A table knows no order of its lines.
fn in_order(one: Place, other: Place) -> (Place, Place) {
    match (one.line, one.column) <= (other.line, other.column) {
        true => (one, other),
        false => (other, one),
    }
}

/// A value as it would be on the command line, or what it is if it cannot be there.
fn word(arg: &Arg, value: &DeValue<'_>) -> Result<String, &'static str> {
    let kind = Kind::of(arg);
    let found = match value {
        DeValue::Boolean(_) => "true or false",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::String(_) => "a text",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    match (value, kind) {
        (DeValue::Boolean(value), Kind::Switch) => Ok(value.to_string()),
        (DeValue::Integer(value), Kind::Number | Kind::Free) if value.radix() == 10 => {
            Ok(value.to_string())
        }
        (DeValue::Float(value), Kind::Number | Kind::Free) => Ok(value.to_string()),
        (DeValue::String(value), Kind::Path) => Ok(at_home(value)),
        (DeValue::String(value), Kind::Text | Kind::Free) => Ok(value.to_string()),
        (DeValue::Array(values), _) if command::takes_several(arg) => {
            let words: Result<Vec<_>, _> =
                values.iter().map(|it| word(arg, it.get_ref())).collect();
            Ok(words?.join(","))
        }
        _ => Err(found),
    }
}

/// No shell reads a file, so nobody else does this.
fn at_home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest).to_string_lossy().into_owned(),
        _ => path.to_owned(),
    }
}

impl Bound {
    pub(super) fn place(&self, key: &str) -> Option<&Place> {
        self.0.get(key).map(|value| &value.place)
    }

    /// The command with these values as its defaults.
    pub(super) fn as_defaults(&self, command: Command) -> Command {
        command::each(
            command,
            &|arg| match command::key(&arg).and_then(|key| self.0.get(key)) {
                Some(value) => arg.required(false).default_value(value.word.clone()),
                None => arg,
            },
        )
    }

    /// Whether each value would do on a command line by itself.
    fn check_each(&self, command: &Command) -> Result<(), SettingsError> {
        let command = command::deaf(command.clone());
        for (key, value) in &self.0 {
            let words = command::alone(&command, &format!("--{key}={}", value.word));
            let parsed = command.clone().try_get_matches_from(words);
            match parsed.map_err(|error| (error.kind(), error)) {
                // What it needs beside it may come from elsewhere.
                Ok(_) | Err((ErrorKind::MissingRequiredArgument, _)) => {}
                Err((_, error)) => {
                    return Err(SettingsError::Invalid {
                        place: value.place.clone(),
                        reason: reason(&error),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether the values do together with everything else. A default contradicts nothing, so those that count are said
    /// once more, as if by flags; the one without which all is well is at fault.
    pub(super) fn check_together(
        &self,
        command: &Command,
        words: &[OsString],
        sheet: &Sheet,
    ) -> Result<(), SettingsError> {
        let counting: Vec<(&String, &Value)> = self
            .0
            .iter()
            .filter(|(key, _)| sheet.is_from_file(key))
            .collect();
        let parse = |without: Option<&str>| {
            let said = counting
                .iter()
                .filter(|(key, _)| Some(key.as_str()) != without)
                .map(|(key, value)| OsString::from(format!("--{key}={}", value.word)));
            let words: Vec<OsString> = words.iter().cloned().chain(said).collect();
            command.clone().try_get_matches_from(words).map(drop)
        };
        if words.iter().any(|word| word == "--") {
            return Ok(());
        }
        let Err(error) = parse(None) else {
            return Ok(());
        };
        let at_fault = counting.iter().find(|(key, _)| parse(Some(key)).is_ok());
        match at_fault {
            Some((key, value)) => Err(SettingsError::Contradiction {
                place: value.place.clone(),
                key: (*key).clone(),
                reason: reason(&error),
            }),
            None => Err(SettingsError::CommandLine(error)),
        }
    }
}

/// What the parser says, without its own way to begin and to end.
fn reason(error: &clap::Error) -> String {
    let sentence = athanor_cli::sentence(error);
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence);
    sentence.to_owned()
}
