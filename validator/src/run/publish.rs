//! After a round: its root goes on chain, its transcript on the shelf.

use athanor_chain::{CommitError, Signer};
use athanor_spec::{BlockNumber, Commitment, Digest};

use super::Loop;

impl Loop {
    /// Commits to the root of the closed round. What fails is tried again with the next
    /// block; a later root anchors an earlier one, so a round whose root never came on chain is not lost.
    pub(super) async fn publish(&mut self) {
        let Some((round, root)) = self
            .round
            .as_ref()
            .filter(|active| !active.published)
            .and_then(|active| Some((active.round, active.closed.as_ref()?.root)))
        else {
            return;
        };
        let published = match self.config.submission.is_dry() {
            true => true,
            false => self.commit_to(root).await,
        };
        if published {
            tracing::debug!(%round, %root, "published");
        }
        if let Some(active) = self.round.as_mut() {
            active.published = published;
        }
    }

    /// Whether nothing more is to be done about this root.
    async fn commit_to(&self, root: Digest) -> bool {
        let record = Commitment {
            // A validator serves no checkpoint: one of an earlier life as a miner would have it asked.
            checkpoint: Digest::default(),
            peer_key: self.peer_key,
            transcript_root: root,
            spec: self.config.spec.digest(),
        };
        let netuid = self.config.netuid();
        match self.chain.metagraph(netuid).await {
            Ok(metagraph) => {
                let neuron = metagraph.by_hotkey(&self.signer.hotkey());
                let on_chain = neuron.and_then(|neuron| neuron.commitment);
                if on_chain.is_some_and(|(on_chain, _)| on_chain == record) {
                    return true;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read what is committed; trying again with the next block");
                return false;
            }
        }
        let hotkey = self.config.hotkey.clone();
        match self.chain.set_commitment(hotkey, netuid, &record).await {
            Ok(included) => {
                tracing::info!(%root, block = %included.block, "committed to the round's transcript");
                true
            }
            Err(error @ (CommitError::NoSpace { .. } | CommitError::NotRegistered { .. })) => {
                tracing::warn!(%error, "the root of this round's transcript is not on chain; the next one will anchor it");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the root of the transcript is not on chain; trying again with the next block");
                false
            }
        }
    }

    /// Puts what was closed on the shelf.
    pub(super) async fn restock(&self) {
        let (shelf, book) = (self.shelf.clone(), self.book.clone());
        match tokio::task::spawn_blocking(move || shelf.restock(&book)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a transcript is not served"),
            Err(error) => tracing::error!(%error, "a transcript is not served"),
        }
    }

    /// Says on chain where transcripts are served, as far as it is known and the chain does not say so.
    pub(super) async fn keep_axon(&mut self, block: BlockNumber) {
        if self.config.submission.is_dry() {
            return;
        }
        let hotkey = Signer::from(self.config.hotkey.clone());
        let found = self.whereabouts.now(self.axon.on_chain());
        self.axon
            .keep(&self.chain, &hotkey, self.config.netuid(), found, block)
            .await;
    }
}
