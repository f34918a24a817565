//! Sets a validator's weights, once per epoch, and makes sure that they are on chain.
//!
//! [`Client::set_weights`] sets them in the open. [`WeightSetter`] takes the form that the subnet demands, and with it the
//! reveals that follow some epochs later.

mod commits;
mod error;
mod hiding;
mod journal;
mod limits;
mod setter;
mod standing;
pub(crate) mod submission;

use athanor_spec::{BlockNumber, NetUid, Rao, Uid};
use sp_core::sr25519;

use crate::{Client, Included, ReadError, SubmitError, items, metagraph, signer, state::State};

pub use error::SetWeightsError;
use error::refused;
pub use journal::JournalError;
pub use limits::WeightLimits;
pub use setter::{Countdown, Progress, Tick, WeightSetter, WeightsSet};
pub use standing::Protocol;
use standing::Standing;
use submission::{Calls, Submission};

/// How often weights are signed anew after the chain moved on before it took them.
const SIGNATURES: usize = 4;

impl Client {
    /// Sets the hotkey's row of weights in the open, at most once per epoch, and reads it back from the block that
    /// includes it.
    ///
    /// The chain scales the row so that its largest weight is 65535. Whether this epoch has weights already, and the
    /// nonce that the extrinsic is signed with, come from one finalized block: an extrinsic that was sent before a crash
    /// and is included later takes that nonce, so the row cannot be set twice. Nothing is sent where the chain's state
    /// already tells that it would be refused.
    pub async fn set_weights(
        &self,
        hotkey: &sr25519::Pair,
        netuid: NetUid,
        weights: &[(Uid, u16)],
        version_key: u64,
    ) -> Result<Included, SetWeightsError> {
        let account = signer::account(hotkey);
        let sent = Sent {
            weights,
            version_key,
        };
        let mut signatures = 1;
        loop {
            let state = self.state(None).await?;
            let standing = Standing::read(&state, netuid, &account).await?;
            if standing.commit_reveal {
                return Err(SetWeightsError::CommitReveal { netuid });
            }
            match self.set_plain(&state, &standing, hotkey, &sent).await {
                Err(SetWeightsError::Submit(SubmitError::Outdated { .. }))
                    if signatures < SIGNATURES =>
                {
                    signatures += 1;
                    self.wait_past(&state).await?;
                }
                result => return result,
            }
        }
    }

    async fn set_plain(
        &self,
        state: &State,
        standing: &Standing,
        hotkey: &sr25519::Pair,
        sent: &Sent<'_>,
    ) -> Result<Included, SetWeightsError> {
        self.check(state, standing, sent).await?;
        let submission = Submission::Plain {
            weights: sent.weights.to_vec(),
            version_key: sent.version_key,
        };
        let included = self
            .send(state, standing, hotkey, &submission)
            .await
            .map_err(|error| refused(error, standing, sent))?;
        self.read_back(standing, sent.weights, included).await
    }

    /// What the chain's state tells to be refused, before anything is paid.
    async fn check(
        &self,
        state: &State,
        standing: &Standing,
        sent: &Sent<'_>,
    ) -> Result<(), SetWeightsError> {
        standing.check(sent.weights, sent.version_key)?;
        let threshold = standing.stake_threshold;
        if threshold == Rao(0) {
            return Ok(());
        }
        // Stake that counts includes what parents lend and TAO at its weight: only the chain can add that up.
        match metagraph::stake_of(state, standing.netuid, standing.uid).await? {
            Some(stake) if stake < threshold => Err(SetWeightsError::StakeTooLow {
                hotkey: standing.hotkey,
                netuid: standing.netuid,
                threshold,
            }),
            _ => Ok(()),
        }
    }

    async fn send(
        &self,
        state: &State,
        standing: &Standing,
        hotkey: &sr25519::Pair,
        submission: &Submission,
    ) -> Result<Included, SubmitError> {
        let call = submission.call(Calls::of(state), standing.netuid);
        self.submit_at(state, hotkey, standing.nonce, &call).await
    }

    /// The row on chain in the block that includes the extrinsic must be the one that was sent.
    async fn read_back(
        &self,
        standing: &Standing,
        sent: &[(Uid, u16)],
        included: Included,
    ) -> Result<Included, SetWeightsError> {
        let state = self.state_of(included.block).await?;
        match same_row(sent, &stored_row(&state, standing).await?) {
            true => Ok(included),
            false => Err(SetWeightsError::NotStored {
                block: included.block,
            }),
        }
    }

    /// The state in the finalized block at this height.
    async fn state_of(&self, block: BlockNumber) -> Result<State, ReadError> {
        let hash = self.block_hash(block).await?;
        self.state(Some(hash)).await
    }

    /// Waits until a block after that of `state` is final.
    async fn wait_past(&self, state: &State) -> Result<(), ReadError> {
        let work = async {
            while self.finalized().await?.number <= state.block().number {
                tokio::time::sleep(crate::submit::POLL).await;
            }
            Ok(())
        };
        self.rpc().within(work).await
    }
}

/// A row on its way.
struct Sent<'a> {
    weights: &'a [(Uid, u16)],
    version_key: u64,
}

async fn stored_row(state: &State, standing: &Standing) -> Result<Vec<(u16, u16)>, ReadError> {
    let mut batch = state.batch();
    let row = batch.ask(items::WEIGHTS, (standing.netuid.0, standing.uid.0))?;
    Ok(batch.send().await?.get(row)?.unwrap_or_default())
}

/// Whether the stored row is the sent one, scaled by the chain in its fixed point.
fn same_row(sent: &[(Uid, u16)], stored: &[(u16, u16)]) -> bool {
    let largest = sent
        .iter()
        .map(|(_, weight)| *weight)
        .max()
        .unwrap_or_default();
    sent.len() == stored.len()
        && sent
            .iter()
            .zip(stored)
            .all(|((uid, weight), (stored_uid, stored_weight))| {
                let scaled = match largest {
                    0 => 0,
                    largest => (u32::from(*weight) * u32::from(u16::MAX)) / u32::from(largest),
                };
                uid.0 == *stored_uid && scaled.abs_diff((*stored_weight).into()) <= 1
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_recognised_after_the_chain_has_scaled_it() {
        let sent = [(Uid(0), 10), (Uid(3), 30)];
        assert!(same_row(&sent, &[(0, 21845), (3, 65535)]));
        assert!(
            same_row(&sent, &[(0, 21844), (3, 65535)]),
            "fixed point may lose a unit"
        );
        assert!(!same_row(&sent, &[(0, 65535), (3, 21845)]));
        assert!(!same_row(&sent, &[(0, 21845)]));
        assert!(!same_row(&sent, &[(1, 21845), (3, 65535)]));
        assert!(same_row(&[(Uid(1), 0)], &[(1, 0)]));
    }
}
