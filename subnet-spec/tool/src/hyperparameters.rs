//! `hyperparameters`: what the chain has, what the spec needs, and setting it.

mod rules;

use std::{fmt::Write as _, path::PathBuf};

use athanor_chain::{
    Client, ConnectError, Hyperparameter, Included, OwnerError, Quote, ReadError, SubmitError,
    WalletError, wallet::KeyKind,
};
use athanor_node::{SubtensorArgs, WalletArgs, wallet::ask_password};
use athanor_spec::{NetUid, Rao};
use clap::Args;
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    file::{self, SpecFileError},
    outcome::Outcome,
};
pub(crate) use rules::{Finding, Subnet, findings};

/// Which spec, which chain, and whether to set anything.
#[derive(Args)]
pub(crate) struct HyperparametersArgs {
    /// The spec
    #[arg(default_value = "subnet.toml")]
    file: PathBuf,
    #[command(flatten)]
    subtensor: SubtensorArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Set what does not fit and the owner can set, one extrinsic each, signed by the wallet's coldkey
    #[arg(long)]
    apply: bool,
    /// With --apply: only list what would be sent, with its fees; needs no password
    #[arg(long = "dry-run", requires = "apply")]
    dry_run: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Why they were not compared, or not set.
#[derive(Debug, Error)]
pub(crate) enum HyperparametersError {
    /// The spec cannot be read.
    #[error(transparent)]
    File(#[from] SpecFileError),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The subnet cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The fee cannot be told.
    #[error(transparent)]
    Quote(#[from] SubmitError),
    /// The key cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// Somebody else owns the subnet.
    #[error(
        "{coldkey} does not own subnet {netuid}, which {owner} does: name the owner's wallet with --wallet.name"
    )]
    NotOwner {
        /// The wallet's coldkey.
        coldkey: athanor_spec::Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// Its owner.
        owner: athanor_spec::Hotkey,
    },
    /// The chain refused one of them; those before it are set.
    #[error("{name} is not set, {done} before it are: {source}")]
    Refused {
        /// Its name.
        name: &'static str,
        /// How many were set before.
        done: usize,
        /// Why.
        source: OwnerError,
    },
}

/// Compares, and sets if told to; status 1 if something does not fit in the end.
pub(crate) async fn run(args: &HyperparametersArgs) -> Result<Outcome, HyperparametersError> {
    let spec = file::read(&args.file)?;
    let netuid = spec.subnet.netuid;
    let client = Client::open(args.subtensor.endpoints.clone()).await?;
    let mut found = findings(&spec, &Subnet::read(&client, netuid).await?);
    let to_set: Vec<(&'static str, Hyperparameter)> = found
        .iter()
        .filter_map(|finding| Some((finding.name, finding.set?)))
        .collect();
    let mut quotes = Vec::new();
    let mut sent = Vec::new();
    if args.apply && !to_set.is_empty() {
        let wallet = args.wallet.wallet();
        let coldkey = wallet.address(KeyKind::Coldkey)?;
        if let Some(owner) = client.subnet_owner(netuid).await?
            && owner != coldkey
        {
            return Err(HyperparametersError::NotOwner {
                coldkey,
                netuid,
                owner,
            });
        }
        for (name, value) in &to_set {
            let quote = client
                .quote_hyperparameter(&coldkey, netuid, *value)
                .await?;
            quotes.push((*name, quote));
        }
        if !args.dry_run {
            let pair = wallet.pair(KeyKind::Coldkey, ask_password)?;
            for (name, value) in &to_set {
                let included = client
                    .set_hyperparameter(&pair, netuid, *value)
                    .await
                    .map_err(|source| HyperparametersError::Refused {
                        name,
                        done: sent.len(),
                        source,
                    })?;
                sent.push((*name, included));
            }
            found = findings(&spec, &Subnet::read(&client, netuid).await?);
        }
    }
    let well = found.iter().all(|finding| finding.fits);
    let text = match args.json {
        true => json!({
            "netuid": netuid,
            "fits": well,
            "hyperparameters": found.iter().map(as_value).collect::<Vec<_>>(),
            "extrinsics": quotes.iter().map(|(name, quote)| quoted(name, quote)).collect::<Vec<_>>(),
            "sent": sent.iter().map(|(name, it)| json!({ "name": name, "block": it.block, "extrinsic": it.extrinsic })).collect::<Vec<_>>(),
        })
        .to_string(),
        false => in_words(netuid, &found, args, &quotes, &sent),
    };
    Ok(Outcome::judged(text, well))
}

fn as_value(finding: &Finding) -> Value {
    let settable = finding.set.is_some();
    json!({ "finding": finding, "owner_can_set": settable })
}

/// What would be sent, for scripts.
pub(crate) fn quoted(what: &str, quote: &Quote) -> Value {
    json!({
        "what": what,
        "call": quote.call,
        "signer": quote.signer,
        "bytes": quote.bytes,
        "fee_rao": quote.fee,
    })
}

/// What would be sent, for people.
pub(crate) fn quote_in_words(what: &str, quote: &Quote) -> String {
    let fee = match quote.fee {
        Some(Rao(0)) => "free".to_owned(),
        Some(fee) => format!("{fee} TAO"),
        None => "the chain does not tell".to_owned(),
    };
    let Quote {
        call,
        signer,
        bytes,
        ..
    } = quote;
    format!("\n  {what}: {call}, {bytes} bytes, signed by {signer}, fee: {fee}")
}

fn in_words(
    netuid: NetUid,
    found: &[Finding],
    args: &HyperparametersArgs,
    quotes: &[(&str, Quote)],
    sent: &[(&str, Included)],
) -> String {
    let mut text = format!("subnet {netuid}: hyperparameters on chain, and what the spec needs");
    text.push_str(&table(found));
    if !args.apply && found.iter().any(|finding| finding.set.is_some()) {
        text.push_str("\n`--apply --dry-run` lists what would be sent, `--apply` sets it");
    }
    if args.dry_run {
        text.push_str("\nwould be sent:");
        match quotes {
            [] => text.push_str("\n  nothing"),
            quotes => quotes
                .iter()
                .for_each(|(name, quote)| text.push_str(&quote_in_words(name, quote))),
        }
    }
    for (name, included) in sent {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{name}: set in block {}", included.block);
    }
    text
}

/// The findings, one line each, with the reason where one does not fit.
pub(crate) fn table(found: &[Finding]) -> String {
    let mut text = String::new();
    for finding in found {
        let mark = if finding.fits { "fits" } else { "DIFFERS" };
        let Finding {
            name, chain, needs, ..
        } = finding;
        let _ = write!(text, "\n  {mark:<8}{name:<30} {chain:>8}  {needs}");
        if !finding.fits {
            let _ = write!(text, "\n          {}", finding.reason);
        }
    }
    text
}
