//! Show the live subnet in a terminal.
//!
//! Layers that know only the one above: [`source`] brings chain snapshots and telemetry events, or plays a recording of
//! them; [`state`] folds them into what a person asks about and knows no widgets; the private `view` turns a state into
//! cells and performs no effects; `input` says what keys and clicks mean, `term` borrows the terminal. [`run`] is the
//! loop that ties them together; [`still`] draws the same frames without a terminal, [`table`] is the same state as a
//! plain table, [`report`] as JSON.

pub mod export;
mod input;
pub mod report;
mod run;
pub mod source;
pub mod state;
pub mod still;
pub mod table;
mod term;
mod view;

pub use run::{Options, RunError, replay, run};
pub use source::{Events, Source};
pub use state::{Screen, Snapshot, State, Update, View};
pub use table::{EpochRow, Role, epoch_table};
pub use view::{Look, Theme};
