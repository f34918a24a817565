//! The fields of a request's body, taken out one by one, so that what is left is known to be unread.

use serde_json::{Map, Value};

use super::ApiError;

/// Parameters that change nothing here, or that are for the client's own book-keeping.
const IGNORED: &[&str] = &[
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "service_tier",
    "verbosity",
];

/// Whether a value means the same as leaving its parameter out.
type IsNeutral = fn(&Value) -> bool;

/// Parameters that audits never use, with the values that mean the same as leaving them out.
const REFUSED: &[(&str, IsNeutral)] = &[
    ("top_p", |value| value.as_f64() == Some(1.0)),
    ("top_k", |value| matches!(value.as_i64(), Some(0 | -1))),
    ("min_p", is_zero),
    ("presence_penalty", is_zero),
    ("frequency_penalty", is_zero),
    ("repetition_penalty", |value| value.as_f64() == Some(1.0)),
    ("logit_bias", is_empty),
    ("best_of", |value| value.as_u64() == Some(1)),
    ("echo", |value| value == &Value::Bool(false)),
    ("suffix", |value| value.as_str() == Some("")),
    ("tools", is_empty),
    ("tool_choice", |value| {
        matches!(value.as_str(), Some("none" | "auto"))
    }),
    ("parallel_tool_calls", Value::is_boolean),
    ("functions", is_empty),
    ("function_call", |value| {
        matches!(value.as_str(), Some("none" | "auto"))
    }),
    ("response_format", |value| {
        value["type"].as_str() == Some("text")
    }),
    ("modalities", |value| {
        value
            .as_array()
            .is_some_and(|all| all.len() == 1 && all[0].as_str() == Some("text"))
    }),
    ("audio", |_| false),
    ("prediction", |_| false),
    ("reasoning_effort", |value| value.as_str() == Some("none")),
    ("web_search_options", |_| false),
];

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The fields of a request that nobody has read yet. `null` is as good as absent.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// Takes a field of any kind.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a string.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid(name, "expected a string")),
        }
    }

    /// Takes true or false.
    pub(super) fn switch(&mut self, name: &'static str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(invalid(name, "expected true or false")),
        }
    }

    /// Takes a number.
    pub(super) fn real(&mut self, name: &'static str) -> Result<Option<f64>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(invalid(name, "expected a number")),
            },
        }
    }

    /// Takes an integer, of either sign.
    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match (value.as_i64(), value.as_u64()) {
                (Some(number), _) => Ok(Some(number)),
                // Beyond what fits: as many different seeds, all the same.
                (None, Some(number)) => Ok(Some(number.cast_signed())),
                (None, None) => Err(invalid(name, "expected an integer")),
            },
        }
    }

    /// Takes an integer from `least` to `most`.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
                _ => Err(invalid(
                    name,
                    format!("expected an integer from {least} to {most}"),
                )),
            },
        }
    }

    /// Refuses what is left, by name.
    pub(super) fn nothing_else(self) -> Result<(), ApiError> {
        for (name, value) in self.0 {
            if value.is_null() || IGNORED.contains(&name.as_str()) {
                continue;
            }
            match REFUSED.iter().find(|(refused, _)| *refused == name) {
                Some((_, is_neutral)) if is_neutral(&value) => {}
                Some(_) => {
                    return Err(ApiError::Unsupported {
                        param: name,
                        instead: "leave it out".to_owned(),
                    });
                }
                None => return Err(ApiError::Unknown { param: name }),
            }
        }
        Ok(())
    }
}

/// A value that is not what a parameter takes.
pub(super) fn invalid(param: impl Into<String>, expected: impl Into<String>) -> ApiError {
    ApiError::Invalid {
        param: param.into(),
        expected: expected.into(),
    }
}
