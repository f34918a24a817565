//! Writing a view to a file: a table as CSV, the subnet as JSON, the frame as text.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{
    report::Report,
    state::{Screen, State},
    still,
    table::Role,
    view::Look,
};

/// The view was not written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The file is there already, or cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing is known yet.
    #[error("there is nothing to write: the chain was not read yet")]
    Nothing,
}

/// Writes the view to a new file: as CSV or JSON if its name ends so, else as the text of a frame of `size`.
pub(crate) fn write(
    path: &str,
    state: &State,
    screen: &Screen,
    size: (u16, u16),
    look: &Look,
) -> Result<(), ExportError> {
    let path = Path::new(path);
    let text = match path.extension().and_then(|it| it.to_str()) {
        Some("csv") => csv(state, screen),
        Some("json") => {
            let report = Report::of(state).ok_or(ExportError::Nothing)?;
            let text = serde_json::to_string_pretty(&report);
            text.map_err(io::Error::from)
                .map_err(|source| failed(path, source))?
        }
        _ => still::frame(state, screen, size, look),
    };
    // Never over a file that is there.
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> ExportError {
    ExportError::Write {
        path: path.to_owned(),
        source,
    }
}

/// The neurons that the table shows, in its order, with everything that is known of each.
pub fn csv(state: &State, screen: &Screen) -> String {
    let mut text = "uid,role,behaviour,hotkey,coldkey,stake_rao,incentive,dividends,emission_rao,consensus,\
                    validator_trust,fidelity,correctness,service,liveliness,quality,quality_low,checkpoint,axon,\
                    last_update,registered_at,fault,evidence\n"
        .to_owned();
    for row in state.rows(screen.order, screen.filter, &screen.search) {
        let neuron = row.neuron;
        let grade = row.verdict().map(|verdict| verdict.grade);
        let axis = |read: fn(&athanor_spec::telemetry::GradeSummary) -> f64| {
            grade.map_or(String::new(), |grade| read(grade).to_string())
        };
        let share = |part: u16| (f64::from(part) / f64::from(u16::MAX)).to_string();
        let checkpoint = neuron
            .commitment
            .and_then(|(record, _)| record.checkpoint());
        let role = match row.role {
            Role::Miner => "miner",
            Role::Validator => "validator",
        };
        let cells = [
            neuron.uid.to_string(),
            role.to_owned(),
            row.label.unwrap_or_default().to_owned(),
            neuron.hotkey.to_ss58(),
            neuron.coldkey.to_ss58(),
            neuron.stake.0.to_string(),
            share(neuron.incentive),
            share(neuron.dividends),
            neuron.emission.0.to_string(),
            share(neuron.consensus),
            share(neuron.validator_trust),
            axis(|grade| grade.fidelity),
            axis(|grade| grade.correctness),
            axis(|grade| grade.service),
            axis(|grade| grade.liveliness),
            axis(|grade| grade.quality),
            axis(|grade| grade.quality_low),
            checkpoint.map_or(String::new(), |digest| digest.to_string()),
            neuron.axon.map_or(String::new(), |axon| axon.to_string()),
            neuron.last_update.to_string(),
            neuron.registered_at.to_string(),
            row.fault()
                .map_or(String::new(), |fault| fault.kind.clone()),
            row.fault()
                .map_or(String::new(), |fault| fault.evidence.clone()),
        ];
        text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        text.push('\n');
    }
    text
}

fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Filter, scene};

    #[test]
    fn a_table_is_written_as_it_is_filtered_and_never_over_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accused.csv");
        let screen = Screen {
            filter: Filter::Accused,
            ..Screen::default()
        };
        let write = || {
            write(
                path.to_str().unwrap(),
                &scene::faulty(),
                &screen,
                (80, 24),
                &Look::default(),
            )
        };
        write().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0].split(',').count(), 23);
        assert!(
            lines[1].starts_with("5,miner,copy,") && lines[1].contains(",copy,\"manifest"),
            "{text}"
        );
        assert!(write().unwrap_err().to_string().contains("cannot write"));
    }

    #[test]
    fn a_cell_with_a_comma_or_a_quote_stays_one_cell() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("plain"), "plain");
    }
}
