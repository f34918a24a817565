//! Saying on chain where the miner is and what it serves.

use std::{net::SocketAddr, time::Duration};

use athanor_chain::{Neuron, ServeError};
use athanor_net::{NetHandle, PeerAddress};
use athanor_spec::NetUid;
use futures::StreamExt as _;

use crate::{MinerConfig, StartError, publish::record, store::Kept};

/// How long relays and bootstrap peers may take to tell where the miner is.
const FIND_OUT: Duration = Duration::from_secs(30);

/// Says on chain where the miner is and what it serves, as far as the chain does not know.
pub(crate) async fn announce(
    config: &MinerConfig,
    neuron: &Neuron,
    address: &PeerAddress,
    serving: &Kept,
) -> Result<(), StartError> {
    let netuid = config.spec.subnet.netuid;
    let record = record(serving.digest(), address.peer_key, &config.spec);
    if neuron
        .commitment
        .is_none_or(|(on_chain, _)| on_chain != record)
    {
        config
            .chain
            .set_commitment(&config.hotkey, netuid, &record)
            .await?;
    }
    if neuron.axon != Some(address.addr) {
        serve_axon(config, netuid, address.addr).await?;
    }
    Ok(())
}

/// Announces the address. If the last announcement is too recent for the chain, as after a restart on another port, this
/// waits until the chain takes one again: nobody would find the miner before.
async fn serve_axon(
    config: &MinerConfig,
    netuid: NetUid,
    addr: SocketAddr,
) -> Result<(), StartError> {
    let mut blocks = config.chain.blocks();
    let mut waits = false;
    loop {
        match config.chain.serve_axon(&config.hotkey, netuid, addr).await {
            Err(ServeError::TooFast { .. }) => {}
            announced => return Ok(announced.map(drop)?),
        }
        if !waits {
            tracing::info!(address = %addr, "waiting until the chain takes an address of this hotkey again");
            waits = true;
        }
        blocks.next().await.transpose()?;
    }
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

/// What the operator says, with the port that was taken where that is left open.
pub fn told(external: Option<SocketAddr>, listens: Option<SocketAddr>) -> Option<SocketAddr> {
    let listens = listens.map_or(0, |addr| addr.port());
    external.map(|told| match told.port() {
        0 => SocketAddr::new(told.ip(), listens),
        _ => told,
    })
}
