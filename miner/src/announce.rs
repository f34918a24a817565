//! Saying on chain where the miner is and what it serves.

use std::{net::SocketAddr, time::Duration};

use athanor_chain::Neuron;
use athanor_net::{NetHandle, PeerAddress};
use athanor_node::axon::{Axon, told};
use athanor_spec::Commitment;

use crate::{MinerConfig, StartError, publish::record, store::Kept};

/// How long relays and bootstrap peers may take to tell where the miner is.
const FIND_OUT: Duration = Duration::from_secs(30);

/// Says on chain where the miner is and what it serves, as far as the chain does not know.
pub(crate) async fn announce(
    config: &MinerConfig,
    neuron: &Neuron,
    axon: &mut Axon,
    address: &PeerAddress,
    serving: &Kept,
) -> Result<(), StartError> {
    let netuid = config.spec.subnet.netuid;
    let record = record(serving.digest(), address.peer_key, &config.spec);
    // Of two that commit to the same tensors the earlier is paid, so a change of the spec alone is no reason to commit anew:
    // the next checkpoint's record names it.
    let same = |on_chain: Commitment| {
        Commitment {
            spec: record.spec,
            ..on_chain
        } == record
    };
    if !neuron.commitment.is_some_and(|(it, _)| same(it)) {
        config
            .chain
            .set_commitment(&config.hotkey, netuid, &record)
            .await?;
    }
    axon.announce(&config.chain, &config.hotkey, netuid, address.addr)
        .await?;
    Ok(())
}

/// The address that others reach: what the operator says, else what is known or found out. `current` is what the chain says.
pub(crate) async fn external_address(
    config: &MinerConfig,
    net: &NetHandle,
    current: Option<SocketAddr>,
) -> Result<SocketAddr, StartError> {
    if let Some(told) = told(config.external, net.local_addr()) {
        net.announce(told).await;
        return Ok(told);
    }
    let asks_others = !config.ways.relays.is_empty() || !config.ways.bootstrap.is_empty();
    let within = if asks_others {
        FIND_OUT
    } else {
        Duration::ZERO
    };
    let found = net.whereabouts().wait(current, within).await;
    found.ok_or(StartError::NoExternalAddress)
}
