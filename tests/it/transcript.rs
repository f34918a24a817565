//! A third party with nothing but the chain and what validators serve checks every verdict and every weight.

use std::{path::Path, process::Command as Process};

use athanor_chain::{Wallet, wallet::KeyKind};
use athanor_localnet::{
    Subnet,
    report::{Member, Role},
    settings::Settings,
};
use athanor_scoring::{
    ledger::AskOutcome,
    transcript::{Sight, Transcript},
};
use athanor_spec::{Hotkey, Round, SubnetSpec, telemetry::Event};
use athanor_tui::source::read_feed;
use athanor_validator::{
    archive::Archive,
    cli::{Cli, Command},
    verify::{self, Difference, Report},
};
use clap::Parser as _;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::binary::binary;

/// The round that is looked at: by then every miner has been asked twice.
const ROUND: Round = Round(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_derives_both_weight_vectors_anew_and_replays_every_ask_that_was_opened() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let cache = tempfile::tempdir().unwrap();
    // Not every ask is opened, as on a subnet whose verification has to be cheap.
    let spec = cache.path().join("subnet.toml");
    let part = SubnetSpec::local().with("round.opening_share", "0.6");
    std::fs::write(&spec, part.unwrap().to_toml()).unwrap();
    let spec = spec.to_str().unwrap();
    let words = "athanor-localnet --headless --port 0 --feed 0 --tempo 20 --seed 5 --spec";
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
        // A machine with much else to do does not come to all of them; what was answered is there all the same.
        assert!(opened.leaves.len() * 10 >= opened.planned * 9, "{opened}");
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

    no_challenge_is_told(&subnet, &dirs[0]).await;

    for (behaviour, fault) in [("honest", None), ("relay", Some("wrong_checkpoint"))] {
        let is = |member: &&Member| member.role == Role::Miner && member.behaviour == behaviour;
        let miner = subnet.members.iter().find(is).unwrap().hotkey;
        let status = status(&subnet, miner, spec).await;
        let words = status["pay"]["weights"].as_array().unwrap();
        assert_eq!(words.len(), 2, "{status:#}");
        for word in words {
            let because = &word["because"];
            assert_eq!(because["differences"], json!([]), "{status:#}");
            assert_eq!(because["fault"]["kind"], json!(fault), "{status:#}");
            assert!(because["asks"]["answered"].as_u64() > Some(0), "{status:#}");
            assert!(because["measured"]["effective_asks"].as_f64() > Some(0.0));
            assert_eq!(because["standing"]["miners"], 8, "{status:#}");
            assert_eq!(
                because["standing"]["weight"] == 0,
                fault.is_some(),
                "{status:#}"
            );
            let Some(leaf) = because["evidence"][0]["leaf"].as_u64() else {
                assert_eq!(fault, None, "an accusation without evidence: {status:#}");
                continue;
            };
            // What is told to be evidence is what it is told to be.
            let shown = verified(
                &subnet,
                &[
                    "--validator",
                    word["hotkey"].as_str().unwrap(),
                    "--round",
                    &because["round"].to_string(),
                    "--leaf",
                    &leaf.to_string(),
                    "--subtensor.chain_endpoint",
                    &subnet.url(),
                    "--cache",
                    cache.path().to_str().unwrap(),
                    "--spec",
                    spec,
                ],
            )
            .await;
            assert_eq!(shown.leaves.len(), 1, "{shown}");
            assert_eq!(shown.leaves[0].miner, miner, "{shown}");
            assert!(shown.leaves[0].differences.is_empty(), "{shown}");
        }
    }

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

/// What is told while rounds are open says nothing of what is asked in them: not the seed of a round or of an ask, no nonce
/// and no prompt.
async fn no_challenge_is_told(subnet: &Subnet, dir: &Path) {
    let feed = format!("http://{}", subnet.events().unwrap());
    let events = read_feed(feed.parse().unwrap()).await.unwrap();
    let told: Vec<String> = events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect();
    for name in ["round_started", "asked", "opened", "graded", "distilled"] {
        let named = |event: &Event| event.name() == name;
        assert!(events.iter().any(named), "{} events, no {name}", told.len());
    }
    let archive = Archive::open(dir.to_owned()).unwrap();
    let bytes = std::fs::read(archive.transcript(ROUND)).unwrap();
    let transcript = Transcript::from_bytes(&bytes, &subnet.spec.limits).unwrap();
    let mut secrets = vec![hex::encode(transcript.head.seed)];
    for ask in transcript.leaves.iter().filter_map(|leaf| leaf.ask()) {
        secrets.extend([ask.payload.seed.to_string(), ask.nonce.to_string()]);
        secrets.push(serde_json::to_string(&ask.payload.prompt).unwrap());
    }
    assert!(secrets.len() > 100, "{} secrets", secrets.len());
    // Shorter ones could be a number of something else.
    for secret in secrets.iter().filter(|secret| secret.len() > 8) {
        let found = told.iter().find(|json| json.contains(secret.as_str()));
        assert_eq!(found, None, "{secret} was told");
    }
}

/// What `athanor-miner status` says to the miner with this hotkey.
async fn status(subnet: &Subnet, hotkey: Hotkey, spec: &str) -> Value {
    let path = subnet.data_dir.join("wallets");
    let names = std::fs::read_dir(&path).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let wallet = |name: &str| Wallet {
        path: path.clone(),
        name: name.to_owned(),
        hotkey: "default".to_owned(),
    };
    let own = |name: &String| wallet(name).address(KeyKind::Hotkey).unwrap() == hotkey;
    let name = names.into_iter().find(own).unwrap();
    let spec = spec.to_owned();
    let (url, data) = (subnet.url(), subnet.data_dir.join("miners").join(&name));
    let told = tokio::task::spawn_blocking(move || {
        Process::new(binary("athanor-miner"))
            .args(["status", "--json", "--subnet.spec", &spec])
            .args(["--wallet.name", &name, "--wallet.path"])
            .arg(&path)
            .args(["--subtensor.chain_endpoint", &url, "--data.dir"])
            .arg(&data)
            .env("RUST_LOG", "off")
            .output()
            .unwrap()
    });
    let told = told.await.unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{said}");
    serde_json::from_slice(&told.stdout).unwrap()
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
