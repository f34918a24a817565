//! The specs that are simulated side by side.

use athanor_spec::SubnetSpec;

use super::{SimulateArgs, SimulateError};
use crate::file;

/// A spec with a name for its column.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) label: String,
    pub(super) spec: SubnetSpec,
}

/// The spec, the one against it, and every combination of swept values of the first.
pub(super) fn of(args: &SimulateArgs) -> Result<Vec<Case>, SimulateError> {
    let read = |path: &std::path::Path| -> Result<Case, SimulateError> {
        Ok(Case {
            label: path.display().to_string(),
            spec: file::read(path)?,
        })
    };
    let base = match &args.spec {
        Some(path) => read(path)?,
        None => Case {
            label: "default spec".to_owned(),
            spec: SubnetSpec::shipped(),
        },
    };
    let mut cases = swept(&base, &args.sweep)?;
    if let Some(path) = &args.against {
        cases.extend(swept(&read(path)?, &args.sweep)?);
    }
    Ok(cases)
}

fn swept(base: &Case, sweeps: &[(String, Vec<String>)]) -> Result<Vec<Case>, SimulateError> {
    let mut cases = vec![base.clone()];
    for (number, (key, values)) in sweeps.iter().enumerate() {
        let mut next = Vec::new();
        for case in &cases {
            for value in values {
                let spec = case
                    .spec
                    .with(key, value)
                    .map_err(|source| SimulateError::Sweep {
                        key: key.clone(),
                        value: value.clone(),
                        source,
                    })?;
                let label = match (number, base.label.as_str()) {
                    (0, "default spec") => format!("{key}={value}"),
                    _ => format!("{} {key}={value}", case.label),
                };
                next.push(Case { label, spec });
            }
        }
        cases = next;
    }
    Ok(cases)
}
