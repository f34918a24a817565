//! Show the live subnet in a terminal.
//!
//! Three layers that know only the one above: [`source`] brings chain snapshots and telemetry events, [`state`] folds
//! them into what a person asks about and knows no widgets, and the private `view` turns a state into cells and
//! performs no effects. [`run`] is the loop that ties them to a terminal; [`table`] is the same state as plain text.

mod input;
pub mod report;
mod run;
pub mod source;
pub mod state;
pub mod table;
mod term;
mod view;

pub use run::{RunError, run};
pub use source::{Events, Source};
pub use state::{Snapshot, State, Update};
pub use table::{EpochRow, Role, epoch_table};
