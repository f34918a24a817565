//! What a subnet lets through as a row of weights, and which UID burns what it gets.

use athanor_spec::{Digest, NetUid, Uid};

use crate::{Client, ReadError, items};

/// The rules for a row of weights at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightLimits {
    /// Fewest UIDs in a row, zero weights included; a subnet of fewer neurons takes a row of all of them.
    pub min_allowed_weights: u16,
    /// Largest share of one UID in units of 1/65535; 65535 is no limit.
    pub max_weight_limit: u16,
    /// The UID of the subnet owner's hotkey, whose incentive the chain burns; `None` where it has none.
    pub owner: Option<Uid>,
}

impl Client {
    /// Reads the rules at a block, or at the last finalized one. Chains that do not know a rule do not have it.
    pub async fn weight_limits(
        &self,
        netuid: NetUid,
        at: Option<Digest>,
    ) -> Result<WeightLimits, ReadError> {
        let state = self.state(at).await?;
        let mut batch = state.batch();
        let min = batch.ask_known::<u16>(items::MIN_ALLOWED_WEIGHTS, (netuid.0,))?;
        let max = batch.ask_known::<u16>(items::MAX_WEIGHTS_LIMIT, (netuid.0,))?;
        let neurons = batch.ask::<u16>(items::SUBNETWORK_N, (netuid.0,))?;
        let hotkey = batch.ask_known::<[u8; 32]>(items::SUBNET_OWNER_HOTKEY, (netuid.0,))?;
        let answers = batch.send().await?;
        let neurons = answers.get(neurons)?.unwrap_or_default();
        let min_allowed_weights = answers.get_known(min)?.unwrap_or_default().min(neurons);
        let max_weight_limit = answers.get_known(max)?.unwrap_or(u16::MAX);
        let owner = match answers.get_known(hotkey)? {
            Some(hotkey) => {
                let mut batch = state.batch();
                let uid = batch.ask::<u16>(items::UIDS, (netuid.0, hotkey))?;
                batch.send().await?.get(uid)?.map(Uid)
            }
            None => None,
        };
        Ok(WeightLimits {
            min_allowed_weights,
            max_weight_limit,
            owner,
        })
    }
}
