//! What the options are called, and which value wins.

use clap::Parser;

use super::*;

#[derive(Debug, Parser, PartialEq)]
struct Daemon {
    #[command(flatten)]
    subtensor: SubtensorArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    logging: LoggingArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    subnet: SubnetArgs,
}

fn parse(arguments: &[&str]) -> Daemon {
    Daemon::try_parse_from([&["daemon"], arguments].concat()).unwrap()
}

fn check_same(dots: &str, dashes: &str, value: &[&str]) {
    let with = |option: &str| parse(&[&[option], value].concat());
    assert_eq!(with(dots), with(dashes));
    assert_ne!(with(dots), parse(&[]), "{dots} changes nothing");
}

#[test]
fn dashes_are_as_good_as_dots() {
    check_same("--subtensor.network", "--subtensor-network", &["finney"]);
    check_same(
        "--subtensor.chain_endpoint",
        "--subtensor-chain-endpoint",
        &["ws://127.0.0.1:1"],
    );
    check_same(
        "--subtensor.chain_endpoint",
        "--subtensor.chain-endpoint",
        &["ws://127.0.0.1:1"],
    );
    check_same("--wallet.name", "--wallet-name", &["alice"]);
    check_same("--wallet.hotkey", "--wallet-hotkey", &["miner"]);
    check_same("--wallet.path", "--wallet-path", &["/tmp/wallets"]);
    check_same("--metrics.addr", "--metrics-addr", &["9615"]);
    check_same("--logging.debug", "--logging-debug", &[]);
    check_same("--logging.trace", "--logging-trace", &[]);
    check_same("--logging.json", "--logging-json", &[]);
    check_same("--subnet.spec", "--subnet-spec", &["subnet.toml"]);
    check_same("--subnet.next", "--subnet-next", &["next.toml"]);
}

#[test]
fn a_misspelt_network_is_refused_with_what_would_do() {
    let error = Daemon::try_parse_from(["daemon", "--subtensor.network", "finny"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(
        error.to_string().contains("local, finney, test, archive"),
        "{error}"
    );
}

#[test]
fn a_spec_that_cannot_be_read_is_refused_with_its_path() {
    let error = parse(&["--subnet.spec", "/nowhere/subnet.toml"])
        .subnet
        .load()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/nowhere/subnet.toml") && error.contains("athanor-subnet new"),
        "{error}"
    );
    let spec = parse(&["--netuid", "9"]).subnet.load().unwrap();
    assert_eq!(spec.subnet.netuid, athanor_spec::NetUid(9));
}

const ENVIRONMENT: [(&str, &str); 6] = [
    ("BT_SUBTENSOR_NETWORK", "test"),
    ("BT_SUBTENSOR_CHAIN_ENDPOINT", "ws://10.0.0.1:9944"),
    ("BT_WALLET_NAME", "from-environment"),
    ("BT_LOGGING_DEBUG", "1"),
    ("BT_LOGGING_JSON", "false"),
    ("BT_NETUID", "7"),
];

/// Runs this very test again, in a process of its own: variables belong to a process, and other tests read them too.
#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_default() {
    if std::env::var_os("BT_WALLET_NAME").is_none() {
        let name = "args::tests::a_flag_wins_over_the_environment_and_that_over_the_default";
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let output = again
            .args([name, "--exact"])
            .envs(ENVIRONMENT)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert_eq!(
            parse(&[]).subtensor.endpoints.to_string(),
            "ws://127.0.0.1:9944",
            "the default"
        );
        return;
    }
    let environment = parse(&[]);
    assert_eq!(
        environment.subtensor.endpoints.to_string(),
        "ws://10.0.0.1:9944",
        "an address wins over a network"
    );
    assert_eq!(environment.wallet.name, "from-environment");
    assert_eq!(environment.subnet.netuid, Some(athanor_spec::NetUid(7)));
    assert!(environment.logging.debug && !environment.logging.json);
    let flags = parse(&[
        "--subtensor.network",
        "local",
        "--wallet.name",
        "flag",
        "--netuid",
        "8",
    ]);
    assert_eq!(
        flags.subtensor.endpoints.to_string(),
        "ws://127.0.0.1:9944",
        "any flag wins over any variable"
    );
    let several = parse(&[
        "--subtensor.chain_endpoint",
        "ws://10.0.0.2:1,ws://10.0.0.3:1",
        "--subtensor.chain_endpoint",
        "finney",
    ]);
    assert_eq!(
        several.subtensor.endpoints.to_string(),
        "ws://10.0.0.2:1,ws://10.0.0.3:1,wss://entrypoint-finney.opentensor.ai:443"
    );
    assert_eq!(flags.wallet.name, "flag");
    assert_eq!(flags.subnet.netuid, Some(athanor_spec::NetUid(8)));
}
