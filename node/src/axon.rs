//! The address on chain, kept true.

use std::net::SocketAddr;

use athanor_chain::{BlocksError, Client, ServeError, Signer};
use athanor_spec::{BlockNumber, NetUid};
use futures::StreamExt as _;
use thiserror::Error;
use tokio::sync::watch;

/// Blocks after which an announcement that failed is tried again: the chain takes one in fifty.
const AGAIN_AFTER: u32 = 10;
/// Blocks for which an address that was found must stay what it is before it is told: a way that comes and goes would use up
/// what the chain takes.
const SETTLED: u32 = 3;

/// Why an address was not announced.
#[derive(Debug, Error)]
pub enum AnnounceError {
    /// The chain does not take it.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The chain ended while it was waited for.
    #[error(transparent)]
    Blocks(#[from] BlocksError),
}

/// What the operator says, with the port that was taken where that is left open.
pub fn told(external: Option<SocketAddr>, listens: Option<SocketAddr>) -> Option<SocketAddr> {
    let listens = listens.map_or(0, |addr| addr.port());
    external.map(|told| match told.port() {
        0 => SocketAddr::new(told.ip(), listens),
        _ => told,
    })
}

/// Keeps a hotkey's axon record what it should be: the address that the operator says, else the one that was found.
///
/// Pure but for what speaks with the chain: blocks are the only clock.
pub struct Axon {
    told: watch::Receiver<Option<SocketAddr>>,
    /// What the chain says, as far as is known.
    on_chain: Option<SocketAddr>,
    /// What was found that the chain does not say, and since when.
    found: Option<(SocketAddr, BlockNumber)>,
    not_before: BlockNumber,
}

impl Axon {
    /// The chain has this address; `told` is what the operator says from now on.
    pub fn new(on_chain: Option<SocketAddr>, told: watch::Receiver<Option<SocketAddr>>) -> Self {
        Self {
            told,
            on_chain,
            found: None,
            not_before: BlockNumber(0),
        }
    }

    /// What the chain says was read anew.
    pub fn seen(&mut self, on_chain: Option<SocketAddr>) {
        self.on_chain = on_chain;
    }

    /// What the chain says, as far as is known.
    pub fn on_chain(&self) -> Option<SocketAddr> {
        self.on_chain
    }

    /// The address to announce at this block, if any. `found` is where others reach this node, as far as it knows.
    fn due(&mut self, found: Option<SocketAddr>, block: BlockNumber) -> Option<SocketAddr> {
        let told = *self.told.borrow();
        let wanted = told.or(found).filter(|it| self.on_chain != Some(*it));
        let Some(wanted) = wanted else {
            self.found = None;
            return None;
        };
        let since = match self.found {
            Some((address, since)) if address == wanted => since,
            _ => block,
        };
        self.found = Some((wanted, since));
        let settled = told.is_some() || block.0 >= since.0.saturating_add(SETTLED);
        (settled && block >= self.not_before).then_some(wanted)
    }

    /// Announces `wanted` unless the chain has it. If the last announcement is too recent for the chain, as after a restart on
    /// another port, this waits until the chain takes one again: nobody would find the node before.
    pub async fn announce(
        &mut self,
        chain: &Client,
        hotkey: &Signer,
        netuid: NetUid,
        wanted: SocketAddr,
    ) -> Result<(), AnnounceError> {
        if self.on_chain == Some(wanted) {
            return Ok(());
        }
        let mut blocks = chain.blocks();
        let mut waits = false;
        loop {
            match self.serve(chain, hotkey, netuid, wanted).await {
                Err(ServeError::TooFast { .. }) => {}
                announced => return Ok(announced?),
            }
            if !std::mem::replace(&mut waits, true) {
                tracing::info!(address = %wanted, "waiting until the chain takes an address of this hotkey again");
            }
            blocks.next().await.transpose()?;
        }
    }

    /// Announces the address if the chain has another one.
    pub async fn keep(
        &mut self,
        chain: &Client,
        hotkey: &Signer,
        netuid: NetUid,
        found: Option<SocketAddr>,
        block: BlockNumber,
    ) {
        let Some(wanted) = self.due(found, block) else {
            return;
        };
        if let Err(error) = self.serve(chain, hotkey, netuid, wanted).await {
            self.failed(wanted, block, &error);
        }
    }

    async fn serve(
        &mut self,
        chain: &Client,
        hotkey: &Signer,
        netuid: NetUid,
        wanted: SocketAddr,
    ) -> Result<(), ServeError> {
        chain.serve_axon(hotkey, netuid, wanted).await?;
        tracing::info!(address = %wanted, "announced");
        self.on_chain = Some(wanted);
        Ok(())
    }

    fn failed(&mut self, wanted: SocketAddr, block: BlockNumber, error: &ServeError) {
        tracing::warn!(%error, address = %wanted, "the address was not announced; trying again");
        self.not_before = BlockNumber(block.0.saturating_add(AGAIN_AFTER));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn what_is_told_is_announced_at_once_and_what_is_found_once_it_stays() {
        let (told, seen) = watch::channel(None);
        let mut axon = Axon::new(Some(addr(1)), seen);
        let mut due = |found: Option<u16>, block| axon.due(found.map(addr), BlockNumber(block));
        assert_eq!(due(None, 1), None);
        assert_eq!(due(Some(1), 2), None);
        // An address that comes and goes is never told.
        for block in 3..20 {
            assert_eq!(due(Some(2 + (block % 2) as u16), block), None, "{block}");
        }
        assert_eq!(due(Some(7), 20), None);
        assert_eq!(due(Some(7), 22), None);
        assert_eq!(due(Some(7), 23), Some(addr(7)));
        told.send_replace(Some(addr(9)));
        assert_eq!(due(Some(7), 24), Some(addr(9)));
        told.send_replace(Some(addr(1)));
        assert_eq!(due(Some(7), 25), None);
    }

    #[test]
    fn after_a_failure_the_chain_is_left_alone_for_some_blocks() {
        let (_told, seen) = watch::channel(Some(addr(9)));
        let mut axon = Axon::new(None, seen);
        assert_eq!(axon.due(None, BlockNumber(5)), Some(addr(9)));
        let error = ServeError::BadAddress { address: addr(9) };
        axon.failed(addr(9), BlockNumber(5), &error);
        assert_eq!(axon.due(None, BlockNumber(14)), None);
        assert_eq!(axon.due(None, BlockNumber(15)), Some(addr(9)));
        axon.seen(Some(addr(9)));
        assert_eq!(axon.due(None, BlockNumber(16)), None);
        assert_eq!(axon.on_chain(), Some(addr(9)));
    }
}
