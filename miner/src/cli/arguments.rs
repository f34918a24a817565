//! What can be said on the command line.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use athanor_miner::{
    Tunables, Upkeep,
    admission::{Allowance, Weight},
};
use athanor_model::{DeviceChoice, WeightFormat};
use athanor_node::{
    ConfigArgs, LoggingArgs, MetricsArgs, NodeArgs, SubnetArgs, WalletArgs,
    backup::{BackupArgs, DataKind},
    overview::OverviewArgs,
    register::RegisterArgs,
    signer::{RemoteArgs, SignerArgs},
    wallet::WalletCommand,
};
use athanor_spec::{Digest, SubnetSpec};
use clap::{Args, Parser, Subcommand};

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
    /// Address to listen on
    #[arg(long = "axon.ip", alias = "axon-ip", env = "BT_AXON_IP", value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    axon_ip: IpAddr,
    /// TCP port to listen on; 0 takes a free one
    #[arg(
        long = "axon.port",
        alias = "axon-port",
        env = "BT_AXON_PORT",
        value_name = "PORT",
        default_value_t = 8091
    )]
    axon_port: u16,
    /// Address that validators reach, if it is not the one listened on
    #[arg(long = "axon.external_ip", aliases = ["axon.external-ip", "axon-external-ip"], env = "BT_AXON_EXTERNAL_IP", value_name = "IP")]
    axon_external_ip: Option<IpAddr>,
    /// Port that validators reach, if it is not the one listened on
    #[arg(long = "axon.external_port", aliases = ["axon.external-port", "axon-external-port"], env = "BT_AXON_EXTERNAL_PORT", value_name = "PORT", requires = "axon_external_ip")]
    axon_external_port: Option<u16>,
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
    /// Bytes that this directory may take, such as 20GB: the oldest checkpoints beyond go, none that is served, committed or
    /// trained on [default: the newest three checkpoints stay]
    #[arg(long = "data.quota", alias = "data-quota", value_name = "BYTES", value_parser = bytes)]
    data_quota: Option<Bytes>,
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
    /// Share of one core, or of a card's time, that training takes while nobody asks, above 0 and at most 1
    #[arg(
        long = "distill.duty",
        alias = "distill-duty",
        value_name = "SHARE",
        default_value_t = 0.5
    )]
    pub(crate) distill_duty: f64,
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
    /// Model tokens per second, prompt and answer, that the validator with the largest stake may use; others less, by stake
    #[arg(long = "allowance.rate", alias = "allowance-rate", value_name = "TOKENS", default_value_t = Allowance::default().tokens_per_second)]
    allowance_rate: u32,
    /// Model tokens that it may use at once after a pause
    #[arg(long = "allowance.burst", alias = "allowance-burst", value_name = "TOKENS", default_value_t = Allowance::default().burst_tokens)]
    allowance_burst: u32,
    /// What the smallest validator counts for at least, in its share of tokens and in the queue, as a part of the largest
    #[arg(long = "allowance.floor", alias = "allowance-floor", value_name = "SHARE", default_value = "0.25", value_parser = floor)]
    allowance_floor: Weight,
    /// Seconds that requests in progress have when the miner is told to end
    #[arg(long = "drain.seconds", alias = "drain-seconds", value_name = "SECONDS", default_value_t = Upkeep::default().drain.as_secs())]
    drain_seconds: u64,
    /// Whether to serve metrics
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
    /// File to append events to, one line of JSON each
    #[arg(long = "feed.file", alias = "feed-file", value_name = "FILE")]
    pub(crate) feed_file: Option<PathBuf>,
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
    /// Where to accept connections.
    pub(crate) fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.axon_ip, self.axon_port)
    }

    /// The address to announce, if one was given; port 0 stands for the one that was taken.
    pub(crate) fn external(&self) -> Option<SocketAddr> {
        let port = self.axon_external_port.unwrap_or(0);
        self.axon_external_ip.map(|ip| SocketAddr::new(ip, port))
    }

    pub(crate) fn allowance(&self) -> Allowance {
        Allowance {
            tokens_per_second: self.allowance_rate,
            burst_tokens: self.allowance_burst,
            floor: self.allowance_floor,
        }
    }

    pub(crate) fn upkeep(&self) -> Upkeep {
        Upkeep {
            drain: Duration::from_secs(self.drain_seconds),
            quota: self.data_quota.map(|Bytes(bytes)| bytes),
        }
    }

    pub(crate) fn data_dir(&self, spec: &SubnetSpec) -> PathBuf {
        self.data.dir(&self.node.wallet, spec)
    }

    /// What may change while the miner runs.
    pub(crate) fn tunables(&self) -> Tunables {
        Tunables {
            allowance: self.allowance(),
            upkeep: self.upkeep(),
            external: self.external(),
            duty: Some(self.distill_duty),
        }
    }
}

/// A number of bytes, written with a unit: in a file of settings it is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bytes(u64);

/// Reads `500MB` or `20GiB`.
fn bytes(text: &str) -> Result<Bytes, String> {
    let wrong = || format!("`{text}` is no number of bytes such as 500MB or 20GiB");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" | "M" => 1_000_000,
        "GB" | "G" => 1_000_000_000,
        "TB" | "T" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.trim_end().parse().map_err(|_| wrong())?;
    number.checked_mul(factor).map(Bytes).ok_or_else(wrong)
}

/// A share above 0 and at most 1, to a thousandth.
fn floor(text: &str) -> Result<Weight, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => {
            Ok(Weight::new((share * 1000.0).round() as u16))
        }
        _ => Err("it must be a number above 0 and at most 1".into()),
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
    use athanor_node::Settings;

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
        assert_eq!(defaults.allowance(), Allowance::default());
        assert_eq!(defaults.upkeep(), Upkeep::default());
        assert_eq!(defaults.listen().to_string(), "0.0.0.0:8091");
        assert_eq!(defaults.external(), None);
    }

    #[test]
    fn addresses_are_put_together() {
        let given = parse(&[
            "--axon.ip",
            "127.0.0.1",
            "--axon.port",
            "7",
            "--axon.external_ip",
            "10.0.0.1",
        ]);
        assert_eq!(given.listen().to_string(), "127.0.0.1:7");
        assert_eq!(given.external().unwrap().to_string(), "10.0.0.1:0");
        let given = parse(&[
            "--axon-external-ip",
            "10.0.0.1",
            "--axon-external-port",
            "9",
        ]);
        assert_eq!(given.external().unwrap().to_string(), "10.0.0.1:9");
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
    fn a_quota_is_read_with_its_unit() {
        for (text, expected) in [
            ("7", 7),
            ("20GB", 20_000_000_000),
            ("2GiB", 1 << 31),
            ("1 kB", 1000),
        ] {
            assert_eq!(
                parse(&["--data.quota", text]).upkeep().quota,
                Some(expected)
            );
        }
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

    const EXAMPLE: &str = include_str!("../../../deploy/miner.toml");

    /// The example with every setting that it shows commented out.
    fn example() -> String {
        let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
            Some(shown) if shown.starts_with(char::is_alphanumeric) && shown.contains(" = ") => {
                shown
            }
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn with_file(text: &str, flags: &[&str]) -> Settings<Arguments> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("miner.toml");
        std::fs::write(&path, text).unwrap();
        let words = ["athanor-miner", "run", "--config", path.to_str().unwrap()];
        Settings::of(words.iter().chain(flags).copied()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn dumped(settings: &Settings<Arguments>) -> serde_json::Value {
        serde_json::from_str(&settings.dump().unwrap()).unwrap()
    }

    #[test]
    fn the_example_shows_every_setting_and_each_is_one() {
        let settings = with_file(&example(), &[]);
        for key in settings.keys() {
            let source = settings.source(key).unwrap();
            assert_eq!(source.name(), "file", "`{key}` is not in deploy/miner.toml");
        }
        let untouched = with_file(EXAMPLE, &["--dump-config=json"]);
        let defaults = with_file("", &["--dump-config=json"]);
        assert_eq!(
            dumped(&untouched),
            dumped(&defaults),
            "as it is, it changes nothing"
        );
    }

    /// Each setting of the example, once as it stands there and once as a flag, gives the same value.
    #[test]
    fn every_setting_can_be_said_by_a_flag_too() {
        let by_file = dumped(&with_file(&example(), &["--dump-config=json"]));
        let flags: Vec<String> = by_file
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, setting)| format!("--{key}={}", setting["value"].as_str().unwrap()))
            .collect();
        let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        flags.push("--dump-config=json");
        let by_flag = dumped(&with_file("", &flags));
        for (key, setting) in by_file.as_object().unwrap() {
            assert_eq!(by_flag[key]["value"], setting["value"], "{key}");
            assert_eq!(by_flag[key]["source"], "flag", "{key}");
        }
    }
}
