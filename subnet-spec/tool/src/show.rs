//! `show`: a spec with its digest, or a subnet as the chain holds it.

use std::{fmt::Write as _, path::PathBuf};

use athanor_chain::{Client, ConnectError, Endpoint, Metagraph, Neuron, Publication, ReadError};
use athanor_spec::{NetUid, SubnetSpec, params::keys};
use clap::Args;
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    file::{self, SpecFileError},
    outcome::Outcome,
};

/// What to show.
#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    what: What,
    /// Node of the chain: local, finney, test, archive, or an address (ws:// or wss://)
    #[arg(
        long = "subtensor.network",
        aliases = ["subtensor-network", "subtensor.chain_endpoint", "subtensor.chain-endpoint"],
        env = "BT_SUBTENSOR_NETWORK",
        value_name = "NETWORK",
        default_value = "local"
    )]
    network: Endpoint,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// A file, or a subnet of the chain.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The spec to show
    file: Option<PathBuf>,
    /// The subnet to show
    #[arg(long, value_name = "N")]
    netuid: Option<NetUid>,
}

/// Why nothing could be shown.
#[derive(Debug, Error)]
pub(crate) enum ShowError {
    /// The spec cannot be read.
    #[error(transparent)]
    File(#[from] SpecFileError),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The subnet could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Shows a file, or the subnet at the latest finalized block.
pub(crate) async fn run(args: &ShowArgs) -> Result<Outcome, ShowError> {
    let Some(netuid) = args.what.netuid else {
        let path = args.what.file.clone().unwrap_or_default();
        return Ok(Outcome::done(of_spec(&file::read(&path)?, args.json)));
    };
    let client = Client::connect(args.network.url()).await?;
    let metagraph = client.metagraph(netuid).await?;
    let published = client.publication(netuid, None).await?;
    Ok(Outcome::done(match args.json {
        true => {
            let mut value = as_value(&args.network, &metagraph);
            value["spec"] = json!({
                "publisher": published.publisher,
                "announcement": published.announcement.map(|(it, _)| it),
                "announced_in": published.announcement.map(|(_, block)| block),
            });
            value.to_string()
        }
        false => as_table(
            &args.network,
            &metagraph,
            &announced(&published, &metagraph),
        ),
    }))
}

/// A spec's digest, and its values under their dotted keys.
fn of_spec(spec: &SubnetSpec, as_json: bool) -> String {
    if as_json {
        return json!({ "digest": spec.digest(), "spec": spec }).to_string();
    }
    let mut lines = vec![format!("digest = {}", spec.digest())];
    for key in keys() {
        let value = spec.value(&key.path);
        let value = value.map_or_else(String::new, |value| value.to_string());
        let unit = match key.unit {
            "" => String::new(),
            unit => format!("  # {unit}"),
        };
        lines.push(format!("{} = {value}{unit}", key.path));
    }
    lines.join("\n")
}

/// Which spec holds and which is to come, in one line.
fn announced(published: &Publication, metagraph: &Metagraph) -> String {
    let Some((it, _)) = published.announcement else {
        return "no spec is published".to_owned();
    };
    let first_block = metagraph.schedule.last_epoch_block;
    let now = match it.in_force(first_block) {
        Some(digest) => format!("spec {digest} is in force"),
        None => "no spec is in force yet".to_owned(),
    };
    match it.coming(first_block) {
        Some((digest, block)) => format!("{now}; {digest} is announced for block {block}"),
        None => now,
    }
}

fn as_value(endpoint: &Endpoint, metagraph: &Metagraph) -> Value {
    let Metagraph {
        netuid,
        block,
        hash,
        schedule,
        neurons,
    } = metagraph;
    json!({
        "endpoint": endpoint.url(),
        "netuid": netuid,
        "block": block,
        "hash": hash,
        "tempo": schedule.tempo,
        "epoch": schedule.epoch,
        "last_epoch_block": schedule.last_epoch_block,
        "next_epoch_block": schedule.next_epoch_block,
        "neurons": neurons.iter().map(neuron_as_value).collect::<Vec<_>>(),
    })
}

fn neuron_as_value(neuron: &Neuron) -> Value {
    let commitment = neuron
        .commitment
        .map(|(record, block)| json!({ "block": block, "record": record }));
    json!({
        "uid": neuron.uid,
        "hotkey": neuron.hotkey,
        "coldkey": neuron.coldkey,
        "stake_rao": neuron.stake,
        "validator_permit": neuron.validator_permit,
        "active": neuron.active,
        "incentive": neuron.incentive,
        "dividends": neuron.dividends,
        "consensus": neuron.consensus,
        "validator_trust": neuron.validator_trust,
        "emission_rao": neuron.emission,
        "last_update": neuron.last_update,
        "registered_at": neuron.registered_at,
        "axon": neuron.axon,
        "commitment": commitment,
    })
}

fn as_table(endpoint: &Endpoint, metagraph: &Metagraph, announced: &str) -> String {
    let Metagraph {
        netuid,
        block,
        hash,
        schedule,
        neurons,
    } = metagraph;
    let mut text = format!(
        "subnet {netuid} at block {block} ({}) of {endpoint}\ntempo {}, epoch {}, last at block {}, next at block {}\n{announced}\n{} neurons",
        hash.short(),
        schedule.tempo,
        schedule.epoch,
        schedule.last_epoch_block,
        schedule.next_epoch_block,
        neurons.len()
    );
    if neurons.is_empty() {
        return text;
    }
    text.push_str("\n uid hotkey           stake       permit incentive dividends consensus  trust    emission  updated axon");
    for neuron in neurons {
        let hotkey = neuron.hotkey.to_ss58();
        let axon = neuron
            .axon
            .map_or_else(|| "-".to_owned(), |axon| axon.to_string());
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{:>4} {}..{} {:>11.3} {:>6} {:>9.4} {:>9.4} {:>9.4} {:>6.4} {:>11.6} {:>8} {axon}",
            neuron.uid.0,
            &hotkey[..6],
            &hotkey[hotkey.len() - 6..],
            in_tao(neuron.stake.0),
            if neuron.validator_permit { "yes" } else { "-" },
            share(neuron.incentive),
            share(neuron.dividends),
            share(neuron.consensus),
            share(neuron.validator_trust),
            in_tao(neuron.emission.0),
            neuron.last_update.0,
        );
    }
    text
}

fn share(of_65535: u16) -> f64 {
    f64::from(of_65535) / f64::from(u16::MAX)
}

/// For display only.
fn in_tao(rao: u64) -> f64 {
    rao as f64 / athanor_spec::Rao::PER_TAO as f64
}
