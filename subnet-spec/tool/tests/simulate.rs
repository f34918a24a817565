//! `simulate` as scripts use it: what it prints, that it repeats itself, and how it exits.

// Clippy's exemption for tests stops at the functions that tests share.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

/// Few and short runs of a small population.
const SMALL: &str = r#"
[[miners]]
behaviour = "honest"
count = 6
[[miners]]
behaviour = "relay"
count = 1
[[validators]]
behaviour = "honest"
count = 3
stake = 1.0
"#;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_athanor-subnet"))
        .arg("simulate")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    folder
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn as_json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(folder, arguments)).unwrap()
}

const SHORT: [&str; 6] = [
    "--population",
    "small.toml",
    "--epochs",
    "12",
    "--runs",
    "2",
];

fn check_fails(folder: &Path, arguments: &[&str], expected: &[&str]) {
    let output = run(folder, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    for expected in expected {
        assert!(error.contains(expected), "`{error}` without `{expected}`");
    }
}

#[test]
fn the_same_seed_prints_the_same_but_for_the_clock() {
    let folder = small();
    let of = |seed: &str| {
        let mut reports = as_json(
            folder.path(),
            &[&SHORT[..], &["--json", "--seed", seed]].concat(),
        );
        let report = reports[0].as_object_mut().unwrap();
        report.remove("seconds").unwrap();
        report.remove("battery_seconds").unwrap();
        reports
    };
    assert_eq!(of("3"), of("3"));
    assert_ne!(of("3"), of("4"));
}

#[test]
fn a_table_says_who_earned_what_with_bounds_and_who_was_found() {
    let folder = small();
    let text = printed(folder.path(), &SHORT);
    for expected in [
        "bounds of 95 %",
        "relay",
        "100 %",
        "0 of 36 pairs",
        "Gini",
        "Nakamoto",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn specs_are_put_side_by_side_and_keys_are_swept() {
    let folder = small();
    let spec =
        athanor_spec::SubnetSpec::DEFAULT_TOML.replacen("exponent = 2.0", "exponent = 3.0", 1);
    fs::write(folder.path().join("other.toml"), spec).unwrap();
    let beside = printed(
        folder.path(),
        &[&SHORT[..], &["--against", "other.toml"]].concat(),
    );
    assert!(beside.contains("spec by spec") && beside.contains("other.toml"));
    let swept = as_json(
        folder.path(),
        &[
            &SHORT[..],
            &[
                "--sweep",
                "allocation.exponent=1,2",
                "--sweep",
                "allocation.curve=\"proportional\",\"crown\"",
                "--json",
                "--plot",
                "plots",
            ],
        ]
        .concat(),
    );
    assert_eq!(swept.as_array().unwrap().len(), 4);
    let specs: Vec<&str> = swept
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["spec"].as_str().unwrap())
        .collect();
    assert!(specs[0].contains("allocation.exponent=1"), "{specs:?}");
    let plot = fs::read_to_string(folder.path().join("plots/over-honest.svg")).unwrap();
    assert!(plot.starts_with("<svg ") && plot.contains("relay"));
    assert!(folder.path().join("plots/pay-validators-4.svg").is_file());
}

#[test]
fn csv_has_a_row_for_every_group() {
    let folder = small();
    let csv = printed(folder.path(), &[&SHORT[..], &["--csv"]].concat());
    let rows: Vec<&str> = csv.trim_end().lines().collect();
    assert_eq!(rows.len(), 1 + 3);
    let columns = rows[0].split(',').count();
    assert!(rows.iter().all(|row| row.split(',').count() == columns));
}

#[test]
fn an_attack_is_held_to_its_bound_by_the_exit_status() {
    let folder = small();
    let short = ["--epochs", "30", "--runs", "2"];
    let found = as_json(
        folder.path(),
        &[&short[..], &["--attack", "relay", "--json"]].concat(),
    );
    assert_eq!(found[0]["attack"], "relay");
    assert_eq!(found[0]["exceeds"], false);
    assert_eq!(found[0]["false_accusations"], 0);
    assert!(found[0]["over_honest"]["mean"].as_f64().unwrap() < 0.1);
    // Siblings on one card are paid for more than the card where goodput is worth its root.
    let output = run(
        folder.path(),
        &[
            "--epochs",
            "150",
            "--runs",
            "1",
            "--attack",
            "sibling_flood",
            "--sweep",
            "allocation.goodput=concave",
        ],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("PAYS"), "{text}");
}

#[test]
fn a_recorded_metagraph_is_a_population() {
    let folder = small();
    let neuron = |uid: u16, stake: u64, incentive: u16| {
        json!({
            "uid": uid, "stake_rao": stake, "validator_permit": stake > 0, "incentive": incentive,
            "hotkey": "of nobody",
        })
    };
    let recorded = json!({
        "tempo": 360,
        "block": 5,
        "neurons": [
            neuron(0, 3_000_000_000, 0),
            neuron(1, 1_000_000_000, 0),
            neuron(2, 0, 40_000),
            neuron(3, 0, 10_000),
            neuron(4, 0, 0),
        ],
    });
    fs::write(folder.path().join("graph.json"), recorded.to_string()).unwrap();
    let arguments = ["--metagraph", "graph.json", "--epochs", "40", "--runs", "1"];
    let reports = as_json(folder.path(), &[&arguments[..], &["--json"]].concat());
    let earned = |name: &str| {
        let groups = reports[0]["groups"].as_array().unwrap();
        let group = groups.iter().find(|it| it["name"] == name).unwrap();
        group["earned"]["mean"].as_f64().unwrap()
    };
    assert!(earned("uid 2") > 2.0 * earned("uid 3"));
    assert!(earned("uid 3") > 5.0 * earned("uid 4"));
    assert!(earned("validator 0") > 2.0 * earned("validator 1"));
}

#[test]
fn the_catalogue_and_yuma_s_behaviour_are_printed() {
    let folder = small();
    let catalogue = as_json(folder.path(), &["--catalogue", "--json"]);
    assert!(catalogue.as_array().unwrap().len() >= 36);
    assert!(printed(folder.path(), &["--catalogue"]).contains("sibling_flood"));
    let yuma = printed(folder.path(), &["--yuma", "--plot", "yuma"]);
    assert!(yuma.contains("kappa 0.50") && yuma.contains("Yuma 3 with liquid alpha"));
    assert!(folder.path().join("yuma/yuma-cartel.svg").is_file());
    assert!(folder.path().join("yuma/yuma-bonds-9.svg").is_file());
}

#[test]
fn mistakes_are_one_line_that_names_them() {
    let folder = small();
    let path = folder.path();
    check_fails(path, &["--population", "none.toml"], &["none.toml"]);
    let replaced = SMALL.replacen("relay", "relais", 1);
    fs::write(path.join("typo.toml"), replaced).unwrap();
    check_fails(
        path,
        &["--population", "typo.toml"],
        &["relais", "--catalogue"],
    );
    fs::write(path.join("key.toml"), format!("{SMALL}\nstakes = 1")).unwrap();
    check_fails(path, &["--population", "key.toml"], &["key.toml", "stakes"]);
    check_fails(
        path,
        &["--sweep", "allocation.exponents=1"],
        &["allocation.exponents", "allocation.exponent"],
    );
    check_fails(path, &["--sweep", "allocation.exponent"], &["KEY=VALUES"]);
    check_fails(
        path,
        &["--attack", "nonsense"],
        &["nonsense", "--catalogue"],
    );
    check_fails(
        path,
        &["--metagraph", "small.toml"],
        &["small.toml", "show --netuid"],
    );
}
