//! `ledger`: what the validator knows of the miners, for scripts and spreadsheets, and the size of the file.

use std::{io, path::Path};

use athanor_node::{SubnetArgs, WalletArgs, control::ControlError, lock};
use athanor_spec::SubnetSpec;
use clap::{Args, Subcommand};

use super::{
    CliError,
    data::{DataArgs, LEDGER},
};
use crate::{
    book::Book,
    control,
    export::{self, Row},
};

/// What to do with the ledger.
#[derive(Clone, Debug, Subcommand)]
pub enum LedgerCommand {
    /// Print one row per registration: grades with counts and bounds, evidence, faults.
    Export(ExportArgs),
    /// Give back the space that the file no longer needs, while `run` is stopped.
    Compact(CompactArgs),
}

/// Settings of `ledger export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Whose ledger.
    #[command(flatten)]
    pub place: Place,
    /// Print JSON, one object per line.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV (the default).
    #[arg(long)]
    pub csv: bool,
}

/// Settings of `ledger compact`.
#[derive(Clone, Debug, Args)]
pub struct CompactArgs {
    /// Whose ledger.
    #[command(flatten)]
    pub place: Place,
    /// Print one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where a ledger lies.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Which key.
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// Which subnet.
    #[command(flatten)]
    pub subnet: SubnetArgs,
    /// Where its data is.
    #[command(flatten)]
    pub data: DataArgs,
}

impl LedgerCommand {
    pub(super) async fn run(&self) -> Result<(), CliError> {
        match self {
            Self::Export(args) => {
                let spec = args.place.subnet.load()?;
                let dir = args.place.data.dir(&args.place.wallet, &spec)?;
                let rows = rows(&dir, &spec).await?;
                print(&rows, args.json)
            }
            Self::Compact(args) => {
                let spec = args.place.subnet.load()?;
                let dir = args.place.data.dir(&args.place.wallet, &spec)?;
                println!("{}", compact(&dir, args.json)?);
                Ok(())
            }
        }
    }
}

/// From the running validator, which has the file, or else from the file.
async fn rows(dir: &Path, spec: &SubnetSpec) -> Result<Vec<Row>, CliError> {
    match control::export(dir).await {
        Err(ControlError::NotRunning { .. }) => Ok(export::rows(&open(dir)?, spec)?),
        answer => Ok(answer?),
    }
}

/// Opens the ledger of a validator that does not run. A directory without one is refused rather than given an empty one.
pub(super) fn open(dir: &Path) -> Result<Book, CliError> {
    let path = dir.join(LEDGER);
    match path.exists() {
        true => Ok(Book::open(&path)?),
        false => Err(CliError::NoLedger { path }),
    }
}

fn print(rows: &[Row], json: bool) -> Result<(), CliError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = match json {
        true => rows.iter().try_for_each(|row| {
            serde_json::to_writer(&mut out, row)?;
            io::Write::write_all(&mut out, b"\n")
        }),
        false => export::csv(rows, &mut out),
    };
    match written.and_then(|()| io::Write::flush(&mut out)) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(CliError::Output),
    }
}

fn compact(dir: &Path, json: bool) -> Result<String, CliError> {
    let path = dir.join(LEDGER);
    // A running validator has the lock, and is named.
    let _lock = lock::directory(dir)?;
    let mut book = open(dir)?;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |it| it.len());
    let before = size(&path);
    book.compact()?;
    drop(book);
    let after = size(&path);
    Ok(match json {
        true => serde_json::json!({ "bytes_before": before, "bytes_after": after }).to_string(),
        false => format!("{}: {before} bytes before, {after} after", path.display()),
    })
}
