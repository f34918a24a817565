//! Which value wins, and what is said of a file that cannot be taken.

use std::fs;

use clap::{Parser, Subcommand};
use proptest::prelude::*;

use super::*;
use crate::{LoggingArgs, MetricsArgs, SubtensorArgs, WalletArgs};

#[derive(Debug, Parser)]
struct Daemon {
    #[command(flatten)]
    _config: ConfigArgs,
    #[command(flatten)]
    logging: LoggingArgs,
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(Run),
    Show {
        #[command(flatten)]
        wallet: WalletArgs,
    },
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(flatten)]
    subtensor: SubtensorArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[arg(long)]
    teacher: PathBuf,
    #[arg(long, alias = "model.dir")]
    model: Option<PathBuf>,
    #[arg(long = "model.digest", requires = "model")]
    digest: Option<String>,
    #[arg(long = "axon.port", default_value_t = 8091)]
    port: u16,
    #[arg(long = "distill.off")]
    distill_off: bool,
    #[arg(long = "distill.duty", default_value_t = 0.5)]
    duty: f64,
}

/// Settings of `run` with a file of this text.
fn read(text: &str, flags: &[&str]) -> Result<Settings<Daemon>, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.toml");
    fs::write(&path, text).unwrap();
    let words = ["daemon", "run", "--config", path.to_str().unwrap()];
    Settings::of(words.iter().chain(flags).copied())
}

fn run(settings: &Settings<Daemon>) -> &Run {
    match &settings.arguments().command {
        Verb::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

fn check_refused(text: &str, place: &str, expected: &str) {
    let error = read(text, &["--teacher", "t"])
        .err()
        .expect(text)
        .to_string();
    assert!(error.contains(&format!("d.toml:{place}: ")), "{error}");
    assert!(error.contains(expected) && !error.contains('\n'), "{error}");
}

#[test]
fn a_flag_wins_over_the_file_and_that_over_the_default() {
    let text = "teacher = 'dir'\n[axon]\nport = 7\n[distill]\nduty = 0.25\noff = true\n";
    let settings = read(text, &["--axon.port", "8"]).unwrap();
    let Run {
        port,
        duty,
        distill_off,
        teacher,
        wallet,
        ..
    } = run(&settings);
    assert_eq!((*port, *duty, *distill_off), (8, 0.25, true));
    assert_eq!(
        (teacher.to_str(), wallet.name.as_str()),
        (Some("dir"), "default")
    );
    assert_eq!(settings.source("axon.port"), Some(&Source::Flag));
    assert_eq!(settings.source("wallet.name"), Some(&Source::Default));
    let told = settings.source("distill.duty").unwrap().to_string();
    assert!(
        told.starts_with("file ") && told.ends_with("d.toml:5:8"),
        "{told}"
    );
    let off = read(text, &["--distill.off=false"]).unwrap();
    assert!(
        !run(&off).distill_off,
        "a flag turns off what a file turns on"
    );
}

/// Runs this very test again, in a process of its own: variables belong to a process, and other tests read them too.
#[test]
fn the_environment_wins_over_the_file() {
    if std::env::var_os("ATHANOR_DISTILL_DUTY").is_none() {
        let name = "settings::tests::the_environment_wins_over_the_file";
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let variables = [
            ("ATHANOR_DISTILL_DUTY", "0.125"),
            ("ATHANOR_DISTILL_OFF", "0"),
            ("BT_SUBTENSOR_NETWORK", "test"),
            ("BT_WALLET_NAME", "w"),
        ];
        let output = again.args([name, "--exact"]).envs(variables).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    let text = "teacher = 't'\nmetrics.addr = 9615\n[distill]\nduty = 0.25\noff = true\n[wallet]\nname = 'f'\nhotkey = 'h'\n\
                [subtensor]\nchain_endpoint = 'ws://10.0.0.1:1'\n";
    let settings = read(text, &[]).unwrap();
    let all = run(&settings);
    assert_eq!((all.duty, all.distill_off), (0.125, false));
    assert_eq!(
        (all.wallet.name.as_str(), all.wallet.hotkey.as_str()),
        ("w", "h")
    );
    assert!(
        all.subtensor.endpoints.to_string().contains("test."),
        "a network in the environment wins over an address in the file: {}",
        all.subtensor.endpoints
    );
    let expected = Source::Environment {
        variable: "ATHANOR_DISTILL_DUTY".to_owned(),
        dotenv: false,
    };
    assert_eq!(settings.source("distill.duty"), Some(&expected));
    assert_eq!(all.metrics.addr.unwrap().port(), 9615);
}

#[test]
fn a_key_that_means_nothing_is_refused_with_its_place_and_the_nearest_one() {
    check_refused("\n[axon]\nprot = 1\n", "3:1", "the nearest is `axon.port`");
    check_refused("zzz = 1\n", "1:1", "`zzz` is no setting");
    check_refused("[axn]\nport = 1\n", "2:1", "`axon.port`");
    check_refused("config = 'x'\n", "1:1", "`config` is no setting");
}

#[test]
fn a_value_of_another_type_is_refused_with_its_place() {
    check_refused("[axon]\nport = '1'\n", "2:8", "`axon.port` is a number");
    check_refused("[axon]\nport = 70000\n", "2:8", "70000 is not in");
    check_refused("[axon]\nport = 1.5\n", "2:8", "invalid digit");
    check_refused("[axon]\nport = [1]\n", "2:8", "this is a list");
    check_refused("axon.port = 2026-01-01\n", "1:13", "this is a date");
    check_refused("distill.off = 'yes'\n", "1:15", "true or false");
    check_refused("wallet.name = 3\n", "1:15", "a text in quotes");
    check_refused("model = true\n", "1:9", "a path in quotes");
    check_refused("[subtensor]\nnetwork = 'finny'\n", "2:11", "local, finney");
    check_refused("[[axon]]\nport = 1\n", "1:3", "`axon` is no setting");
    check_refused("axon.port = \n", "1:13", "");
}

#[test]
fn one_setting_has_one_value_in_one_file() {
    check_refused(
        "model = 'a'\n'model.dir' = 'b'\n",
        "2:1",
        "`model` was set already",
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused_with_the_place_of_one() {
    check_refused("'model.digest' = 'd'\n", "1:18", "--model");
    let flags = ["--teacher", "t", "--model", "m"];
    let settings = read("'model.digest' = 'd'\n", &flags).unwrap();
    assert_eq!(run(&settings).digest.as_deref(), Some("d"));
    assert_eq!(
        run(&settings).model.as_deref(),
        Some(Path::new("m")),
        "what one value needs may come from a flag"
    );
}

#[test]
fn a_list_is_as_good_as_commas() {
    let text = "teacher = 't'\n[subtensor]\nchain_endpoint = ['ws://10.0.0.1:1', 'finney']\n";
    let settings = read(text, &[]).unwrap();
    assert_eq!(
        run(&settings).subtensor.endpoints.to_string(),
        "ws://10.0.0.1:1,wss://entrypoint-finney.opentensor.ai:443"
    );
}

#[test]
fn verbs_take_what_concerns_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.toml");
    fs::write(
        &path,
        "axon.port = 1\nwallet.name = 'f'\nlogging.debug = true\n",
    )
    .unwrap();
    let config = format!("--config={}", path.display());
    let settings = Settings::<Daemon>::of(["daemon", "show", &config]).unwrap();
    assert!(settings.arguments().logging.debug);
    match &settings.arguments().command {
        Verb::Show { wallet } => assert_eq!(wallet.name, "f"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_named_file_has_to_be_there_and_help_is_given_in_any_case() {
    let missing = ["daemon", "run", "--config", "/nowhere/d.toml"];
    let error = Settings::<Daemon>::of(missing).err().unwrap().to_string();
    assert!(error.contains("/nowhere/d.toml"), "{error}");
    let help = [&missing[..], &["--help"]].concat();
    match Settings::<Daemon>::of(help).err().unwrap() {
        SettingsError::CommandLine(help) => {
            assert!(help.to_string().contains("--distill.duty"), "{help}")
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_dump_says_where_every_value_comes_from_and_no_secret() {
    let text = "teacher = 't'\n[subtensor]\nchain_endpoint = 'wss://node.example/v1/KEY'\n";
    let dump = |format| {
        let settings = read(text, &["--axon.port=9", format]).unwrap();
        settings.dump().unwrap()
    };
    let toml = dump("--dump-config");
    assert!(toml.contains("axon.port = 9  # flag\n"), "{toml}");
    assert!(
        toml.contains("wallet.name = \"default\"  # default\n"),
        "{toml}"
    );
    assert!(toml.contains("d.toml:1:11\n"), "{toml}");
    assert!(toml.contains("# \"model.digest\" is not set\n"), "{toml}");
    assert!(!toml.contains("KEY") && toml.contains("left out"), "{toml}");
    let json: serde_json::Value = serde_json::from_str(&dump("--dump-config=json")).unwrap();
    assert_eq!(json["axon.port"]["source"], "flag");
    assert_eq!(json["distill.off"]["value"], "false");
    assert!(!json.to_string().contains("KEY"));
    assert!(read(text, &[]).unwrap().dump().is_none());
}

#[test]
fn what_changed_in_the_file_is_told_and_what_is_wrong_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.toml");
    fs::write(&path, "teacher = 't'\naxon.port = 1\n").unwrap();
    let words = ["daemon", "run", "--config", path.to_str().unwrap()];
    let mut settings = Settings::<Daemon>::of(words).unwrap();
    assert_eq!(settings.reload().unwrap(), []);
    fs::write(&path, "teacher = 't'\nmodel = 'm'\ndistill.duty = 1\n").unwrap();
    let changed = settings.reload().unwrap();
    let change = |key: &str, before: Option<&str>, after: Option<&str>| Changed {
        key: key.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let expected = [
        change("axon.port", Some("1"), Some("8091")),
        change("distill.duty", Some("0.5"), Some("1")),
        change("model", None, Some("m")),
    ];
    assert_eq!(changed, expected);
    assert_eq!(run(&settings).duty, 1.0);
    fs::write(&path, "teacher = 3\n").unwrap();
    assert!(settings.reload().is_err());
    assert_eq!(run(&settings).teacher, Path::new("t"));
}

proptest! {
    /// A dump is a file that says the same.
    #[test]
    fn a_dump_can_be_read_again(port: u16, duty in 0.01..1.0f64, off: bool, name in "[a-z \"'\\\\#]{1,12}", named: bool) {
        let port = port.to_string();
        let duty = duty.to_string();
        let mut flags = vec![format!("--axon.port={port}"), format!("--distill.duty={duty}"), format!("--distill.off={off}")];
        flags.extend([format!("--teacher={name}"), "--wallet.path=/w".to_owned()]);
        if named {
            flags.push(format!("--wallet.name={name}"));
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let dumped = read("", &[&flags[..], &["--dump-config"]].concat()).unwrap().dump().unwrap();
        let again = read(&dumped, &[]).unwrap();
        let first = read("", &flags).unwrap();
        prop_assert_eq!(format!("{:?}", first.arguments().command), format!("{:?}", again.arguments().command));
    }

    /// No text of a file is a panic.
    #[test]
    fn any_text_is_taken_or_refused(text in "[a-z.\\[\\]=' \n0-9é]{0,60}") {
        let _ = read(&text, &["--teacher", "t"]);
    }
}
