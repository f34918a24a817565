//! `athanor-miner check` against a miner that runs and a chain: every test of it, and what it says of pay.

use serde_json::Value;

use crate::{
    miner::{Asker, VALIDATOR},
    rig::Rig,
};

fn outcome<'a>(report: &'a Value, name: &str) -> &'a Value {
    let tests = report["tests"].as_array().unwrap();
    let found = tests.iter().find(|test| test["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_tries_a_running_miner_as_validators_do_grades_it_and_says_what_that_pays() {
    let mut rig = Rig::new(0.02).await;
    let (report, good) = rig.check().await;
    assert!(!good, "{report:#}");
    assert_eq!(outcome(&report, "registration")["outcome"], "pass");
    assert_eq!(outcome(&report, "commitment")["outcome"], "fail");

    rig.start(&["--distill.off"]);
    let asker = Asker::start(VALIDATOR, &rig.chain).await;
    let mut nonce = 0;
    rig.in_service(&asker, || {
        nonce += 1;
        asker.ask(nonce)
    })
    .await;
    let (report, _) = rig.check().await;
    // How fast this machine is, beside other tests, is no matter of this one.
    for name in [
        "model",
        "teacher",
        "tokenizer",
        "registration",
        "axon record",
        "commitment",
        "spec",
        "reachability",
        "peer binding",
        "answers",
        "signature",
        "digest",
        "status",
        "artifact",
        "audit",
    ] {
        assert_eq!(outcome(&report, name)["outcome"], "pass", "{report:#}");
    }
    let notes = report["notes"].to_string();
    for told in ["fidelity 0.", "correctness", "at least 100.00 %"] {
        assert!(notes.contains(told), "{notes}");
    }
    rig.end().await;
}
