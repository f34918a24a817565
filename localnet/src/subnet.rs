//! Everything in one process: chain, miners, validators, in the order in which they need each other.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Instant,
};

use athanor_chain::{Client, Endpoint};
use athanor_devnet::Devnet;
use athanor_miner::{
    Backend, Behaviour as Conduct, DistillSettings, EngineSettings, Miner, MinerConfig, Upkeep,
    admission::Allowance,
};
use athanor_model::{
    Checkpoint, DeviceChoice,
    engine::{self, EngineConfig},
};
use athanor_net::Ways;
use athanor_node::{
    Feed, Metrics,
    feed::{self, FeedServer},
};
use athanor_scoring::evidence::Calibration;
use athanor_spec::SubnetSpec;
use athanor_validator::{
    Submission, Validator, ValidatorConfig,
    gateway::{GatewayConfig, KeyLimits, KeyStore},
};
use futures::future::try_join_all;

use crate::{
    adversary::{Behaviour, ignored_seed, relay},
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
const REPLAY_MEMORY: u64 = 256 << 20;

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
        // The copycat comes last: what it republishes has been committed by its author.
        let copies = |plan: &MinerPlan| plan.behaviour == Behaviour::Copycat;
        let mut miners = setup.start_miners(&roster, |plan| !copies(plan)).await?;
        miners.extend(setup.start_miners(&roster, copies).await?);
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
            ended = futures::future::select_all(validators) => Ok(ended.0?),
            ended = futures::future::select_all(miners) => Err(ended.0.into()),
        }
    }

    /// Ends everybody, the chain last.
    pub async fn shutdown(self) -> Result<(), LocalnetError> {
        for validator in self.validators {
            validator.shutdown().await?;
        }
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
    async fn start_miners(
        &self,
        roster: &[Participant],
        which: impl Fn(&MinerPlan) -> bool,
    ) -> Result<Vec<Miner>, LocalnetError> {
        try_join_all(
            roster
                .iter()
                .filter_map(|participant| match &participant.part {
                    Part::Miner(plan) if which(plan) => Some(self.start_miner(participant, plan)),
                    _ => None,
                }),
        )
        .await
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
            model: self.models.students[&participant.name].clone(),
            device: self.settings.device,
            engine: EngineSettings {
                slots: plan.slots,
                ..EngineSettings::default()
            },
            allowance: Allowance::default(),
            upkeep: Upkeep::default(),
            distill: plan.duty.map(|duty| DistillSettings {
                source: self.models.source.clone(),
                shard: Some(self.models.shard.clone()),
                seed: plan.seed,
                device: DeviceChoice::Cpu,
                duty,
                judge_every: JUDGE_EVERY,
            }),
            behaviour: self.conduct(plan)?,
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

    fn conduct(&self, plan: &MinerPlan) -> Result<Conduct, LocalnetError> {
        Ok(match plan.behaviour {
            Behaviour::Honest | Behaviour::Copycat | Behaviour::Looper => Conduct::Honest,
            Behaviour::IgnoredSeed => ignored_seed::conduct(plan.seed),
            Behaviour::Relay => {
                let limits = &self.spec.limits;
                let context = (limits.max_prompt_tokens + limits.max_new_tokens) as usize;
                let EngineSettings {
                    slots,
                    queue,
                    weights,
                } = EngineSettings::default();
                let config = EngineConfig {
                    slots,
                    queue,
                    device: self.settings.device,
                    weights,
                    max_context: context,
                };
                let other_server = engine::spawn(self.teacher, config)?;
                relay::conduct(Backend::new(other_server, self.teacher.stop_tokens()?))
            }
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
