//! JSON as a template sees it: members in their order, numbers as numbers.
//!
//! Read level by level from the text, because what serde_json hands to other types depends on features that any crate
//! of a build may switch on (the order of members, numbers in their own spelling).

use std::fmt;

use minijinja::Value;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Error, value::RawValue};

/// Levels of arrays and objects that are read.
const DEPTH: usize = 64;

/// Reads a value of any kind.
pub(super) fn value(json: &RawValue) -> Result<Value, Error> {
    at_depth(json, DEPTH)
}

fn at_depth(json: &RawValue, left: usize) -> Result<Value, Error> {
    let text = json.get();
    let Some(deeper) = left.checked_sub(1) else {
        return Err(Error::custom(format_args!(
            "more than {DEPTH} levels of arrays and objects"
        )));
    };
    match text.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(text)?;
            let read = |(name, member)| Ok((name, at_depth(member, deeper)?));
            let members: Result<Vec<(String, Value)>, Error> =
                members.into_iter().map(read).collect();
            Ok(Value::from_pairs(members?))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            items
                .into_iter()
                .map(|item| at_depth(item, deeper))
                .collect()
        }
        Some(b'"') => serde_json::from_str::<String>(text).map(Value::from),
        Some(b't' | b'f') => serde_json::from_str::<bool>(text).map(Value::from),
        Some(b'n') => Ok(Value::from(())),
        _ => match serde_json::from_str::<i64>(text) {
            Ok(whole) => Ok(whole.into()),
            Err(_) => serde_json::from_str::<f64>(text).map(Value::from),
        },
    }
}

/// An object's members as they stand.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
