//! From a text to a spec, with the line and column of whatever is wrong.

use std::{collections::BTreeMap, ops::Range as Bytes};

use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::{Key, SpecError, SpecFault, SubnetSpec, contradictions, key, keys, nearest};
use crate::position::Position;

/// Where everything of a text stands, by dotted name: that of a table is where its head, or its first key, stands.
type Places = BTreeMap<String, Bytes<usize>>;

/// Reads a text: its keys are held against the table one by one, then the values against each other.
pub(super) fn read(text: &str) -> Result<SubnetSpec, SpecError> {
    let at = |place: Option<&Bytes<usize>>, fault| SpecError {
        position: place.map(|place| Position::of(text, place.start)),
        fault,
    };
    let parsed = DeTable::parse(text).map_err(|error| {
        let message = error.message().split_whitespace().collect::<Vec<_>>();
        let message = message.join(" ");
        at(error.span().as_ref(), SpecFault::Syntax { message })
    })?;
    let mut places = Places::new();
    note(parsed.get_ref(), "", &mut places);
    let table: Table = toml::from_str(text).map_err(|error| {
        let message = error.message().to_owned();
        at(error.span().as_ref(), SpecFault::Syntax { message })
    })?;
    of_table(table).map_err(|fault| {
        let place = fault.place().and_then(|name| nearest_place(&places, name));
        // What belongs into a section that is not there is missing from the whole.
        at(place.or(Some(&(0..0))), fault)
    })
}

/// Reads values that may come from anywhere.
pub(super) fn of_table(table: Table) -> Result<SubnetSpec, SpecFault> {
    walk(&table, "")?;
    for key in keys() {
        let Some(value) = at(&table, &key.path) else {
            return Err(SpecFault::Missing { key });
        };
        if !key.range.contains(value) {
            return Err(SpecFault::OutOfRange {
                key,
                value: value.to_string(),
            });
        }
    }
    let spec: SubnetSpec = Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| SpecFault::Syntax {
            message: error.message().to_owned(),
        })?;
    contradictions::check(&spec)?;
    Ok(spec)
}

/// The value of a dotted name.
pub(super) fn at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let (sections, name) = path.rsplit_once('.')?;
    let mut table = table;
    for section in sections.split('.') {
        table = table.get(section)?.as_table()?;
    }
    table.get(name)
}

/// Puts a value under a dotted name that has one already.
pub(super) fn put(table: &mut Table, path: &str, value: Value) -> Option<()> {
    let (sections, name) = path.rsplit_once('.')?;
    let mut table = table;
    for section in sections.split('.') {
        table = table.get_mut(section)?.as_table_mut()?;
    }
    *table.get_mut(name)? = value;
    Some(())
}

/// Whether there are keys below this name.
fn is_section(name: &str) -> bool {
    keys().iter().any(|key| {
        key.path
            .strip_prefix(name)
            .is_some_and(|it| it.starts_with('.'))
    })
}

/// Refuses names that mean nothing, and values of another type than their key's.
fn walk(table: &Table, prefix: &str) -> Result<(), SpecFault> {
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match (value, key(&name)) {
            (value, Some(key)) if key.range.is_of_type(value) => {}
            (value, Some(key)) => {
                return Err(SpecFault::WrongType {
                    name,
                    expected: key.range.told(),
                    found: value.type_str(),
                });
            }
            (Value::Table(below), None) if is_section(&name) => {
                walk(below, &format!("{name}."))?;
            }
            (value, None) if is_section(&name) => {
                return Err(SpecFault::WrongType {
                    name,
                    expected: "a table",
                    found: value.type_str(),
                });
            }
            (_, None) => {
                return Err(SpecFault::Unknown {
                    nearest: nearest(&name).map(|key: &Key| key.path.as_str()),
                    name,
                });
            }
        }
    }
    Ok(())
}

fn note(table: &DeTable<'_>, prefix: &str, places: &mut Places) {
    for (name, value) in table {
        let path = format!("{prefix}{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(below) => {
                places.insert(path.clone(), name.span());
                note(below, &format!("{path}."), places);
            }
            _ => {
                // An unknown key is at fault itself; of a known one, the value is.
                let place = match key(&path) {
                    Some(_) => value.span(),
                    None => name.span(),
                };
                places.insert(path, place);
            }
        }
    }
}

/// Where a name stands, or else the table that it should stand in.
fn nearest_place<'a>(places: &'a Places, name: &str) -> Option<&'a Bytes<usize>> {
    places.get(name).or_else(|| {
        let (table, _) = name.rsplit_once('.')?;
        nearest_place(places, table)
    })
}
