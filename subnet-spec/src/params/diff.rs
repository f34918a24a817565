//! What differs between two specs, and whose pay that moves.

use std::cmp::Ordering;

use serde::Serialize;
use toml::Value;

use super::{Key, Pay, SubnetSpec, keys};

/// One key that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its dotted name.
    pub key: &'static str,
    /// The value before, in TOML.
    pub before: String,
    /// The value after, in TOML.
    pub after: String,
    /// Unit of both; empty for what has none.
    pub unit: &'static str,
    /// What the key is.
    pub meaning: &'static str,
    /// Whether it goes up; `None` for what has no up and down, or goes both ways.
    pub raised: Option<bool>,
    /// Who gains by it.
    pub gains: Option<&'static str>,
    /// Who loses by it.
    pub loses: Option<&'static str>,
    /// What else is to be said: of keys that do not move pay from one group to another by up and down.
    pub note: Option<&'static str>,
}

/// The keys that differ, in the order of the file.
pub fn diff(before: &SubnetSpec, after: &SubnetSpec) -> Vec<Difference> {
    keys()
        .iter()
        .filter_map(|key| {
            let (one, other) = (before.value(&key.path)?, after.value(&key.path)?);
            (one != other).then(|| difference(key, &one, &other))
        })
        .collect()
}

fn difference(key: &'static Key, before: &Value, after: &Value) -> Difference {
    let raised = match order(before, after) {
        Some(Ordering::Less) => Some(true),
        Some(Ordering::Greater) => Some(false),
        _ => None,
    };
    let (gains, loses, note) = match (key.pay, raised) {
        (Pay::Moves { raised, lowered }, Some(true)) => (Some(raised), Some(lowered), None),
        (Pay::Moves { raised, lowered }, Some(false)) => (Some(lowered), Some(raised), None),
        (Pay::Moves { .. }, None) => (
            None,
            None,
            Some("one end goes up and the other down: simulate both to see who is paid"),
        ),
        (Pay::Shifts(note) | Pay::Nobody(note), _) => (None, None, Some(note)),
    };
    Difference {
        key: &key.path,
        before: before.to_string(),
        after: after.to_string(),
        unit: key.unit,
        meaning: &key.meaning,
        raised,
        gains,
        loses,
        note,
    }
}

/// Which of two values is larger; of spans, whose ends are. `None` where neither is.
fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => Some(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::Array(ends), Value::Array(others)) if ends.len() == 2 && others.len() == 2 => {
            let low = order(&ends[0], &others[0])?;
            let high = order(&ends[1], &others[1])?;
            match low {
                Ordering::Equal => Some(high),
                _ if high == low || high == Ordering::Equal => Some(low),
                _ => None,
            }
        }
        _ => None,
    }
}
