//! What can be said on the command line.

use std::path::PathBuf;

use athanor_model::{DeviceChoice, WeightFormat};
use athanor_net::{RelayLimits, Ways};
use athanor_node::{
    AxonArgs, ConfigArgs, FeedArgs, LoggingArgs, MetricsArgs, NetworkArgs, NodeArgs, SubnetArgs,
    WalletArgs,
    backup::{BackupArgs, DataKind},
    overview::OverviewArgs,
    register::RegisterArgs,
    signer::{RemoteArgs, SignerArgs},
    wallet::WalletCommand,
};
use athanor_spec::{Digest, SubnetSpec};
use clap::{Args, Parser, Subcommand};

use super::{relay::RelayArgs, tunable::TunableArgs};

/// Serve a student and keep distilling it
#[derive(Debug, Parser)]
#[command(name = "athanor-miner", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve and distil until stopped
    Run(Box<RunArgs>),
    /// Find out what validators would find out: configuration, chain record, reachability, signatures, artifact, audit, speed
    Check(Box<CheckArgs>),
    /// Say how the miner is, and what its pay is made of
    Status(StatusArgs),
    /// Serve a checkpoint again that was served before, and train on from it
    Rollback(RollbackArgs),
    /// Measure how fast a model runs and trains here, and how far that is from what the machine can do
    Bench(BenchArgs),
    /// Register the hotkey on the subnet; the coldkey pays
    Register(RegisterArgs),
    /// Show how the wallet's hotkeys stand on the subnet
    Overview(OverviewArgs),
    /// Pack everything in the data directory that cannot be made again into one file, while `run` is stopped
    Backup(BackupArgs),
    /// Unpack a backup, verified to the last byte, while `run` is stopped
    Restore(BackupArgs),
    /// Keep the hotkey here and sign for a miner elsewhere, which runs with --wallet.signer
    Signer(SignerArgs),
    /// Carry others' streams to miners behind routers, from a machine with a public address; needs no key and no chain
    Relay(RelayArgs),
    /// Make, restore, list and show keys, and what they hold
    Wallet {
        #[command(flatten)]
        wallet: WalletArgs,
        #[command(subcommand)]
        command: WalletCommand,
    },
}

/// Everything of `run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// What signs for the hotkey
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    #[command(flatten)]
    pub(crate) axon: AxonArgs,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    #[command(flatten)]
    pub(crate) tunable: TunableArgs,
    /// Checkpoint to serve; without it, a student is cut out of the teacher
    #[arg(long, aliases = ["model.dir", "model-dir"], value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Digest that the checkpoint must have
    #[arg(
        long = "model.digest",
        alias = "model-digest",
        value_name = "HEX",
        requires = "model"
    )]
    pub(crate) model_digest: Option<Digest>,
    /// Teacher to distil from; without it, the one of local subnets
    #[arg(long, value_name = "DIR")]
    pub(crate) teacher: Option<PathBuf>,
    /// Where the model computes: auto, cpu or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: DeviceChoice,
    #[command(flatten)]
    data: DataArgs,
    /// Serve the checkpoint as it is, and never train
    #[arg(long = "distill.off", alias = "distill-off")]
    pub(crate) distill_off: bool,
    /// Where the student is trained: auto, cpu or cuda:N [default: as --device]
    #[arg(
        long = "distill.device",
        alias = "distill-device",
        value_name = "DEVICE"
    )]
    pub(crate) distill_device: Option<DeviceChoice>,
    /// Steps between two candidates for publication
    #[arg(long = "distill.judge_every", aliases = ["distill.judge-every", "distill-judge-every"], value_name = "STEPS", default_value_t = 60)]
    pub(crate) distill_judge_every: u64,
    /// Weights in memory: f32, bf16 or int8. Audits replay the checkpoint in f32 and see the difference; `bench` says how
    /// large it is
    #[arg(long, value_name = "FORMAT", default_value_t = WeightFormat::F32)]
    pub(crate) weights: WeightFormat,
    /// Answers drawn together
    #[arg(
        long = "engine.slots",
        alias = "engine-slots",
        value_name = "N",
        default_value_t = 8
    )]
    pub(crate) engine_slots: usize,
    /// Asks that may wait for the engine
    #[arg(
        long = "engine.queue",
        alias = "engine-queue",
        value_name = "N",
        default_value_t = 64
    )]
    pub(crate) engine_queue: usize,
    /// Whether to serve metrics
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
    /// Whether to tell events
    #[command(flatten)]
    pub(crate) feed: FeedArgs,
}

/// Where a miner keeps what it has.
#[derive(Args, Clone, Debug)]
pub(crate) struct DataArgs {
    /// Directory for keys, checkpoints and training state [default: ~/.athanor/miner/WALLET/HOTKEY/NETUID]
    #[arg(
        long = "data.dir",
        alias = "data-dir",
        env = "ATHANOR_DATA_DIR",
        value_name = "DIR"
    )]
    data_dir: Option<PathBuf>,
}

impl DataArgs {
    /// The directory of this wallet's miner on a subnet.
    pub(crate) fn dir(&self, wallet: &WalletArgs, spec: &SubnetSpec) -> PathBuf {
        let given = self.data_dir.clone();
        given.unwrap_or_else(|| usual_data_dir(wallet, spec))
    }
}

/// Everything of `check`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Everything of `status`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Read the chain only, and not what validators have published of their rounds
    #[arg(long = "chain-only")]
    pub(crate) chain_only: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Everything of `rollback`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) wallet: WalletArgs,
    #[command(flatten)]
    pub(crate) subnet: SubnetArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Digest of the checkpoint; without it, the one served before
    #[arg(long, value_name = "HEX")]
    pub(crate) to: Option<Digest>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Everything of `bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchArgs {
    /// Checkpoint or Hugging Face directory; without it, the teacher of local subnets
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Where the model computes: auto, cpu or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: DeviceChoice,
    /// Weights in memory: f32, bf16 or int8
    #[arg(long, value_name = "FORMAT", default_value_t = WeightFormat::F32)]
    pub(crate) weights: WeightFormat,
    /// Batch sizes to decode with
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 2, 4, 8], value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) batch: Vec<u16>,
    /// Text on which bf16 and int8 weights are compared with f32; without it, one that is built in
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl RunArgs {
    /// How it is reached and finds others.
    pub(crate) fn ways(&self) -> Ways {
        let network = self.network.clone();
        Ways {
            listen: self.axon.listen(),
            quic: !network.quic_off,
            discovery: !network.discovery_off,
            bootstrap: network.bootstrap,
            relays: network.relays,
            relay_server: network.serve_relay.then(RelayLimits::default),
        }
    }

    pub(crate) fn data_dir(&self, spec: &SubnetSpec) -> PathBuf {
        self.data.dir(&self.node.wallet, spec)
    }
}

/// The data directory of a miner, for `backup` and `restore`.
pub(crate) const DATA: DataKind = DataKind {
    daemon: "miner",
    // Hash trees of blobs, made again from the checkpoints at the next start.
    caches: &["trees"],
    usual: usual_data_dir,
};

fn usual_data_dir(wallet: &WalletArgs, spec: &SubnetSpec) -> PathBuf {
    let home = std::env::home_dir().unwrap_or_default();
    home.join(".athanor/miner")
        .join(&wallet.name)
        .join(&wallet.hotkey)
        .join(spec.subnet.netuid.to_string())
}

#[cfg(test)]
mod tests {
    use athanor_miner::{Upkeep, admission::Allowance};

    use super::*;

    fn parse(arguments: &[&str]) -> RunArgs {
        let arguments = [&["athanor-miner", "run"], arguments].concat();
        match Arguments::try_parse_from(arguments).unwrap().command {
            Command::Run(arguments) => *arguments,
            other => panic!("{other:?}"),
        }
    }

    fn check_refused(arguments: &[&str], expected: &str) {
        let arguments = [&["athanor-miner", "run"], arguments].concat();
        let error = Arguments::try_parse_from(arguments).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn the_defaults_are_the_library_s() {
        let defaults = parse(&[]);
        let engine = athanor_miner::EngineSettings::default();
        assert_eq!(
            (defaults.engine_slots, defaults.engine_queue),
            (engine.slots, engine.queue)
        );
        let tunables = defaults.tunable.tunables();
        assert_eq!(tunables.allowance, Allowance::default());
        assert_eq!(tunables.upkeep, Upkeep::default());
        assert_eq!(tunables.external, None);
        let everywhere = "0.0.0.0:8091".parse().unwrap();
        let ways = Ways {
            listen: vec![everywhere],
            ..Ways::default()
        };
        assert_eq!(defaults.ways(), ways);
    }

    #[test]
    fn addresses_are_put_together() {
        let given = parse(&["--axon.ip", "127.0.0.1,::1", "--axon.port", "7"]);
        let listen: Vec<_> = given
            .ways()
            .listen
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(listen, ["127.0.0.1:7", "[::1]:7"]);
        let external = |arguments| parse(arguments).tunable.tunables().external.unwrap();
        let given = external(&["--axon.external_ip", "10.0.0.1"]);
        assert_eq!(given.to_string(), "10.0.0.1:0");
        let given = external(&[
            "--axon-external-ip",
            "10.0.0.1",
            "--axon-external-port",
            "9",
        ]);
        assert_eq!(given.to_string(), "10.0.0.1:9");
    }

    #[test]
    fn every_way_to_find_and_be_found_can_be_chosen() {
        let peer = "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let given = parse(&[
            "--net.relays",
            &format!("{peer},{peer}"),
            "--net.bootstrap",
            peer,
            "--net.serve_relay",
            "--net.quic_off",
            "--net.discovery_off",
        ]);
        let ways = given.ways();
        assert_eq!((ways.relays.len(), ways.bootstrap.len()), (2, 1));
        assert_eq!(ways.relay_server, Some(RelayLimits::default()));
        assert!(!ways.quic && !ways.discovery);
    }

    #[test]
    fn the_data_directory_names_wallet_hotkey_and_subnet() {
        let spec = SubnetSpec::local();
        let given = parse(&["--wallet.name", "a", "--wallet.hotkey", "b"]);
        assert!(given.data_dir(&spec).ends_with(".athanor/miner/a/b/1"));
        assert_eq!(
            parse(&["--data.dir", "/x"]).data_dir(&spec),
            PathBuf::from("/x")
        );
    }

    #[test]
    fn bad_input_is_refused_by_name() {
        check_refused(&["--unknown"], "--unknown");
        check_refused(&["--axon.port", "70000"], "--axon.port");
        check_refused(&["--device", "tpu"], "--device");
        check_refused(&["--allowance.floor", "0"], "above 0");
        check_refused(&["--data.quota", "20 bananas"], "no number of bytes");
        check_refused(
            &["--model.digest", "12", "--model", "x"],
            "64 hexadecimal digits",
        );
        check_refused(&["--axon.external_port", "1"], "--axon.external_ip");
    }

    #[test]
    fn the_example_shows_every_setting_and_each_can_be_a_flag() {
        let example = include_str!("../../../deploy/miner.toml");
        athanor_node::settings::check_example::<Arguments>("athanor-miner", example).unwrap();
    }
}
