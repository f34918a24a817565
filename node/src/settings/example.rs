//! The file of settings that is handed out with a daemon, held against the daemon.

use std::{collections::BTreeSet, ffi::OsString};

use clap::Parser;
use thiserror::Error;

use super::{SettingsError, Source, file::ConfigFile, resolve, sheet::Sheet};

/// What is wrong with an example.
#[derive(Debug, Error)]
pub enum ExampleError {
    /// With everything that it shows, it is not taken.
    #[error("what it shows is not taken: {0}")]
    Refused(#[source] SettingsError),
    /// It does not show a setting.
    #[error("`{key}` is not in it")]
    Missing {
        /// The setting.
        key: String,
    },
    /// A setting cannot be said by a flag.
    #[error("the settings that it shows cannot be flags: {0}")]
    NoFlags(#[source] SettingsError),
    /// A setting means something else as a flag.
    #[error("`{key}` is something else as a flag")]
    OtherAsFlag {
        /// The setting.
        key: String,
    },
    /// As it is handed out, it changes something.
    #[error("as it is, it changes `{key}`")]
    Changes {
        /// The setting.
        key: String,
    },
}

/// Holds an example against the program that takes it: it shows every setting of `run`, what it shows is taken, each can be
/// said by a flag as well, and as it is, with its examples commented out, it changes nothing.
pub fn check_example<A: Parser>(program: &str, example: &str) -> Result<(), ExampleError> {
    let shown = read::<A>(program, &shown(example), &[]).map_err(ExampleError::Refused)?;
    for key in shown.keys() {
        if !matches!(shown.source(key), Some(Source::File(_))) {
            let key = key.to_owned();
            return Err(ExampleError::Missing { key });
        }
    }
    let flag = |key: &str| format!("--{key}={}", shown.value(key).unwrap_or_default());
    let flags: Vec<String> = shown.keys().map(flag).collect();
    let by_flag = read::<A>(program, "", &flags).map_err(ExampleError::NoFlags)?;
    for key in shown.keys() {
        let same = by_flag.value(key) == shown.value(key);
        if !same || by_flag.source(key) != Some(&Source::Flag) {
            let key = key.to_owned();
            return Err(ExampleError::OtherAsFlag { key });
        }
    }
    // What cannot be left out is commented out as well: then neither is taken.
    if let (Ok(untouched), Ok(none)) = (
        read::<A>(program, example, &[]),
        read::<A>(program, "", &[]),
    ) && let Some(changed) = none.changed(&untouched).into_iter().next()
    {
        return Err(ExampleError::Changes { key: changed.key });
    }
    Ok(())
}

fn read<A: Parser>(program: &str, text: &str, flags: &[String]) -> Result<Sheet, SettingsError> {
    let words: Vec<OsString> = [program.to_owned(), "run".to_owned()]
        .iter()
        .chain(flags)
        .map(OsString::from)
        .collect();
    let file = ConfigFile::of("the example", text);
    resolve::<A>(&words, Some(&file), &BTreeSet::new()).map(|(_, _, sheet)| sheet)
}

/// The example with every setting that it shows no longer commented out.
fn shown(example: &str) -> String {
    let lines = example.lines().map(|line| match line.strip_prefix('#') {
        Some(shown) if shown.starts_with(char::is_alphanumeric) && shown.contains(" = ") => shown,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: Verb,
    }

    #[derive(clap::Subcommand)]
    enum Verb {
        Run {
            #[arg(long = "a.one", default_value_t = 1)]
            one: u8,
            #[arg(long = "a.list", value_delimiter = ',')]
            list: Vec<String>,
        },
    }

    fn found(example: &str) -> Result<(), String> {
        let Verb::Run { one, list } = Program::parse_from(["p", "run"]).command;
        assert_eq!((one, list.len()), (1, 0));
        check_example::<Program>("p", example).map_err(|error| error.to_string())
    }

    #[test]
    fn an_example_shows_every_setting_and_changes_none() {
        assert_eq!(
            found("[a]\n# Words.\n#one = 1\n#list = [\"x\", \"y\"]"),
            Ok(())
        );
        for (wrong, why) in [
            ("[a]\n#one = 1", "`a.list` is not in it"),
            ("[a]\n#one = 300\n#list = []", "is not taken"),
            ("[a]\n#one = 1\n#list = [\"x\"]\n#two = 2", "is not taken"),
            ("[a]\none = 2\n#list = [\"x\"]", "it changes `a.one`"),
        ] {
            let error = found(wrong).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
