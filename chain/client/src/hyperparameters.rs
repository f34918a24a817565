//! The rules of a subnet as its owner has set them, and what a registration costs.

use athanor_spec::{Digest, NetUid, Rao};
use serde::{Deserialize, Serialize};

use crate::{
    Client, ReadError, items,
    state::{Ask, Batch},
};

/// A subnet's rules at one block. What a runtime does not know is `None`; units and meaning are Bittensor's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// Blocks of an epoch.
    pub tempo: u16,
    /// What a registration costs now.
    pub registration_price: Rao,
    /// Whether hotkeys may register.
    pub registration_allowed: Option<bool>,
    /// Lowest price of a registration.
    pub min_burn: Option<Rao>,
    /// Highest price of a registration.
    pub max_burn: Option<Rao>,
    /// Slots of the subnet.
    pub max_allowed_uids: Option<u16>,
    /// Blocks during which a new neuron is not replaced.
    pub immunity_period: Option<u16>,
    /// Validators with a permit.
    pub max_allowed_validators: Option<u16>,
    /// Shortest row of weights.
    pub min_allowed_weights: Option<u16>,
    /// Blocks between two rows of weights of a validator.
    pub weights_rate_limit: u64,
    /// Oldest version whose weights count.
    pub weights_version: u64,
    /// Whether weights are hidden at first.
    pub commit_reveal: bool,
    /// Epochs between commit and reveal.
    pub reveal_period: Option<u64>,
    /// Thousandths of a tempo after which a silent validator no longer counts.
    pub activity_cutoff_factor: Option<u32>,
    /// Blocks after which it no longer counts, in older runtimes.
    pub activity_cutoff: Option<u16>,
    /// Majority that makes consensus, of 65,535.
    pub kappa: Option<u16>,
    /// Weight of the past in the bonds' moving average, of 1,000,000.
    pub bonds_moving_average: Option<u64>,
    /// Penalty on bonds beyond consensus, of 65,535.
    pub bonds_penalty: Option<u16>,
    /// Whether bonds are computed as in Yuma 3.
    pub yuma3: Option<bool>,
    /// Whether alpha follows consensus.
    pub liquid_alpha: Option<bool>,
    /// Lower and upper end of liquid alpha, of 65,535.
    pub alpha_values: Option<(u16, u16)>,
    /// Steepness of the sigmoid of liquid alpha, in hundredths.
    pub alpha_steepness: Option<i16>,
}

impl Client {
    /// The rules of `netuid` in the block with this hash, or in the latest finalized block.
    pub async fn hyperparameters(
        &self,
        netuid: NetUid,
        at: Option<Digest>,
    ) -> Result<Hyperparameters, ReadError> {
        let state = self.state(at).await?;
        let mut batch = state.batch();
        let key = (netuid.0,);
        let exists = batch.ask::<bool>(items::NETWORKS_ADDED, key)?;
        let tempo = batch.ask::<u16>(items::TEMPO, key)?;
        let price = batch.ask::<u64>(items::BURN, key)?;
        let rate = batch.ask::<u64>(items::WEIGHTS_SET_RATE_LIMIT, key)?;
        let version = batch.ask::<u64>(items::WEIGHTS_VERSION_KEY, key)?;
        let hidden = batch.ask::<bool>(items::COMMIT_REVEAL_WEIGHTS_ENABLED, key)?;
        let known = Known::new(&mut batch, netuid)?;
        let answers = batch.send().await?;
        if !answers.get(exists)?.unwrap_or_default() {
            return Err(ReadError::NoSubnet { netuid });
        }
        Ok(Hyperparameters {
            tempo: answers.get(tempo)?.unwrap_or_default(),
            registration_price: Rao(answers.get(price)?.unwrap_or_default()),
            registration_allowed: answers.get_known(known.registration_allowed)?,
            min_burn: answers.get_known(known.min_burn)?.map(Rao),
            max_burn: answers.get_known(known.max_burn)?.map(Rao),
            max_allowed_uids: answers.get_known(known.max_allowed_uids)?,
            immunity_period: answers.get_known(known.immunity_period)?,
            max_allowed_validators: answers.get_known(known.max_allowed_validators)?,
            min_allowed_weights: answers.get_known(known.min_allowed_weights)?,
            weights_rate_limit: answers.get(rate)?.unwrap_or_default(),
            weights_version: answers.get(version)?.unwrap_or_default(),
            commit_reveal: answers.get(hidden)?.unwrap_or_default(),
            reveal_period: answers.get_known(known.reveal_period)?,
            activity_cutoff_factor: answers.get_known(known.activity_cutoff_factor)?,
            activity_cutoff: answers.get_known(known.activity_cutoff)?,
            kappa: answers.get_known(known.kappa)?,
            bonds_moving_average: answers.get_known(known.bonds_moving_average)?,
            bonds_penalty: answers.get_known(known.bonds_penalty)?,
            yuma3: answers.get_known(known.yuma3)?,
            liquid_alpha: answers.get_known(known.liquid_alpha)?,
            alpha_values: answers.get_known(known.alpha_values)?,
            alpha_steepness: answers.get_known(known.alpha_steepness)?,
        })
    }
}

/// Questions that only some runtimes can answer.
struct Known {
    registration_allowed: Option<Ask<bool>>,
    min_burn: Option<Ask<u64>>,
    max_burn: Option<Ask<u64>>,
    max_allowed_uids: Option<Ask<u16>>,
    immunity_period: Option<Ask<u16>>,
    max_allowed_validators: Option<Ask<u16>>,
    min_allowed_weights: Option<Ask<u16>>,
    reveal_period: Option<Ask<u64>>,
    activity_cutoff_factor: Option<Ask<u32>>,
    activity_cutoff: Option<Ask<u16>>,
    kappa: Option<Ask<u16>>,
    bonds_moving_average: Option<Ask<u64>>,
    bonds_penalty: Option<Ask<u16>>,
    yuma3: Option<Ask<bool>>,
    liquid_alpha: Option<Ask<bool>>,
    alpha_values: Option<Ask<(u16, u16)>>,
    alpha_steepness: Option<Ask<i16>>,
}

impl Known {
    fn new(batch: &mut Batch<'_>, netuid: NetUid) -> Result<Self, ReadError> {
        let key = (netuid.0,);
        Ok(Self {
            registration_allowed: batch.ask_known(items::NETWORK_REGISTRATION_ALLOWED, key)?,
            min_burn: batch.ask_known(items::MIN_BURN, key)?,
            max_burn: batch.ask_known(items::MAX_BURN, key)?,
            max_allowed_uids: batch.ask_known(items::MAX_ALLOWED_UIDS, key)?,
            immunity_period: batch.ask_known(items::IMMUNITY_PERIOD, key)?,
            max_allowed_validators: batch.ask_known(items::MAX_ALLOWED_VALIDATORS, key)?,
            min_allowed_weights: batch.ask_known(items::MIN_ALLOWED_WEIGHTS, key)?,
            reveal_period: batch.ask_known(items::REVEAL_PERIOD, key)?,
            activity_cutoff_factor: batch.ask_known(items::ACTIVITY_CUTOFF_FACTOR, key)?,
            activity_cutoff: batch.ask_known(items::ACTIVITY_CUTOFF, key)?,
            kappa: batch.ask_known(items::KAPPA, key)?,
            bonds_moving_average: batch.ask_known(items::BONDS_MOVING_AVERAGE, key)?,
            bonds_penalty: batch.ask_known(items::BONDS_PENALTY, key)?,
            yuma3: batch.ask_known(items::YUMA3_ON, key)?,
            liquid_alpha: batch.ask_known(items::LIQUID_ALPHA_ON, key)?,
            alpha_values: batch.ask_known(items::ALPHA_VALUES, key)?,
            alpha_steepness: batch.ask_known(items::ALPHA_SIGMOID_STEEPNESS, key)?,
        })
    }
}
