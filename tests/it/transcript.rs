//! A third party with nothing but the chain and what validators serve checks every verdict and every weight.

use std::path::Path;

use athanor_localnet::{Subnet, report::Role, settings::Settings};
use athanor_scoring::{
    ledger::AskOutcome,
    transcript::{Sight, Transcript},
};
use athanor_spec::{Hotkey, Round, SubnetSpec};
use athanor_validator::{
    archive::Archive,
    cli::{Cli, Command},
    verify::{self, Difference, Report},
};
use clap::Parser as _;
use futures::StreamExt as _;

/// The round that is looked at: by then every miner has been asked twice.
const ROUND: Round = Round(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_derives_both_weight_vectors_anew_and_replays_every_ask_that_was_opened() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let cache = tempfile::tempdir().unwrap();
    // Not every ask is opened, as on a subnet whose verification has to be cheap.
    let spec = cache.path().join("subnet.toml");
    let text = SubnetSpec::DEFAULT_TOML.replace("opening_share = 1.0", "opening_share = 0.6");
    std::fs::write(&spec, text).unwrap();
    let spec = spec.to_str().unwrap();
    let words = "athanor-localnet --headless --port 0 --tempo 20 --seed 5 --spec";
    let settings = Settings::try_parse_from(words.split(' ').chain([spec])).unwrap();
    let subnet = Subnet::start(&settings).await.unwrap();
    let validators: Vec<Hotkey> = subnet
        .members
        .iter()
        .filter(|member| member.role == Role::Validator)
        .map(|member| member.hotkey)
        .collect();
    assert_eq!(validators.len(), 2);
    let dirs: Vec<_> = std::fs::read_dir(subnet.data_dir.join("validators"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("transcripts"))
        .collect();
    // The round after the one that is opened anchors it on chain, whatever became of the first attempt.
    let mut blocks = subnet.client.blocks();
    let closed = |dir: &Path| {
        let archive = Archive::open(dir.to_owned()).unwrap();
        archive.rounds().unwrap().last() > Some(&ROUND)
    };
    while !dirs.iter().all(|dir| closed(dir)) {
        blocks.next().await.unwrap().unwrap();
    }
    // Commitments and weights follow within the block or two that are left of the epoch.
    for _ in 0..2 {
        blocks.next().await.unwrap().unwrap();
    }

    let mut vectors = Vec::new();
    for validator in &validators {
        let validator = validator.to_string();
        let round = ROUND.to_string();
        let remote = [
            "--validator",
            &validator,
            "--subtensor.chain_endpoint",
            &subnet.url(),
            "--cache",
            cache.path().to_str().unwrap(),
            "--spec",
            spec,
        ];
        let opened = verified(&subnet, &[&remote[..], &["--round", &round]].concat()).await;
        assert!(opened.holds(), "{opened}");
        assert_eq!(opened.anchored, Some(true), "{opened}");
        assert!(opened.planned >= 100, "{opened}");
        // A machine with much else to do does not get through all of them before the round is closed.
        assert!(opened.leaves.len() * 2 >= opened.planned, "{opened}");
        let answered = opened.leaves.iter().filter(|leaf| leaf.sight == "answered");
        let replayed = answered.clone().filter(|leaf| leaf.not_replayed.is_none());
        assert_eq!(replayed.count(), answered.clone().count(), "{opened}");
        assert!(answered.count() >= 40, "{opened}");
        let closed = opened.leaves.iter().filter(|leaf| leaf.sight == "unopened");
        assert!(closed.count() >= 20, "{opened}");

        let weights = verified(&subnet, &[&remote[..], &["--weights"]].concat()).await;
        assert!(weights.holds(), "{weights}");
        assert!(weights.on_chain >= Some(ROUND), "{weights}");
        let of_round = weights.weights.iter().find(|round| round.round == ROUND);
        vectors.push(of_round.unwrap().weights.clone());
    }
    // Two validators with seeds of their own: each vector is its own, bit for bit.
    assert!(vectors.iter().all(|vector| !vector.is_empty()));
    assert_ne!(vectors[0], vectors[1]);

    let forged = cache.path().join("forged.transcript");
    let archive = Archive::open(dirs[0].clone()).unwrap();
    let bytes = std::fs::read(archive.transcript(ROUND)).unwrap();
    let honest = Transcript::from_bytes(&bytes, &subnet.spec.limits).unwrap();
    let check = async |leaf: usize, change: fn(&mut Sight), wrong: fn(&Difference) -> bool| {
        let mut leaves = honest.leaves.clone();
        change(&mut leaves[leaf].sight);
        let transcript = Transcript::new(honest.head.clone(), leaves);
        std::fs::write(&forged, transcript.to_bytes()).unwrap();
        let leaf = leaf.to_string();
        let file = forged.to_str().unwrap();
        let only = ["--no-replay", "--leaf", &leaf, "--spec", spec];
        let report = verified(&subnet, &[&[file][..], &only[..]].concat()).await;
        let found = &report.leaves[0].differences;
        assert!(found.iter().any(wrong), "{report}");
    };
    let at = |is: fn(&Sight) -> bool| {
        honest
            .leaves
            .iter()
            .position(|leaf| is(&leaf.sight))
            .unwrap()
    };
    // An honest one: a cheat's evidence is at its cap whatever else is said of its tokens.
    let answered = at(|sight| {
        matches!(
            sight,
            Sight::Answered {
                outcome: AskOutcome::Answered { e_value: Some(e_value), .. },
                ..
            } if *e_value < 1.0
        )
    });
    // A lie about what the time was worth, one about evidence, one about time itself, and words put into a mouth.
    check(answered, better_service, |wrong| {
        matches!(
            wrong,
            Difference::Verdict {
                field: "service",
                ..
            }
        )
    })
    .await;
    check(answered, hidden_margin, |wrong| {
        matches!(
            wrong,
            Difference::Verdict {
                field: "e_value",
                ..
            }
        )
    })
    .await;
    check(answered, other_tokens, |wrong| {
        matches!(wrong, Difference::Receipt { .. })
    })
    .await;
    // An ask that was to be opened, and is said not to have been; and a time that was worth less than is said.
    check(answered, left_closed, |wrong| {
        matches!(wrong, Difference::Opening { opened: true })
    })
    .await;
    let unopened = at(|sight| matches!(sight, Sight::Unopened { .. }));
    check(unopened, worse_service, |wrong| {
        matches!(
            wrong,
            Difference::Verdict {
                field: "outcome",
                ..
            }
        )
    })
    .await;
    subnet.shutdown().await.unwrap();
}

fn left_closed(sight: &mut Sight) {
    if let Sight::Answered {
        receipt,
        times,
        outcome: AskOutcome::Answered { service, pace, .. },
        ..
    } = sight
    {
        *sight = Sight::Unopened {
            receipt: receipt.clone(),
            times: *times,
            outcome: AskOutcome::Unopened {
                service: Some(*service),
                pace: *pace,
            },
        };
    }
}

fn worse_service(sight: &mut Sight) {
    if let Sight::Unopened {
        outcome: AskOutcome::Unopened { service, .. },
        ..
    } = sight
    {
        *service = None;
    }
}

fn better_service(sight: &mut Sight) {
    if let Sight::Answered {
        outcome: AskOutcome::Answered { service, .. },
        ..
    } = sight
    {
        *service = *service / 2.0 + 0.25;
    }
}

fn hidden_margin(sight: &mut Sight) {
    if let Sight::Answered { tokens, .. } = sight {
        for token in tokens {
            token.margin = 3.0;
        }
    }
}

fn other_tokens(sight: &mut Sight) {
    if let Sight::Answered { receipt, .. } = sight {
        receipt.answer.payload.tokens[0] ^= 1;
    }
}

/// What `athanor-validator verify` finds with these arguments.
async fn verified(subnet: &Subnet, arguments: &[&str]) -> Report {
    let teacher = subnet.data_dir.join("teacher");
    let words = [
        "athanor-validator",
        "verify",
        "--teacher",
        teacher.to_str().unwrap(),
    ];
    let words = words.iter().chain(arguments).chain(&["--device", "cpu"]);
    let cli = Cli::try_parse_from(words).unwrap();
    let Command::Verify(arguments) = cli.command else {
        unreachable!("`verify` is what was said");
    };
    verify::verify(&arguments).await.unwrap()
}
