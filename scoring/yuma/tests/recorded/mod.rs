//! Read recorded epochs and compare them with what this crate computes.
//!
//! A directory holds gzipped JSON files of cases; a case is a run of epochs with constant parameters. Each epoch names
//! the inputs that changed and every output of the chain's own code; bonds and permits carry over from epoch to epoch.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use athanor_yuma::{Commit, LiquidAlpha, Outcome, Params, State};
use flate2::read::GzDecoder;
use serde_json::Value;

/// What computes an epoch.
pub type Epoch = fn(&Params, &State<'_>) -> Outcome;

/// Why recorded epochs cannot be compared.
#[derive(Debug)]
pub enum ReadError {
    /// The directory or a file in it cannot be opened.
    Open {
        /// What was opened.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file is not gzipped JSON.
    Parse {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: serde_json::Error,
    },
    /// A file lacks a field or has one of another type.
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
    },
    /// The directory holds no epochs.
    Empty {
        /// The directory.
        path: PathBuf,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, source } => write!(
                out,
                "cannot open {}: {source}; name a directory of recorded epochs (*.json.gz)",
                path.display()
            ),
            Self::Parse { path, source } => write!(
                out,
                "{} is not gzipped JSON: {source}; restore the file",
                path.display()
            ),
            Self::Field { path, field } => write!(
                out,
                "{} has no valid `{field}`; restore the file",
                path.display()
            ),
            Self::Empty { path } => write!(
                out,
                "{} holds no recorded epochs; name a directory with *.json.gz files",
                path.display()
            ),
        }
    }
}

/// An output that is not as recorded.
#[derive(Debug)]
pub struct Mismatch {
    /// File, case and index of the epoch.
    pub place: String,
    /// The output, and the first UID for which it differs.
    pub field: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.field)
    }
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases compared.
    pub cases: usize,
    /// Epochs compared.
    pub epochs: usize,
    /// Outputs compared, one per field and epoch.
    pub outputs: usize,
    /// Outputs that differ.
    pub mismatches: Vec<Mismatch>,
}

/// Compares every recorded epoch in a directory with what `epoch` gives.
pub fn compare_directory(directory: &Path, epoch: Epoch) -> Result<Report, ReadError> {
    let open = |source| ReadError::Open {
        path: directory.into(),
        source,
    };
    let mut files = Vec::new();
    for entry in directory.read_dir().map_err(open)? {
        let path = entry.map_err(open)?.path();
        if path.to_string_lossy().ends_with(".json.gz") {
            files.push(path);
        }
    }
    files.sort();
    let mut report = Report::default();
    for file in &files {
        compare_file(file, epoch, &mut report)?;
    }
    if report.epochs == 0 {
        return Err(ReadError::Empty {
            path: directory.into(),
        });
    }
    Ok(report)
}

fn compare_file(path: &Path, epoch: Epoch, report: &mut Report) -> Result<(), ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Open {
        path: path.into(),
        source,
    })?;
    let json: Value =
        serde_json::from_reader(BufReader::new(GzDecoder::new(file))).map_err(|source| {
            ReadError::Parse {
                path: path.into(),
                source,
            }
        })?;
    compare_cases(&json, path, epoch, report).map_err(|Invalid(field)| ReadError::Field {
        path: path.into(),
        field,
    })
}

/// The name of a field that is missing or of another type.
struct Invalid(&'static str);

fn compare_cases(
    json: &Value,
    path: &Path,
    epoch: Epoch,
    report: &mut Report,
) -> Result<(), Invalid> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    for case in list(json, "cases")? {
        let id = case["id"].as_str().ok_or(Invalid("id"))?;
        let params = params(&case["params"])?;
        let mut stored = Stored::default();
        report.cases += 1;
        for (index, step) in list(case, "epochs")?.iter().enumerate() {
            stored.change(&step["in"])?;
            let expected = outcome(&step["out"])?;
            let actual = epoch(&params, &stored.state());
            report.epochs += 1;
            compare_outcomes(&actual, &expected, |field| {
                report.outputs += 1;
                report.mismatches.extend(field.map(|field| Mismatch {
                    place: format!("{file} {id} epoch {index}"),
                    field,
                }));
            });
            stored.bonds = expected.bonds;
            stored.validator_permit = expected.validator_permit;
        }
    }
    Ok(())
}

/// Tells `each` of every output, with its name if it differs.
fn compare_outcomes(actual: &Outcome, expected: &Outcome, mut each: impl FnMut(Option<String>)) {
    macro_rules! compare {
        ($($field:ident),* $(,)?) => {$({
            let (actual, expected) = (&actual.$field, &expected.$field);
            let uid = actual.iter().zip(expected).position(|(actual, expected)| actual != expected);
            each(match uid {
                Some(uid) => Some(format!(
                    concat!(stringify!($field), "[{}] is {:?}, recorded {:?}"),
                    uid, actual[uid], expected[uid],
                )),
                None if actual.len() != expected.len() => Some(format!(
                    concat!(stringify!($field), " has {} entries, recorded {}"),
                    actual.len(), expected.len(),
                )),
                None => None,
            });
        })*};
    }
    compare!(
        active,
        stake,
        stake_weight,
        consensus,
        validator_trust,
        incentive,
        dividends,
        server_emission,
        validator_emission,
        emission,
        validator_permit,
        bonds,
    );
}

/// The state of a subnet between recorded epochs.
#[derive(Debug, Default)]
struct Stored {
    block: u64,
    last_mechanism_step_block: u64,
    epoch_index: u64,
    rao_emission: u64,
    alpha_stake: Vec<u64>,
    tao_stake: Vec<u64>,
    last_update: Vec<u64>,
    block_at_registration: Vec<u64>,
    weights: Vec<Vec<(u16, u16)>>,
    bonds: Vec<Vec<(u16, u16)>>,
    validator_permit: Vec<bool>,
    commits: Vec<Commit>,
    timelocked_commits: Vec<Commit>,
}

impl Stored {
    /// Replaces what `inputs` names.
    fn change(&mut self, inputs: &Value) -> Result<(), Invalid> {
        if !inputs.is_object() {
            return Err(Invalid("in"));
        }
        macro_rules! replace {
            ($($field:ident: $read:expr),* $(,)?) => {$(
                if inputs.get(stringify!($field)).is_some() {
                    self.$field = $read(inputs, stringify!($field))?;
                }
            )*};
        }
        replace!(
            block: number,
            last_mechanism_step_block: number,
            epoch_index: number,
            rao_emission: number,
            alpha_stake: numbers,
            tao_stake: numbers,
            last_update: numbers,
            block_at_registration: numbers,
            weights: rows,
            bonds: rows,
            validator_permit: flags,
        );
        if inputs.get("commits").is_some() {
            self.commits = commits(inputs, "commits", |[uid, epoch, block]| (uid, epoch, block))?;
        }
        if inputs.get("timelocked_commits").is_some() {
            self.timelocked_commits =
                commits(inputs, "timelocked_commits", |[epoch, uid, block]| {
                    (uid, epoch, block)
                })?;
        }
        Ok(())
    }

    fn state(&self) -> State<'_> {
        State {
            block: self.block,
            last_mechanism_step_block: self.last_mechanism_step_block,
            epoch_index: self.epoch_index,
            rao_emission: self.rao_emission,
            alpha_stake: &self.alpha_stake,
            tao_stake: &self.tao_stake,
            last_update: &self.last_update,
            block_at_registration: &self.block_at_registration,
            weights: &self.weights,
            bonds: &self.bonds,
            validator_permit: &self.validator_permit,
            commits: &self.commits,
            timelocked_commits: &self.timelocked_commits,
        }
    }
}

fn params(json: &Value) -> Result<Params, Invalid> {
    let liquid_alpha = match flag(json, "liquid_alpha")? {
        true => Some(LiquidAlpha {
            low: number(json, "alpha_low")?,
            high: number(json, "alpha_high")?,
            steepness: json["alpha_sigmoid_steepness"]
                .as_i64()
                .and_then(|steepness| steepness.try_into().ok())
                .ok_or(Invalid("alpha_sigmoid_steepness"))?,
        }),
        false => None,
    };
    Ok(Params {
        n: number(json, "n")?,
        tempo: number(json, "tempo")?,
        activity_cutoff_factor_milli: number(json, "activity_cutoff_factor_milli")?,
        kappa: number(json, "kappa")?,
        bonds_moving_average: number(json, "bonds_moving_average")?,
        bonds_penalty: number(json, "bonds_penalty")?,
        yuma3: flag(json, "yuma3")?,
        liquid_alpha,
        max_allowed_validators: number(json, "max_allowed_validators")?,
        stake_threshold: number(json, "stake_threshold")?,
        tao_weight: number(json, "tao_weight")?,
        commit_reveal: flag(json, "commit_reveal")?,
        reveal_period: number(json, "reveal_period")?,
        owner_uid: match json["owner_uid"] {
            Value::Null => None,
            _ => Some(number(json, "owner_uid")?),
        },
    })
}

fn outcome(json: &Value) -> Result<Outcome, Invalid> {
    Ok(Outcome {
        active: flags(json, "active")?,
        stake: numbers(json, "stake")?,
        stake_weight: numbers(json, "stake_weight")?,
        consensus: numbers(json, "consensus")?,
        validator_trust: numbers(json, "validator_trust")?,
        incentive: numbers(json, "incentive")?,
        dividends: numbers(json, "dividends")?,
        server_emission: numbers(json, "server_emission")?,
        validator_emission: numbers(json, "validator_emission")?,
        emission: numbers(json, "emission")?,
        validator_permit: flags(json, "validator_permit")?,
        bonds: rows(json, "bonds")?,
    })
}

fn list<'a>(json: &'a Value, field: &'static str) -> Result<&'a [Value], Invalid> {
    json[field]
        .as_array()
        .map(Vec::as_slice)
        .ok_or(Invalid(field))
}

fn integer<T: TryFrom<u64>>(json: &Value) -> Option<T> {
    json.as_u64()?.try_into().ok()
}

fn number<T: TryFrom<u64>>(json: &Value, field: &'static str) -> Result<T, Invalid> {
    integer(&json[field]).ok_or(Invalid(field))
}

fn numbers<T: TryFrom<u64>>(json: &Value, field: &'static str) -> Result<Vec<T>, Invalid> {
    let read = |item| integer(item).ok_or(Invalid(field));
    list(json, field)?.iter().map(read).collect()
}

fn boolean(json: &Value) -> Option<bool> {
    json.as_bool().or_else(|| match json.as_u64()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    })
}

fn flag(json: &Value, field: &'static str) -> Result<bool, Invalid> {
    boolean(&json[field]).ok_or(Invalid(field))
}

fn flags(json: &Value, field: &'static str) -> Result<Vec<bool>, Invalid> {
    let read = |item| boolean(item).ok_or(Invalid(field));
    list(json, field)?.iter().map(read).collect()
}

fn rows(json: &Value, field: &'static str) -> Result<Vec<Vec<(u16, u16)>>, Invalid> {
    let entry = |entry: &Value| Some((integer(entry.get(0)?)?, integer(entry.get(1)?)?));
    let row =
        |row: &Value| -> Option<Vec<(u16, u16)>> { row.as_array()?.iter().map(entry).collect() };
    list(json, field)?
        .iter()
        .map(|item| row(item).ok_or(Invalid(field)))
        .collect()
}

fn commits(
    json: &Value,
    field: &'static str,
    order: impl Fn([u64; 3]) -> (u64, u64, u64),
) -> Result<Vec<Commit>, Invalid> {
    let commit = |item: &Value| {
        let part = |index: usize| item.get(index)?.as_u64();
        let (uid, epoch, block) = order([part(0)?, part(1)?, part(2)?]);
        Some(Commit {
            uid: uid.try_into().ok()?,
            epoch,
            block,
        })
    };
    list(json, field)?
        .iter()
        .map(|item| commit(item).ok_or(Invalid(field)))
        .collect()
}
