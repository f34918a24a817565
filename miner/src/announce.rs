//! Saying on chain where the miner is and what it serves.

use std::net::SocketAddr;

use athanor_chain::{Client, Neuron, Signer};
use athanor_net::{NetHandle, PeerAddress};
use athanor_spec::{BlockNumber, NetUid};
use tokio::sync::watch;

use crate::{MinerConfig, StartError, publish::record, store::Kept};

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
        config
            .chain
            .serve_axon(&config.hotkey, netuid, address.addr)
            .await?;
    }
    Ok(())
}

/// The address that others reach, as far as it can be known.
pub(crate) fn external_address(
    config: &MinerConfig,
    net: &NetHandle,
) -> Result<SocketAddr, StartError> {
    let listen = net.local_addr().unwrap_or(config.listen);
    match config.external {
        // A port of 0 stands for the one that was taken.
        Some(external) if external.port() == 0 => Ok(SocketAddr::new(external.ip(), listen.port())),
        Some(external) => Ok(external),
        None if listen.ip().is_unspecified() => Err(StartError::NoExternalAddress { listen }),
        None => Ok(listen),
    }
}

/// Blocks after which an announcement that failed is tried again: the chain takes one in fifty.
const AGAIN_AFTER: u32 = 10;

/// The address on chain, kept true.
pub(crate) struct Axon {
    wanted: watch::Receiver<SocketAddr>,
    /// What the chain says, as far as is known.
    on_chain: Option<SocketAddr>,
    not_before: BlockNumber,
}

impl Axon {
    /// The chain has this address.
    pub(crate) fn announced(address: SocketAddr, wanted: watch::Receiver<SocketAddr>) -> Self {
        Self {
            wanted,
            on_chain: Some(address),
            not_before: BlockNumber(0),
        }
    }

    /// What the chain says was read anew.
    pub(crate) fn seen(&mut self, on_chain: Option<SocketAddr>) {
        self.on_chain = on_chain;
    }

    /// Announces the address if the chain has another one.
    pub(crate) async fn keep(
        &mut self,
        chain: &Client,
        hotkey: &Signer,
        netuid: NetUid,
        block: BlockNumber,
    ) {
        let wanted = *self.wanted.borrow();
        if self.on_chain == Some(wanted) || block < self.not_before {
            return;
        }
        match chain.serve_axon(hotkey, netuid, wanted).await {
            Ok(_) => {
                tracing::info!(address = %wanted, "announced");
                self.on_chain = Some(wanted);
            }
            Err(error) => {
                tracing::warn!(%error, address = %wanted, "the address was not announced; trying again");
                self.not_before = BlockNumber(block.0.saturating_add(AGAIN_AFTER));
            }
        }
    }
}
