//! What an attacker has: its keys, the chain, models, and the time in epochs.

use std::{net::Ipv4Addr, path::PathBuf};

use athanor_chain::Client;
use athanor_miner::{
    Backend, Behaviour as Conduct, EngineSettings, Miner, MinerConfig, Upkeep, admission::Allowance,
};
use athanor_model::{
    Checkpoint, DeviceChoice,
    engine::{self, EngineConfig},
};
use athanor_net::{PeerAddress, Ways};
use athanor_node::{Feed, Metrics};
use athanor_scoring::evidence::Calibration;
use athanor_spec::{Hotkey, SubnetSpec};
use athanor_validator::{Submission, Validator, ValidatorConfig};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{AttackError, Impostor, MakeMisfit, Workshop};
use crate::{
    roster::{Key, Participant},
    subnet::REPLAY_MEMORY,
};

/// Epochs until a round has seen the models that were there from the start.
pub(super) const COPIED_AFTER: u64 = 1;

/// What an attack is played with. Clones are the same attacker.
#[derive(Clone)]
pub struct Scene {
    /// Its seats, in the order of its driver.
    pub seats: Vec<Participant>,
    /// Its seed.
    pub seed: u64,
    /// The chain.
    pub chain: Client,
    /// The rules.
    pub spec: SubnetSpec,
    /// The teacher.
    pub teacher: Checkpoint,
    /// What it would serve if it trained as honest miners do.
    pub trained: Checkpoint,
    /// What it has without training: the same cut of the teacher, with more of what training takes away.
    pub untrained: Checkpoint,
    /// The checkpoint of the best honest miner, which is committed to before any attack begins.
    pub best: Checkpoint,
    /// Where that miner is.
    pub victim: (Hotkey, PeerAddress),
    /// Its own directory.
    pub dir: PathBuf,
    /// Where models compute.
    pub device: DeviceChoice,
    /// Who is told what happens.
    pub feed: Feed,
    /// Epochs that the chain has settled since the subnet began.
    pub epoch: watch::Receiver<u64>,
    /// Cancelled when the subnet ends.
    pub stop: CancellationToken,
    /// Told once when the attack is in place.
    pub in_place: mpsc::Sender<()>,
}

impl Scene {
    /// Says that the attack is in place: whoever waits for the subnet to be complete waits for this.
    pub fn ready(&self) {
        // A second word, or one after the start, is of no interest to anybody.
        let _ = self.in_place.try_send(());
    }

    /// Starts a miner as anybody would, on the seat of that number.
    pub async fn miner(
        &self,
        seat: usize,
        model: &Checkpoint,
        behaviour: Conduct,
    ) -> Result<Miner, AttackError> {
        self.miner_with(seat, model, behaviour, EngineSettings::default())
            .await
    }

    /// [`Self::miner`] with other settings of its engine.
    pub async fn miner_with(
        &self,
        seat: usize,
        model: &Checkpoint,
        behaviour: Conduct,
        engine: EngineSettings,
    ) -> Result<Miner, AttackError> {
        let participant = &self.seats[seat];
        let config = MinerConfig {
            chain: self.chain.clone(),
            hotkey: participant.hotkey.pair.clone().into(),
            spec: self.spec.clone(),
            ways: Ways::listening((Ipv4Addr::LOCALHOST, 0)),
            external: None,
            data_dir: self.dir.join(&participant.name),
            model: model.dir.clone(),
            device: self.device,
            engine,
            allowance: Allowance::default(),
            upkeep: Upkeep::default(),
            distill: None,
            behaviour,
            feed: self.feed.clone(),
            metrics: Metrics::default(),
        };
        Ok(athanor_miner::start(config).await?)
    }

    /// Serves on the first seat until the subnet ends.
    pub async fn serve(self, model: &Checkpoint, behaviour: Conduct) -> Result<(), AttackError> {
        let miner = self.miner(0, model, behaviour).await?;
        self.ready();
        self.stay([miner]).await;
        Ok(())
    }

    /// Starts an impostor on the seat of that number.
    pub async fn impostor(&self, seat: usize, make: MakeMisfit) -> Result<Impostor, AttackError> {
        let workshop = Workshop {
            directory: &self.dir,
            honest: &self.trained,
            spec: &self.spec,
        };
        let Key { pair, seed } = self.seats[seat].hotkey.clone();
        Impostor::start(make(&workshop)?, pair, seed, &self.spec, &self.chain).await
    }

    /// Starts a validator as anybody would, on the seat of that number, with a spec of its own.
    pub async fn validator(&self, seat: usize, spec: SubnetSpec) -> Result<Validator, AttackError> {
        let participant = &self.seats[seat];
        let config = ValidatorConfig {
            endpoints: self.chain.endpoint().clone().into(),
            hotkey: participant.hotkey.pair.clone(),
            spec,
            teacher: self.teacher.dir.clone(),
            data_dir: self.dir.join(&participant.name),
            ways: Ways::listening((Ipv4Addr::LOCALHOST, 0)),
            external: None,
            submission: Submission::Chain,
            rounds: None,
            device: self.device,
            replay_memory: REPLAY_MEMORY,
            artifact_quota: None,
            calibration: Calibration::shipped(),
            feed: self.feed.clone(),
            metrics: Metrics::default(),
            gateway: None,
        };
        Ok(athanor_validator::start(config).await?)
    }

    /// Keeps miners until the subnet ends, then ends them in order.
    pub async fn stay(&self, miners: impl IntoIterator<Item = Miner>) {
        self.stop.cancelled().await;
        futures::future::join_all(miners.into_iter().map(Miner::shutdown)).await;
    }

    /// Another server of the same operator, with another model than the one that it commits to.
    pub fn engine(&self, model: &Checkpoint) -> Result<Backend, AttackError> {
        let limits = &self.spec.limits;
        let EngineSettings {
            slots,
            queue,
            weights,
        } = EngineSettings::default();
        let config = EngineConfig {
            slots,
            queue,
            device: self.device,
            weights,
            max_context: (limits.max_prompt_tokens + limits.max_new_tokens) as usize,
        };
        Ok(Backend::new(
            engine::spawn(model, config)?,
            model.stop_tokens()?,
        ))
    }

    /// Waits until a round has seen the model that is to be copied, as whoever copies must: before, only validators can have it.
    /// Whether it came to that before the end.
    pub async fn until_original_was_seen(&mut self) -> bool {
        self.ready();
        self.until_epoch(COPIED_AFTER).await
    }

    /// Waits until the chain has settled so many epochs since the subnet began; whether it came to that before the end.
    pub async fn until_epoch(&mut self, epoch: u64) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            reached = self.epoch.wait_for(|settled| *settled >= epoch) => reached.is_ok(),
        }
    }
}
