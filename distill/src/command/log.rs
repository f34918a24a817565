//! What a training run tells: every event in `log.jsonl`, lines on standard output, and a live line on a terminal.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    path::Path,
    time::{Duration, Instant},
};

use athanor_distill::DistillEvent;
use serde_json::{Value, json};

use super::{CommandError, print};

/// How often the live line changes.
const LIVE_EVERY: Duration = Duration::from_millis(500);

/// The log of one run.
pub(crate) struct Log {
    file: File,
    /// Events go to standard output as they are.
    json: bool,
    live: Option<Live>,
}

/// The line that is written over and over.
struct Live {
    until: Option<u64>,
    /// When the count began, at which step, and the tokens since.
    began: Instant,
    first: Option<u64>,
    tokens: u64,
    /// A running mean of the loss.
    loss: f32,
    shown: Instant,
}

impl Log {
    /// Opens OUT/log.jsonl, which a resumed run goes on with.
    pub(crate) fn open(out: &Path, until: Option<u64>, json: bool) -> Result<Self, CommandError> {
        let path = out.join("log.jsonl");
        let open = || {
            std::fs::create_dir_all(out)?;
            OpenOptions::new().create(true).append(true).open(&path)
        };
        let now = Instant::now();
        let live = (!json && io::stderr().is_terminal()).then_some(Live {
            until,
            began: now,
            first: None,
            tokens: 0,
            loss: f32::NAN,
            shown: now,
        });
        Ok(Self {
            file: open().map_err(|source| CommandError::Write { path, source })?,
            json,
            live,
        })
    }

    /// Writes an event down and shows it.
    pub(crate) fn tell(&mut self, event: &DistillEvent) -> io::Result<()> {
        let object = as_json(event);
        writeln!(self.file, "{object}")?;
        if self.json {
            return print(object);
        }
        if let DistillEvent::Step(report) = event {
            if let Some(live) = &mut self.live {
                return live.step(report.step, report.loss, report.tokens);
            }
            // Every step is too much for a person.
            if !report.step.is_multiple_of(10) {
                return Ok(());
            }
        }
        if self.live.is_some() {
            // The live line makes room.
            eprint!("\r\x1b[K");
        }
        print(as_line(&object))
    }
}

impl Live {
    fn step(&mut self, step: u64, loss: f32, tokens: u64) -> io::Result<()> {
        let first = *self.first.get_or_insert(step - 1);
        self.tokens += tokens;
        self.loss = match self.loss.is_nan() {
            true => loss,
            false => 0.95 * self.loss + 0.05 * loss,
        };
        if self.shown.elapsed() < LIVE_EVERY && Some(step) != self.until {
            return Ok(());
        }
        self.shown = Instant::now();
        let seconds = self.began.elapsed().as_secs_f64();
        let left = self.until.map(|until| {
            let pace = seconds / step.saturating_sub(first).max(1) as f64;
            let left = pace * until.saturating_sub(step) as f64;
            format!("  {} left", clock(left))
        });
        write!(
            io::stderr(),
            "\r\x1b[Kstep {step}  loss {:.3}  {:.0} tokens/s{}",
            self.loss,
            self.tokens as f64 / seconds.max(1e-9),
            left.unwrap_or_default(),
        )
    }
}

/// Seconds as a person reads them.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

fn as_json(event: &DistillEvent) -> Value {
    match event {
        DistillEvent::Started {
            step,
            resumed,
            heldout_loss,
        } => {
            json!({"event": "started", "step": step, "resumed": resumed, "heldout_loss": heldout_loss})
        }
        DistillEvent::Step(report) => {
            json!({"event": "step", "step": report.step, "loss": report.loss, "tokens": report.tokens, "rollout": report.rollout})
        }
        DistillEvent::Judged {
            step,
            heldout_loss,
            e_value,
            threshold,
            examples,
        } => {
            json!({"event": "judged", "step": step, "heldout_loss": heldout_loss, "e_value": e_value, "threshold": threshold, "examples": examples})
        }
        DistillEvent::Published { step, checkpoint } => {
            json!({"event": "published", "step": step, "dir": checkpoint.dir})
        }
        DistillEvent::Stopped { step } => json!({"event": "stopped", "step": step}),
        DistillEvent::Failed { error } => json!({"event": "failed", "error": error}),
    }
}

fn as_line(object: &Value) -> String {
    let fields = object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "event");
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let event = object["event"].as_str().unwrap_or_default();
    format!("{event:<9}  {}", fields.join("  "))
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn times_read_as_clocks_do() {
        let clocks = [0.4, 59.6, 61.0, 3_725.0].map(clock);
        assert_eq!(clocks, ["0:00", "1:00", "1:01", "1:02:05"]);
    }
}
