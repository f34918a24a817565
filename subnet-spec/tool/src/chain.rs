//! A subnet as the chain holds it.

use std::fmt::Write as _;

use athanor_chain::{Client, ConnectError, Endpoint, Metagraph, Neuron, ReadError};
use athanor_spec::NetUid;
use serde_json::{Value, json};
use thiserror::Error;

/// Why a subnet could not be shown.
#[derive(Debug, Error)]
pub(crate) enum ShowError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The subnet could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Shows the subnet at the latest finalized block.
pub(crate) async fn show(
    endpoint: &Endpoint,
    netuid: NetUid,
    as_json: bool,
) -> Result<String, ShowError> {
    let client = Client::connect(endpoint.url()).await?;
    let metagraph = client.metagraph(netuid).await?;
    Ok(if as_json {
        as_value(endpoint, &metagraph).to_string()
    } else {
        as_table(endpoint, &metagraph)
    })
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

fn as_table(endpoint: &Endpoint, metagraph: &Metagraph) -> String {
    let Metagraph {
        netuid,
        block,
        hash,
        schedule,
        neurons,
    } = metagraph;
    let mut text = format!(
        "subnet {netuid} at block {block} ({}) of {endpoint}\ntempo {}, epoch {}, last at block {}, next at block {}\n{} neurons",
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
