//! `subnet.toml`: every number and choice of the mechanism, with unit, range and reason.
//!
//! [`keys`] is the one table of what there is. Unknown keys are errors, so a misspelt key can never be silently ignored,
//! and every error names the line and the column. The digest of the parsed spec, not of the text, is what nodes compare:
//! comments and layout do not matter.

use codec::Encode;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

use crate::{Digest, PROTOCOL_VERSION, position::Position};

mod allocation;
mod audit;
mod contradictions;
mod diff;
mod grade;
mod identity;
mod keys;
mod limits;
mod range;
mod reading;
mod round;
mod service;
mod tasks;
mod writing;

pub use allocation::{AllocationParams, Curve, GoodputWorth};
pub use audit::AuditParams;
pub use diff::{Difference, diff};
pub use grade::{FunctionalCopies, GradeParams};
pub use identity::Subnet;
pub use keys::{Key, Pay, key, keys, nearest};
pub use limits::Limits;
pub use range::{Interval, Range};
pub use round::RoundParams;
pub use service::ServiceParams;
pub use tasks::{FamilyParams, TaskParams};
pub use writing::reference;

/// Everything that the participants of one subnet must agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetSpec {
    /// Identity of the subnet.
    pub subnet: Subnet,
    /// Size bounds of everything that crosses the wire.
    pub limits: Limits,
    /// What a validator asks in one round.
    pub round: RoundParams,
    /// Which procedural families are asked, and how hard they are.
    pub tasks: TaskParams,
    /// When an answer counts as not sampled from the committed checkpoint.
    pub audit: AuditParams,
    /// How an audited answer is graded.
    pub grade: GradeParams,
    /// What counts as fast enough.
    pub service: ServiceParams,
    /// How grades become weights.
    pub allocation: AllocationParams,
}

/// Why a text is no spec, and where.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{}{fault}", position.map_or_else(String::new, |at| format!("{at}: ")))]
pub struct SpecError {
    /// The line and the column; `None` for a spec that came from no text.
    pub position: Option<Position>,
    /// What is wrong.
    #[source]
    pub fault: SpecFault,
}

/// Why values are no spec.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SpecFault {
    /// Not TOML.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A key that means nothing.
    #[error("`{name}` is no key of a spec{}", nearest.map_or_else(String::new, |it| format!(", the nearest is `{it}`")))]
    Unknown {
        /// The name.
        name: String,
        /// The key that is spelt most like it.
        nearest: Option<&'static str>,
    },
    /// A key that is not there: each must be said, as a default would change with the program.
    #[error("`{}` is missing: {} ({})", key.path, key.meaning.trim_end_matches('.'), key.range)]
    Missing {
        /// The key.
        key: &'static Key,
    },
    /// A value has a type that its key never has.
    #[error("`{name}` is {expected}, and this is {found}")]
    WrongType {
        /// The key, or the table.
        name: String,
        /// What it is.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A value is out of its range.
    #[error("`{}` is {value}, but it must be {}{}", key.path, key.range, in_unit(key))]
    OutOfRange {
        /// The key.
        key: &'static Key,
        /// The value found.
        value: String,
    },
    /// Two values contradict each other.
    #[error("`{left}` and `{right}` contradict each other: {why}")]
    Contradiction {
        /// The key that is pointed at.
        left: String,
        /// The other.
        right: String,
        /// What cannot both hold.
        why: &'static str,
    },
    /// The spec is for nodes that speak another version of the protocols.
    #[error(
        "`subnet.protocol_version` is {found}, and this program speaks version {PROTOCOL_VERSION}: use the release that the \
         spec was written for"
    )]
    OtherProtocol {
        /// The version in the spec.
        found: u16,
    },
}

fn in_unit(key: &Key) -> String {
    match key.unit {
        "" => String::new(),
        unit => format!(" ({unit})"),
    }
}

impl SpecFault {
    /// The dotted name that is at fault.
    fn place(&self) -> Option<&str> {
        match self {
            Self::Syntax { .. } => None,
            Self::Unknown { name, .. } | Self::WrongType { name, .. } => Some(name),
            Self::Missing { key } | Self::OutOfRange { key, .. } => Some(&key.path),
            Self::Contradiction { left, .. } => Some(left),
            Self::OtherProtocol { .. } => Some("subnet.protocol_version"),
        }
    }
}

impl SubnetSpec {
    /// The spec that ships: the starting point of a new subnet.
    pub const DEFAULT_TOML: &'static str = include_str!("../subnet.toml");

    /// What a subnet on one machine has otherwise than the spec that ships, in the order in which it is set.
    ///
    /// Its miners share a few cores. What one of them reaches under load is then mostly what the scheduler gave it, which
    /// shall not be paid in proportion; and eight streams to each at once are more than the cores draw in time. The asks that
    /// this leaves carry shared prompts, so that the teacher, on the same cores, reads fewer. The
    /// reference is what each of nine miners gets of such cores.
    const LOCAL: &'static [(&'static str, &'static str)] = &[
        ("allocation.goodput", "concave"),
        ("service.load_streams", "2"),
        ("service.goodput_tokens_per_second", "2.0"),
        ("round.shared_share", "0.5"),
    ];

    /// The sections in the order of the file.
    const SECTIONS: &'static [(&'static str, &'static [keys::Row])] = &[
        ("subnet", Subnet::ROWS),
        ("limits", Limits::ROWS),
        ("round", RoundParams::ROWS),
        ("tasks", TaskParams::ROWS),
        ("audit", AuditParams::ROWS),
        ("grade", GradeParams::ROWS),
        ("service", ServiceParams::ROWS),
        ("allocation", AllocationParams::ROWS),
    ];

    /// Parses and checks a spec.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        reading::read(text)
    }

    /// The spec of [`Self::DEFAULT_TOML`].
    pub fn shipped() -> Self {
        match Self::from_toml(Self::DEFAULT_TOML) {
            Ok(spec) => spec,
            Err(error) => unreachable!("the spec that ships with this crate is invalid: {error}"),
        }
    }

    /// The spec of a subnet on one machine: the one that ships, less what needs a machine for each miner.
    pub fn local() -> Self {
        let own = |spec: Self, (path, value): &(&str, &str)| match spec.with(path, value) {
            Ok(spec) => spec,
            Err(error) => unreachable!("the local spec is invalid: {error}"),
        };
        Self::LOCAL.iter().fold(Self::shipped(), own)
    }

    /// What nodes compare and commit to: blake3 over the SCALE encoding of the compact TOML of the parsed values.
    ///
    /// It is canonical: the compact TOML has every key, in the order of the table, each value in the one way in which the
    /// encoder writes it, and nothing else.
    pub fn digest(&self) -> Digest {
        Digest::of(&("athanor/spec", self.to_toml()).encode())
    }

    /// The compact TOML of the parsed values: the spec as it is sent to others, without the file's comments.
    pub fn to_toml(&self) -> String {
        // Every field is a TOML value, so this cannot fail.
        toml::to_string(self).unwrap_or_default()
    }

    /// The spec as a file for people: every key with meaning, unit, range and reason.
    pub fn to_commented_toml(&self) -> String {
        writing::commented(self)
    }

    /// The value of a key, by its dotted name; a text without quotes.
    pub fn value(&self, path: &str) -> Option<Value> {
        reading::at(&self.table(), path).cloned()
    }

    /// This spec with another value for one key, in TOML; a text may do without quotes. The whole is checked as from a file.
    pub fn with(&self, path: &str, value: &str) -> Result<Self, SpecFault> {
        if key(path).is_none() {
            return Err(SpecFault::Unknown {
                name: path.to_owned(),
                nearest: nearest(path).map(|key| key.path.as_str()),
            });
        }
        let parsed = toml::from_str::<Table>(&format!("value = {value}"))
            .ok()
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("value"));
        // A word without quotes is no TOML; of a key that is no text, its type is then what is wrong.
        let value = parsed.unwrap_or_else(|| Value::from(value));
        let mut table = self.table();
        reading::put(&mut table, path, value);
        reading::of_table(table)
    }

    fn table(&self) -> Table {
        // Every field is a TOML value, so this cannot fail.
        Table::try_from(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
