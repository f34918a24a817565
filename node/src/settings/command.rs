//! The command line as a list of settings: which options are some, and what else they can be said by.

use std::any::TypeId;

use clap::{
    Arg, ArgAction, Command,
    builder::{BoolishValueParser, Resettable},
    error::{ContextKind, ContextValue},
};

/// The command whose options are the settings of a daemon.
const RUN: &str = "run";
/// Options that are about the settings and not among them.
const NO_SETTINGS: &[&str] = &["config", "dump-config", "help", "version"];

/// What the values of a setting are in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`.
    Switch,
    /// A number.
    Number,
    /// A text, and nothing else.
    Text,
    /// A path, in which `~` is the home folder.
    Path,
    /// Whatever its own parser takes, as a text or a number.
    Free,
}

impl Kind {
    pub(super) fn of(arg: &Arg) -> Self {
        let is = |id: TypeId| arg.get_value_parser().type_id() == id;
        macro_rules! is_any { ($($of:ty),*) => { $(is(TypeId::of::<$of>()))||* } }
        if is_any!(bool) {
            Self::Switch
        } else if is_any!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64) {
            Self::Number
        } else if is_any!(std::path::PathBuf) {
            Self::Path
        } else if is_any!(String) {
            Self::Text
        } else {
            Self::Free
        }
    }

    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Switch => "true or false",
            Self::Number => "a number, without quotes",
            Self::Text => "a text in quotes",
            Self::Path => "a path in quotes",
            Self::Free => "a text in quotes or a number",
        }
    }
}

/// The settings of a daemon: the options of `run`, and those of all commands.
pub(super) fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    let run = command
        .find_subcommand(RUN)
        .into_iter()
        .flat_map(Command::get_arguments);
    let own = command.get_arguments();
    own.chain(run)
        .filter(|arg| key(arg).is_some_and(|key| !NO_SETTINGS.contains(&key)))
}

/// The setting with this name, in any of its spellings.
pub(super) fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    settings(command).find(|arg| {
        key(arg) == Some(name)
            || arg
                .get_all_aliases()
                .is_some_and(|others| others.contains(&name))
    })
}

/// The name of an option, without its dashes.
pub(super) fn key(arg: &Arg) -> Option<&str> {
    arg.get_long()
}

/// Whether several values may be given.
pub(super) fn takes_several(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append) || arg.get_value_delimiter().is_some()
}

/// The command with every setting open to the environment, and every switch to `=false`, by which a flag can win over a
/// file that says true.
pub(super) fn shaped(command: Command) -> Command {
    let keys: Vec<String> = settings(&command)
        .filter_map(key)
        .map(str::to_owned)
        .collect();
    each(command, &|arg| match key(&arg) {
        Some(name) if keys.iter().any(|key| key == name) => open(arg),
        _ => arg,
    })
}

fn open(arg: Arg) -> Arg {
    let variable = variable(key(&arg).unwrap_or_default());
    let arg = match arg.get_env() {
        Some(_) => arg,
        None => arg.env(variable).hide_env_values(true),
    };
    match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_name("BOOL")
            .value_parser(BoolishValueParser::new())
            .hide_possible_values(true)
            .hide_default_value(true)
            .default_value("false")
            .default_missing_value("true"),
        _ => arg,
    }
}

fn variable(key: &str) -> String {
    let name = key.to_uppercase().replace(['.', '-'], "_");
    format!("ATHANOR_{name}")
}

/// Changes every option of a command and of all commands below it.
pub(super) fn each(command: Command, change: &dyn Fn(Arg) -> Arg) -> Command {
    command
        .mut_args(change)
        .mut_subcommands(|below| each(below, change))
}

/// The words of a command line that says one thing to `run`.
pub(super) fn alone(command: &Command, option: &str) -> [String; 3] {
    [
        command.get_name().to_owned(),
        RUN.to_owned(),
        option.to_owned(),
    ]
}

/// The command deaf to the environment.
pub(super) fn deaf(command: Command) -> Command {
    each(command, &|arg| arg.env(Resettable::Reset))
}

/// The setting that is spelt most like a word.
pub(super) fn nearest(command: &Command, word: &str) -> Option<String> {
    let words = alone(command, &format!("--{word}=x"));
    let error = command.clone().try_get_matches_from(words).err()?;
    let suggested = match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(name) => name,
        ContextValue::Strings(names) => names.first()?,
        _ => return None,
    };
    let name = suggested.strip_prefix("--")?;
    find(command, name).and_then(key).map(str::to_owned)
}

/// The environment variable that holds the value of which `error` complains.
pub(super) fn variable_at_fault(command: &Command, error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (option, value) = (
        text(ContextKind::InvalidArg)?,
        text(ContextKind::InvalidValue)?,
    );
    let arg = settings(command).find(|arg| arg.to_string() == option)?;
    let variable = arg.get_env()?;
    (std::env::var_os(variable)? == value).then(|| variable.to_string_lossy().into_owned())
}
