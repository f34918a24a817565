//! What training costs those who are served: the same asks with training off, at half of a core's time, and at all of it.
//!
//! ```text
//! cargo run -p athanor-tests --example interference -- [--seconds N] [--json]
//! ```
//!
//! Each level is a miner of its own on a chain of its own, asked over loopback for a while in two ways: `sparse`, one ask at
//! a time after a pause, so that it meets a training step under way; and `busy`, four at once without a pause, during which
//! training rests. Whoever asks, the miner and its trainer share the machine.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use athanor_chain::Client;
use athanor_devnet::{
    Config, Genesis, NeuronGenesis, Sealing, TAO, development_account, development_pair,
};
use athanor_distill::{bundled, init, init::StudentPlan, source::Source};
use athanor_miner::{DistillSettings, EngineSettings, MinerConfig, admission::Allowance, control};
use athanor_model::{Checkpoint, DeviceChoice, Precision, checkpoint::Provenance};
use athanor_net::{Identity, NetConfig, PeerAddress, Ways};
use athanor_node::{Feed, Metrics};
use athanor_spec::{Ask, NetUid, Signed, SigningContext, SubnetSpec};
use clap::Parser;
use futures::future::join_all;
use serde_json::json;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const NETUID: NetUid = NetUid(1);
const MINER: &str = "Dave";
const VALIDATOR: &str = "Bob";
/// Asks at once while the miner is busy.
const STREAMS: usize = 4;
const WITHIN: Duration = Duration::from_secs(30);
/// How long training may take to begin.
const BEGIN: Duration = Duration::from_secs(120);

/// Measure what training costs those who are served
#[derive(Parser)]
struct Arguments {
    /// Seconds that each way of asking lasts
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Arguments { seconds, json } = Arguments::parse();
    let lasting = Duration::from_secs(seconds);
    if !json {
        println!("milliseconds; steps are those of the trainer meanwhile");
        println!(
            "{:>8} {:>7}  {:>7}  {:>9} {:>9}  {:>9} {:>9}  {:>6}",
            "training", "asked", "answers", "first p50", "p99", "whole p50", "p99", "steps"
        );
    }
    for duty in [None, Some(0.5), Some(1.0)] {
        level(duty, lasting, json).await?;
    }
    Ok(())
}

/// One miner, asked in both ways.
async fn level(duty: Option<f64>, lasting: Duration, json: bool) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let teacher = bundled::write_teacher(&directory.path().join("teacher"))?;
    let model = student(&teacher, directory.path())?;
    let devnet = athanor_devnet::spawn(Config {
        sealing: Sealing::Interval(Duration::from_millis(250)),
        ..Config::deterministic(genesis())
    })
    .await?;
    let chain = Client::connect(&devnet.url()).await?;
    let data_dir = directory.path().join("miner");
    let distill = match duty {
        None => None,
        Some(duty) => Some(DistillSettings {
            source: Arc::new(Source::open(&teacher)?),
            shard: None,
            seed: 7,
            device: DeviceChoice::Cpu,
            duty,
            // No candidate comes in between: its trial is another matter.
            judge_every: 1_000_000,
        }),
    };
    let trains = distill.is_some();
    let miner = athanor_miner::start(MinerConfig {
        chain: chain.clone(),
        hotkey: development_pair(MINER).into(),
        spec: SubnetSpec::local(),
        ways: Ways::listening(([127, 0, 0, 1], 0)),
        external: None,
        data_dir: data_dir.clone(),
        model: model.dir,
        device: DeviceChoice::Cpu,
        engine: EngineSettings::default(),
        allowance: Allowance {
            tokens_per_second: 1_000_000,
            burst_tokens: 10_000_000,
            ..Allowance::default()
        },
        upkeep: Default::default(),
        distill,
        behaviour: Default::default(),
        feed: Feed::new(),
        metrics: Metrics::default(),
    })
    .await?;
    let begun = Instant::now();
    while trains && steps(&data_dir).await? == 0 {
        if begun.elapsed() > BEGIN {
            return Err("training does not begin".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asker = Asker::start(miner.address(), chain.signing_context(NETUID)).await?;
    for (name, streams, pause) in [
        ("sparse", 1, Duration::from_millis(130)),
        ("busy", STREAMS, Duration::ZERO),
    ] {
        let before = steps(&data_dir).await?;
        let end = Instant::now() + lasting;
        let asked = join_all((0..streams).map(|_| asker.ask_until(end, pause))).await;
        let times = asked.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let made = steps(&data_dir).await? - before;
        let at = |whole: bool, share: f64| quantile(&times, whole, share);
        let training = duty.map_or("off".to_owned(), |duty| format!("{duty}"));
        let figures = [
            at(false, 0.5),
            at(false, 0.99),
            at(true, 0.5),
            at(true, 0.99),
        ];
        if json {
            let [first_p50, first_p99, whole_p50, whole_p99] = figures;
            println!(
                "{}",
                json!({"training": training, "asked": name, "answers": times.len(), "first_p50_ms": first_p50,
                    "first_p99_ms": first_p99, "whole_p50_ms": whole_p50, "whole_p99_ms": whole_p99, "steps": made})
            );
        } else {
            let [a, b, c, d] = figures;
            println!(
                "{training:>8} {name:>7}  {:>7}  {a:>9.2} {b:>9.2}  {c:>9.2} {d:>9.2}  {made:>6}",
                times.len()
            );
        }
    }
    miner.shutdown().await;
    devnet.shutdown().await;
    Ok(())
}

/// Steps that the trainer has made.
async fn steps(data_dir: &Path) -> Result<u64, Failure> {
    let status = control::status(data_dir).await?;
    Ok(status.training.map_or(0, |training| training.step))
}

fn genesis() -> Genesis {
    let mut genesis = Genesis::development(Duration::from_secs(12));
    let neuron = |name: &str, stake| NeuronGenesis {
        coldkey: development_account("Ferdie").into(),
        hotkey: development_account(name).into(),
        stake,
    };
    genesis.subnets[0].neurons = vec![neuron(VALIDATOR, 2000 * TAO), neuron(MINER, 0)];
    genesis
}

/// A student of half of the teacher's layers.
fn student(teacher: &Checkpoint, dir: &Path) -> Result<Checkpoint, Failure> {
    let plan = StudentPlan {
        layers: init::layers(teacher.config.num_hidden_layers, 2),
        seed: 1,
        noise: 0.02,
    };
    let (config, tensors) = init::student(teacher, &plan)?;
    Ok(Checkpoint::write(
        &dir.join("student"),
        &config,
        &tensors,
        &teacher.tokenizer_json()?,
        &Provenance::default(),
        Precision::F16,
    )?)
}

struct Asker {
    client: athanor_net::Client,
    context: SigningContext,
    address: PeerAddress,
    asks: AtomicU64,
    _net: athanor_net::NetHandle,
}

/// Seconds to the first token, and to the whole answer.
type Times = (f64, f64);

impl Asker {
    async fn start(address: PeerAddress, context: SigningContext) -> Result<Self, Failure> {
        let limits = SubnetSpec::local().limits;
        let identity = Identity::from_seed([9; 32]);
        let (client, _, net) = athanor_net::start(NetConfig::new(identity, limits)).await?;
        Ok(Self {
            client,
            context,
            address,
            asks: AtomicU64::new(1),
            _net: net,
        })
    }

    async fn ask_until(&self, end: Instant, pause: Duration) -> Result<Vec<Times>, Failure> {
        let mut times = Vec::new();
        while Instant::now() < end {
            tokio::time::sleep(pause).await;
            let number = self.asks.fetch_add(1, Ordering::Relaxed);
            let ask = Ask {
                prompt: (0..32)
                    .map(|n| 3 + (number as u32 * 31 + n) % 200)
                    .collect(),
                max_new_tokens: 32,
                temperature_milli: 800,
                seed: number,
            };
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let now = u64::try_from(now.as_millis())?;
            let pair = development_pair(VALIDATOR);
            let signed = Signed::new(&pair, &self.context, ask, now, 30_000, number);
            let observed = self.client.ask(&self.address, signed, WITHIN).await?;
            times.push((
                observed.first_token.as_secs_f64(),
                observed.elapsed.as_secs_f64(),
            ));
        }
        Ok(times)
    }
}

/// In milliseconds.
fn quantile(times: &[Times], whole: bool, share: f64) -> f64 {
    let mut sorted: Vec<f64> = times
        .iter()
        .map(|(first, all)| if whole { *all } else { *first })
        .collect();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(f64::NAN, |it| it * 1000.0)
}
