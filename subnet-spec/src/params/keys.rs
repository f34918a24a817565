//! The one table of the spec's keys: type, range, unit, meaning, reason, and whom a change pays.
//!
//! A section is declared once, by [`section!`]: the macro makes both the structure that is parsed and the rows of the table,
//! so neither can have a key that the other lacks. The commented file that `athanor-subnet new` writes, range errors, the
//! reading of a diff and the reference in the documentation are all made from these rows.

use std::sync::LazyLock;

use super::{Range, SubnetSpec};

/// One key of `subnet.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Dotted name, as in `round.asks_per_miner`.
    pub path: String,
    /// What it is.
    pub meaning: String,
    /// Unit of its value; empty for what has none.
    pub unit: &'static str,
    /// Which values it can have.
    pub range: Range,
    /// Why there is such a number, and why the shipped one is what it is.
    pub reason: &'static str,
    /// Whose pay a change moves.
    pub pay: Pay,
}

/// Whose pay a change of a key moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pay {
    /// Pay moves from one group to the other.
    Moves {
        /// Who gains when the value is raised, and loses when it is lowered.
        raised: &'static str,
        /// Who gains when it is lowered, and loses when it is raised.
        lowered: &'static str,
    },
    /// Pay moves, but not by up and down: what decides instead.
    Shifts(&'static str),
    /// It moves no pay: what it does instead.
    Nobody(&'static str),
}

/// A row as a section declares it.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) unit: &'static str,
    pub(super) range: Range,
    pub(super) reason: &'static str,
    pub(super) pay: Pay,
}

impl Row {
    fn key(&self, section: &str) -> Key {
        Key {
            path: format!("{section}.{}", self.name),
            meaning: self.meaning.trim().to_owned(),
            unit: self.unit,
            range: self.range,
            reason: self.reason,
            pay: self.pay,
        }
    }

    /// The keys of this row: of a family of items, those of the family.
    fn keys(&self, section: &str) -> Vec<Key> {
        if self.range != Range::Family {
            return vec![self.key(section)];
        }
        let family = format!("{section}.{}", self.name);
        let about = |row: &Row| {
            let key = row.key(&family);
            let task = self.meaning.trim().trim_end_matches('.');
            Key {
                meaning: format!("{} Family `{}`: {task}.", key.meaning, self.name),
                ..key
            }
        };
        super::FamilyParams::ROWS.iter().map(about).collect()
    }
}

/// Declares a section: the structure, and its rows in the table of keys, from one list of fields.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                pub $field:ident: $of:ty { $($row:tt)* }
            )*
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $(
                $(#[doc = $doc])+
                pub $field: $of,
            )*
        }

        impl $name {
            /// The rows of this section in the table of keys.
            pub(super) const ROWS: &'static [$crate::params::keys::Row] = &[
                $($crate::params::keys::row!($field, concat!($($doc),+), $($row)*),)*
            ];
        }
    };
}

/// One row of [`section!`]; that of a family of items says no more than that, as the rest is the same for all of them.
macro_rules! row {
    ($field:ident, $meaning:expr, family) => {
        $crate::params::keys::Row {
            name: stringify!($field),
            meaning: $meaning,
            unit: "",
            range: $crate::params::Range::Family,
            reason: "",
            pay: $crate::params::Pay::Nobody(""),
        }
    };
    ($field:ident, $meaning:expr, unit: $unit:expr, range: $range:expr, reason: $reason:expr, pay: $pay:expr $(,)?) => {
        $crate::params::keys::Row {
            name: stringify!($field),
            meaning: $meaning,
            unit: $unit,
            range: $range,
            reason: $reason,
            pay: $pay,
        }
    };
}
pub(super) use {row, section};

/// Every key of the spec, section by section in the order of the file.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
        SubnetSpec::SECTIONS
            .iter()
            .flat_map(|(section, rows)| rows.iter().flat_map(move |row| row.keys(section)))
            .collect()
    });
    &KEYS
}

/// The key of this dotted name.
pub fn key(path: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.path == path)
}

/// The key that is spelt most like `path`, if any is like it at all.
pub fn nearest(path: &str) -> Option<&'static Key> {
    /// Below this, names have no more in common than any two words do.
    const LEAST: f64 = 0.7;
    // People forget the section, or take another one, more often than they misspell one.
    let name = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |key: &Key| {
        let whole = strsim::jaro_winkler(&key.path, path);
        let last = strsim::damerau_levenshtein(&name(&key.path), &name(path));
        (whole, last)
    };
    let best = keys().iter().min_by(|one, other| {
        let ((whole, last), (other_whole, other_last)) = (likeness(one), likeness(other));
        last.cmp(&other_last).then(other_whole.total_cmp(&whole))
    })?;
    let (whole, last) = likeness(best);
    let typo = last <= name(path).chars().count() / 3;
    (typo || whole >= LEAST).then_some(best)
}
