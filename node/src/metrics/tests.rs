//! What a scrape says, and what the server does with clients that are no scrapers.

use athanor_chain::SubmitError;
use athanor_spec::{Epoch, Hotkey, Rao, Uid};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

fn schedule() -> EpochSchedule {
    EpochSchedule {
        tempo: 100,
        epoch: Epoch(9),
        last_epoch_block: BlockNumber(950),
        next_epoch_block: BlockNumber(1050),
    }
}

fn metrics() -> Metrics {
    let metrics = Metrics::default();
    metrics.block(BlockNumber(1005), &schedule());
    metrics.countdown(Countdown {
        block: BlockNumber(1000),
        protocol: Protocol::Timelocked,
        epoch: 50,
        reveal: Some(70),
        activity_cutoff: Some(300),
        last_update: BlockNumber(960),
    });
    metrics
}

fn check(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.lines().any(|found| found == *line),
            "no `{line}` in\n{text}"
        );
    }
}

#[test]
fn countdowns_are_those_of_the_latest_block() {
    let text = metrics().text().unwrap();
    check(
        &text,
        &[
            "athanor_chain_finalized_block 1005.0",
            "athanor_epoch 9.0",
            "athanor_epoch_countdown_blocks 45.0",
            "athanor_weights_reveal_blocks 65.0",
            "athanor_weights_activity_cutoff_blocks 295.0",
            "athanor_weights_last_update_block 960.0",
            "athanor_neuron_registered 0.0",
            "# UNIT athanor_weights_reveal_blocks blocks",
            "# EOF",
        ],
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let text = Metrics::default().text().unwrap();
    for name in ["finalized", "countdown", "reveal_", "neuron"] {
        assert!(!text.contains(name), "{text}");
    }
    let metrics = metrics();
    metrics.countdown(Countdown {
        block: BlockNumber(1000),
        protocol: Protocol::Plain,
        epoch: 50,
        reveal: None,
        activity_cutoff: None,
        last_update: BlockNumber(960),
    });
    let text = metrics.text().unwrap();
    assert!(
        !text.contains("reveal_blocks") && !text.contains("cutoff"),
        "{text}"
    );
}

#[test]
fn weights_are_counted_by_form_and_failures_by_reason() {
    let metrics = metrics();
    metrics.weights_set(Protocol::Plain);
    metrics.weights_set(Protocol::Plain);
    metrics.weights_set(Protocol::Timelocked);
    metrics.weights_failed(&SetWeightsError::TooFast { wait_blocks: 3 });
    let call = "SubtensorModule.set_weights".to_owned();
    metrics.weights_failed(&SubmitError::Outdated { call }.into());
    metrics.weights_revealed();
    let text = metrics.text().unwrap();
    check(
        &text,
        &[
            "athanor_weights_set_total{form=\"plain\"} 2",
            "athanor_weights_set_total{form=\"timelocked\"} 1",
            "athanor_weights_failed_total{reason=\"too_fast\"} 1",
            "athanor_weights_failed_total{reason=\"outdated\"} 1",
            "athanor_weights_revealed_total 1",
            "athanor_weights_lost_total 0",
        ],
    );
}

#[test]
fn a_neuron_is_told_in_the_units_that_people_know() {
    let metrics = metrics();
    let neuron = Neuron {
        uid: Uid(3),
        hotkey: Hotkey([1; 32]),
        coldkey: Hotkey([2; 32]),
        stake: Rao(1_500_000_000),
        validator_permit: true,
        active: true,
        incentive: 0,
        dividends: u16::MAX,
        consensus: 0,
        validator_trust: u16::MAX,
        emission: Rao(250_000_000),
        last_update: BlockNumber(960),
        registered_at: BlockNumber(1),
        axon: None,
        commitment: None,
    };
    metrics.neuron(Some(&neuron));
    check(
        &metrics.text().unwrap(),
        &[
            "athanor_neuron_registered 1.0",
            "athanor_neuron_uid 3.0",
            "athanor_neuron_stake_alpha 1.5",
            "athanor_neuron_emission_alpha 0.25",
            "athanor_neuron_dividends_ratio 1.0",
        ],
    );
}

/// Every metric has a help text, and a name that says whose it is.
#[test]
fn every_metric_explains_itself() {
    let text = metrics().text().unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split([' ', '{']).next().unwrap();
        let family = name.strip_suffix("_total").unwrap_or(name);
        assert!(name.starts_with("athanor_"), "{line}");
        assert!(text.contains(&format!("# HELP {family} ")), "{line}");
    }
}

async fn ask(server: &MetricsServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_scraper_gets_metrics_and_others_are_told_where_they_are() {
    let server = serve("127.0.0.1:0".parse().unwrap(), metrics())
        .await
        .unwrap();
    let answer = ask(&server, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: application/openmetrics-text"),
        "{answer}"
    );
    assert!(answer.trim_end().ends_with("# EOF"), "{answer}");
    let answer = ask(&server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 404") && answer.contains("/metrics"),
        "{answer}"
    );
    let answer = ask(&server, "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET"),
        "{answer}"
    );
    let answer = ask(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"block\":1005"),
        "{answer}"
    );
    let answer = ask(&server, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("\"reasons\":[\"starting\"]"),
        "{answer}"
    );
    let answer = ask(&server, "nonsense\r\n\r\n").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );

    let taken = serve(server.address(), Metrics::default())
        .await
        .unwrap_err();
    let text = taken.to_string();
    assert!(
        text.contains(&server.address().to_string()) && text.contains("--metrics.addr"),
        "{text}"
    );
    let address = server.address();
    drop(server);
    // The port is free again, soon.
    let mut left = 100;
    while serve(address, Metrics::default()).await.is_err() {
        left -= 1;
        assert!(left > 0, "still taken");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[test]
fn what_a_miner_did_with_requests_is_told_by_reason() {
    let metrics = Metrics::default();
    assert!(!metrics.text().unwrap().contains("requests_refused"));
    metrics.serves(|| Served {
        answered: 3,
        refused: vec![("replayed", 2), ("overloaded", 0)],
        ..Served::default()
    });
    let text = metrics.text().unwrap();
    for line in [
        "athanor_asks_answered_total 3\n",
        "athanor_requests_refused_total{reason=\"replayed\"} 2\n",
        "athanor_requests_refused_total{reason=\"overloaded\"} 0\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn an_alarm_is_shown_as_long_as_it_is_raised() {
    let metrics = metrics();
    metrics.alarms([("weights_ageing".to_owned(), "warn")]);
    let raised = r#"athanor_alarm{name="weights_ageing",severity="warn"} 1"#;
    check(&metrics.text().unwrap(), &[raised]);
    metrics.alarms([]);
    assert!(!metrics.text().unwrap().contains("weights_ageing"));
}
