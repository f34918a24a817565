//! The spec that the owner announces, and the end of the one that this validator runs.

use athanor_chain::EpochSchedule;
use athanor_net::PeerAddress;
use athanor_node::specs;
use athanor_spec::{BlockNumber, Digest, Round, SubnetSpec, announcement::Agreement};

use super::Loop;
use crate::config::{BeginError, RunError};

impl Loop {
    /// Looks at what is announced, and ends the validator at the first block of an epoch in which another spec is in force:
    /// the rounds that began under this one are closed by it before.
    pub(super) async fn check_spec(
        &mut self,
        block: BlockNumber,
        schedule: &EpochSchedule,
        round: Round,
    ) -> Result<(), RunError> {
        self.watch.look(&self.chain, block).await;
        if let Agreement::Other { in_force, since } =
            self.watch.agreement(schedule.last_epoch_block)
        {
            match self.close_what_is_left(round).await {
                Ok(_) => {}
                // They are closed by their own spec after the restart as well.
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "the last round stays open until later");
                }
                Err(BeginError::Close(error)) => return Err(RunError::Close(error)),
                Err(error) => return Err(RunError::Begin(error)),
            }
            return Err(RunError::OtherSpec { in_force, since });
        }
        if let Some(digest) = self.watch.missing(block) {
            self.learn_spec(digest).await;
        }
        Ok(())
    }

    /// Asks peers for a spec that is announced and not held.
    async fn learn_spec(&mut self, digest: Digest) {
        let Ok(metagraph) = self.chain.metagraph(self.config.netuid()).await else {
            // Told by others who read it; the next block comes soon.
            return;
        };
        let asked: Vec<PeerAddress> = metagraph.peers().map(PeerAddress::from).collect();
        let (net, shown) = (self.net.clone(), self.network.specs());
        self.watch
            .learn(async move { net.learn_spec(&asked, digest, &shown).await });
    }

    /// The spec by which a round began, where it is held; else the one of now.
    pub(super) fn spec_of(&self, digest: &Digest) -> SubnetSpec {
        match *digest == self.config.spec.digest() {
            true => None,
            false => specs::find(&self.config.data_dir, digest),
        }
        .unwrap_or_else(|| self.config.spec.clone())
    }
}
