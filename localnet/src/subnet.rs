//! Everything in one process: chain, miners, validators, in the order in which they need each other.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Instant,
};

use athanor_chain::{Client, Endpoint};
use athanor_devnet::Devnet;
use athanor_miner::{
    Behaviour as Conduct, DistillSettings, EngineSettings, Miner, MinerConfig, Upkeep,
    admission::Allowance,
};
use athanor_model::{Checkpoint, DeviceChoice};
use athanor_net::Ways;
use athanor_node::{
    Feed, Metrics,
    feed::{self, FeedServer},
};
use athanor_scoring::evidence::Calibration;
use athanor_spec::{NetUid, SubnetSpec};
use athanor_validator::{
    Submission, Validator, ValidatorConfig,
    gateway::{GatewayConfig, KeyLimits, KeyStore},
};
use futures::{StreamExt as _, future::try_join_all};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    adversary::{AttackError, Card, Driver, Scene},
    chain,
    error::LocalnetError,
    ground::Ground,
    models::{self, Models},
    report::Member,
    roster::{MinerPlan, Part, Participant},
    settings::Settings,
    watch::Watcher,
};

/// Steps between two candidates for publication: a few per epoch at the trainers' duty.
const JUDGE_EVERY: u64 = 40;
/// Bytes that each validator's replays may take: the students of a local subnet are small.
pub(crate) const REPLAY_MEMORY: u64 = 256 << 20;

/// A running local subnet. Dropping it ends it; [`Subnet::shutdown`] ends it in order.
pub struct Subnet {
    /// Client of the subnet's chain.
    pub client: Client,
    /// Who takes part.
    pub members: Vec<Member>,
    /// Telemetry of everybody.
    pub feed: Feed,
    /// Rules that it runs by.
    pub spec: SubnetSpec,
    /// Where wallets, checkpoints and ledgers are.
    pub data_dir: PathBuf,
    seed: u64,
    started: Instant,
    devnet: Devnet,
    miners: Vec<Miner>,
    attacks: JoinSet<(&'static str, Result<(), AttackError>)>,
    /// Cancelled when the attacks are to end.
    curtain: CancellationToken,
    _epochs: AbortOnDropHandle<()>,
    validators: Vec<Validator>,
    /// Key of the gateway, where there is one.
    key: Option<String>,
    /// Serves the feed, if others read it.
    events: Option<FeedServer>,
    /// Removes the data directory at the end, when it is a temporary one.
    _temporary: Option<tempfile::TempDir>,
}

impl Subnet {
    /// Starts everything. When this returns, all are registered, all miners serve, and all validators run.
    pub async fn start(settings: &Settings) -> Result<Self, LocalnetError> {
        Self::populate(Ground::prepare(settings).await?, settings).await
    }

    /// Registers and starts everybody on a chain that runs.
    pub async fn populate(ground: Ground, settings: &Settings) -> Result<Self, LocalnetError> {
        let Ground {
            started,
            spec,
            data_dir,
            temporary,
            teacher,
            roster,
            devnet,
        } = ground;
        let feed = Feed::new();
        let events = match settings.feed {
            Some(port) => {
                let address = (Ipv4Addr::LOCALHOST, port).into();
                Some(feed::serve(address, None, &feed).await?)
            }
            None => None,
        };
        let client = Client::connect(&devnet.url()).await?;
        let prepared = {
            let (data_dir, teacher, roster, seed) = (
                data_dir.clone(),
                teacher.clone(),
                roster.clone(),
                settings.seed,
            );
            tokio::task::spawn_blocking(move || models::prepare(&data_dir, &teacher, &roster, seed))
        };
        let members = chain::register(&client, spec.subnet.netuid, &roster).await?;
        let models = prepared.await??;

        let setup = Setup {
            settings,
            spec: &spec,
            data_dir: &data_dir,
            feed: &feed,
            client: &client,
            endpoint: devnet.url().parse()?,
            teacher: &teacher,
            models: &models,
        };
        let miners = setup.start_miners(&roster).await?;
        // Attacks come later: what they republish has been committed by its author.
        let (epochs, epoch) = watch::channel(0);
        let clock = AbortOnDropHandle::new(tokio::spawn(count_epochs(
            client.clone(),
            spec.subnet.netuid,
            epochs,
        )));
        let curtain = CancellationToken::new();
        let mut attacks = JoinSet::new();
        let scenes = setup.scenes(&roster, &miners, &epoch, &curtain);
        let mut places = Vec::new();
        for (driver, scene, place) in scenes {
            attacks.spawn(async move { (driver.name, (driver.act)(scene).await) });
            places.push(place);
        }
        in_place(places, &mut attacks).await?;
        let key = setup.gateway_key(&roster)?;
        let validators = setup.start_validators(&roster).await?;
        Ok(Self {
            client,
            members,
            feed,
            spec,
            data_dir,
            seed: settings.seed,
            started,
            devnet,
            miners,
            attacks,
            curtain,
            _epochs: clock,
            validators,
            key,
            events,
            _temporary: temporary,
        })
    }

    /// WebSocket address of the chain.
    pub fn url(&self) -> String {
        self.devnet.url()
    }

    /// Where users are served, and the key to ask with.
    pub fn gateway(&self) -> Option<(SocketAddr, &str)> {
        let address = self.validators.iter().find_map(Validator::gateway)?;
        Some((address, self.key.as_deref()?))
    }

    /// Where the events of all daemons are served, if they are.
    pub fn events(&self) -> Option<SocketAddr> {
        self.events.as_ref().map(FeedServer::address)
    }

    /// A watcher that keeps the report of this run.
    pub fn watcher(&self) -> Watcher {
        Watcher::new(
            self.client.clone(),
            self.spec.subnet.netuid,
            self.feed.subscribe(),
            self.seed,
            self.members.clone(),
            self.started,
        )
    }

    /// Waits until a validator or a miner ends by itself, which they do only on an error.
    pub async fn failed(&mut self) -> Result<(), LocalnetError> {
        let validators = self
            .validators
            .iter_mut()
            .map(|validator| Box::pin(validator.join()));
        let miners = self.miners.iter_mut().map(|miner| Box::pin(miner.join()));
        tokio::select! {
            failed = failure(&mut self.attacks) => Err(failed),
            ended = futures::future::select_all(validators) => Ok(ended.0?),
            ended = futures::future::select_all(miners) => Err(ended.0.into()),
        }
    }

    /// Ends everybody, the chain last.
    pub async fn shutdown(self) -> Result<(), LocalnetError> {
        for validator in self.validators {
            validator.shutdown().await?;
        }
        self.curtain.cancel();
        let mut attacks = self.attacks;
        while attacks.join_next().await.is_some() {}
        futures::future::join_all(self.miners.into_iter().map(Miner::shutdown)).await;
        self.devnet.shutdown().await;
        Ok(())
    }
}

struct Setup<'a> {
    settings: &'a Settings,
    spec: &'a SubnetSpec,
    data_dir: &'a Path,
    feed: &'a Feed,
    client: &'a Client,
    endpoint: Endpoint,
    teacher: &'a Checkpoint,
    models: &'a Models,
}

impl Setup<'_> {
    async fn start_miners(&self, roster: &[Participant]) -> Result<Vec<Miner>, LocalnetError> {
        let honest = roster
            .iter()
            .filter_map(|participant| match &participant.part {
                Part::Miner(plan) => Some(self.start_miner(participant, plan)),
                _ => None,
            });
        try_join_all(honest).await
    }

    /// What each attack is played with, and where it says that it is in place. None without an honest miner to play against.
    fn scenes(
        &self,
        roster: &[Participant],
        miners: &[Miner],
        epoch: &watch::Receiver<u64>,
        stop: &CancellationToken,
    ) -> Vec<(&'static Driver, Scene, mpsc::Receiver<()>)> {
        let Some(name) = &self.models.best else {
            return Vec::new();
        };
        let hotkey = |name: &String| {
            let named = roster.iter().find(|participant| participant.name == *name);
            named.map(|participant| participant.hotkey.account())
        };
        let victim = miners.iter().find(|it| Some(it.hotkey()) == hotkey(name));
        let Some(victim) = victim.map(|it| (it.hotkey(), it.address())) else {
            return Vec::new();
        };
        let mut scenes: Vec<(&'static Driver, Scene, mpsc::Receiver<()>)> = Vec::new();
        for participant in roster {
            let Part::Attacker { driver, .. } = participant.part else {
                continue;
            };
            let known = scenes.iter_mut().find(|(known, ..)| *known == driver);
            if let Some((_, scene, _)) = known {
                scene.seats.push(participant.clone());
                continue;
            }
            let students = self.models.attackers[driver.name].clone();
            let (in_place, place) = mpsc::channel(1);
            let scene = Scene {
                seats: vec![participant.clone()],
                seed: models::attacker_seed(self.settings.seed, driver.name),
                chain: self.client.clone(),
                spec: self.spec.clone(),
                teacher: self.teacher.clone(),
                trained: students.trained,
                untrained: students.untrained,
                best: self.models.students[name].clone(),
                victim,
                dir: self.data_dir.join("attacks").join(driver.name),
                device: self.settings.device,
                feed: self.feed.clone(),
                epoch: epoch.clone(),
                stop: stop.clone(),
                in_place,
            };
            scenes.push((driver, scene, place));
        }
        scenes
    }

    async fn start_miner(
        &self,
        participant: &Participant,
        plan: &MinerPlan,
    ) -> Result<Miner, LocalnetError> {
        let config = MinerConfig {
            chain: self.client.clone(),
            hotkey: participant.hotkey.pair.clone().into(),
            spec: self.spec.clone(),
            ways: Ways::listening((Ipv4Addr::LOCALHOST, 0)),
            external: None,
            data_dir: self.data_dir.join("miners").join(&participant.name),
            model: self.models.students[&participant.name].dir.clone(),
            device: self.settings.device,
            engine: EngineSettings {
                slots: plan.slots,
                ..EngineSettings::default()
            },
            allowance: Allowance::default(),
            upkeep: Upkeep::default(),
            distill: plan.duty.map(|duty| DistillSettings {
                source: self.models.source.clone(),
                shard: self.models.shard.clone(),
                seed: plan.seed,
                device: DeviceChoice::Cpu,
                duty,
                judge_every: JUDGE_EVERY,
            }),
            behaviour: match plan.on_a_card {
                true => Card::new().conduct(),
                false => Conduct::Honest,
            },
            feed: self.feed.clone(),
            metrics: Metrics::default(),
        };
        athanor_miner::start(config)
            .await
            .map_err(|source| LocalnetError::Miner {
                name: participant.name.clone(),
                source: Box::new(source),
            })
    }

    fn validator_dir(&self, name: &str) -> PathBuf {
        self.data_dir.join("validators").join(name)
    }

    /// The gateway of a validator, if users are to be served and it is the first one.
    fn gateway(&self, roster: &[Participant], name: &str) -> Option<GatewayConfig> {
        let port = self.settings.gateway?;
        let first = roster
            .iter()
            .find(|p| matches!(p.part, Part::Validator { .. }))?;
        (first.name == name).then(|| {
            GatewayConfig::at(
                (Ipv4Addr::LOCALHOST, port).into(),
                &self.validator_dir(name),
            )
        })
    }

    /// Makes a key for the gateway, if there is one: a generous one, as whoever runs a subnet at home is its only user. It is
    /// also written to `gateway.key` in the data directory, for scripts.
    fn gateway_key(&self, roster: &[Participant]) -> Result<Option<String>, LocalnetError> {
        let mut configs = roster
            .iter()
            .filter_map(|participant| self.gateway(roster, &participant.name));
        let Some(config) = configs.next() else {
            return Ok(None);
        };
        let store = KeyStore::new(config.keys);
        // Of an earlier run in the same directory.
        for entry in store.list()? {
            store.revoke(&entry.id)?;
        }
        let limits = KeyLimits {
            tokens_per_minute: 1_000_000,
            in_flight: 64,
            audit: false,
        };
        let (key, _) = store.create("localnet", limits)?;
        let path = self.data_dir.join("gateway.key");
        std::fs::write(&path, format!("{key}\n"))
            .map_err(|source| LocalnetError::Write { path, source })?;
        Ok(Some(key))
    }

    async fn start_validators(
        &self,
        roster: &[Participant],
    ) -> Result<Vec<Validator>, LocalnetError> {
        let validators = roster
            .iter()
            .filter(|p| matches!(p.part, Part::Validator { .. }));
        try_join_all(validators.map(|participant| async {
            let config = ValidatorConfig {
                endpoints: self.endpoint.clone().into(),
                hotkey: participant.hotkey.pair.clone(),
                spec: self.spec.clone(),
                teacher: self.teacher.dir.clone(),
                data_dir: self.validator_dir(&participant.name),
                ways: Ways::listening((Ipv4Addr::LOCALHOST, 0)),
                external: None,
                submission: Submission::Chain,
                rounds: None,
                device: self.settings.device,
                replay_memory: REPLAY_MEMORY,
                artifact_quota: None,
                calibration: Calibration::shipped(),
                feed: self.feed.clone(),
                metrics: Metrics::default(),
                gateway: self.gateway(roster, &participant.name),
            };
            athanor_validator::start(config)
                .await
                .map_err(|source| LocalnetError::Validator {
                    name: participant.name.clone(),
                    source: Box::new(source),
                })
        }))
        .await
    }
}

/// Waits until every attack is in place; an attack that ends before that without an error is.
async fn in_place(
    mut places: Vec<mpsc::Receiver<()>>,
    attacks: &mut JoinSet<(&'static str, Result<(), AttackError>)>,
) -> Result<(), LocalnetError> {
    let all = futures::future::join_all(places.iter_mut().map(mpsc::Receiver::recv));
    tokio::select! {
        failed = failure(attacks) => Err(failed),
        _ = all => Ok(()),
    }
}

/// Waits for an attack that could not go on.
async fn failure(attacks: &mut JoinSet<(&'static str, Result<(), AttackError>)>) -> LocalnetError {
    while let Some(ended) = attacks.join_next().await {
        match ended {
            Ok((_, Ok(()))) => {}
            Ok((name, Err(source))) => {
                return LocalnetError::Attack {
                    name,
                    source: Box::new(source),
                };
            }
            Err(error) => return error.into(),
        }
    }
    std::future::pending().await
}

/// Counts the epochs that the chain settles, until the subnet ends.
async fn count_epochs(chain: Client, netuid: NetUid, epochs: watch::Sender<u64>) {
    let mut blocks = chain.blocks();
    let mut first = None;
    while let Some(Ok(block)) = blocks.next().await {
        match chain.schedule(netuid, Some(block.hash)).await {
            Ok(schedule) => {
                let epoch = schedule.epoch.0;
                let settled = epoch.saturating_sub(*first.get_or_insert(epoch));
                epochs.send_if_modified(|known| std::mem::replace(known, settled) != settled);
            }
            Err(error) => tracing::debug!(%error, "an epoch is counted with the next block"),
        }
    }
}
