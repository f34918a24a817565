//! Some attacks on a real subnet: they do not pay, and nobody honest is accused.

use athanor_localnet::{
    red_team::{self, Arguments, Verdict},
    settings::{Command, Settings},
};
use clap::Parser as _;
use tokio_util::sync::CancellationToken;

fn arguments(arguments: &[&str]) -> Arguments {
    let all = ["athanor-localnet", "red-team"].iter().chain(arguments);
    match Settings::try_parse_from(all).unwrap().command {
        Some(Command::RedTeam(arguments)) => *arguments,
        None => panic!("no command"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_that_must_earn_next_to_nothing_do_and_honest_miners_are_not_accused() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let attacks = ["--attack", "ignored_seed", "relay_teacher", "relay"];
    let arguments = arguments(&[&attacks[..], &["--epochs", "6", "--seed", "3"]].concat());
    let outcome = red_team::measure(&arguments, &CancellationToken::new(), |told| {
        eprintln!("{told}")
    })
    .await
    .unwrap()
    .unwrap();
    assert_eq!(outcome.findings.len(), 3);
    for finding in &outcome.findings {
        // A verdict of three epochs may still be open: an attack is paid until the round that condemns it.
        assert_ne!(finding.verdict, Verdict::Exceeded, "{outcome}");
        assert_eq!(finding.accused, finding.seats, "{outcome}");
        assert!(finding.faults.contains("wrong_checkpoint"), "{outcome}");
        assert!(finding.paid_epochs < finding.epochs, "{outcome}");
    }
    assert_eq!(outcome.accusations.accused, 0, "{outcome}");
    assert!(outcome.accusations.miner_epochs > 0, "{outcome}");
    outcome.judged().unwrap();
}

#[tokio::test]
async fn the_command_says_what_it_can_be_told_and_which_attacks_there_are() {
    let run = |arguments: &'static [&'static str]| {
        let mut command = std::process::Command::new(crate::binary::binary("athanor-localnet"));
        command.args(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let help = run(&["red-team", "--help"]).await.unwrap();
    let told = String::from_utf8_lossy(&help.stdout);
    assert!(help.status.success(), "{told}");
    for flag in ["--attack", "--epochs", "--seed", "--json", "--report"] {
        assert!(told.contains(flag), "{told}");
    }
    let unknown = run(&["red-team", "--attack", "bribery"]).await.unwrap();
    let told = String::from_utf8_lossy(&unknown.stderr);
    assert_eq!(unknown.status.code(), Some(2), "{told}");
    assert!(
        told.contains("bribery") && told.contains("ignored_seed"),
        "{told}"
    );
    assert_eq!(told.trim().lines().count(), 1, "{told}");
}
