//! What an owner does: the commands of the README as they stand there, and a change of the spec that nodes follow.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use athanor_chain::{Client, EpochSchedule, Wallet, wallet::KeyKind};
use athanor_devnet::development_pair;
use athanor_net::{Identity, NetConfig};
use athanor_spec::{Announcement, BlockNumber, Commitment, Digest, SubnetSpec, wire::NodeKind};
use athanor_validator::book::Book;

use crate::{
    binary::binary,
    chain::within,
    miner::{Asker, NETUID, VALIDATOR},
    rig::Rig,
};

/// How long a change of the spec may take here, all in all.
const LONG: Duration = Duration::from_secs(180);

/// Seed of the development account `//Bob`.
const BOB: &str = "398f0c28f98885e046333d4a41c19cee4c37368a9832c6502f6cfd182e2aef89";

/// The commands of a chapter of the README, comments left out.
fn commands(chapter: &str) -> Vec<String> {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once(&format!("\n## {chapter}\n")).unwrap();
    let text = rest.split("\n## ").next().unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .map(|line| line.split("  #").next().unwrap().trim().to_owned())
        .collect()
}

/// A chain as a process of its own, which ends with this.
struct Chain(Child);

impl Drop for Chain {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Chain {
    /// Starts it with the command that the README gives, on a port that is free.
    fn start(command: &str) -> (Self, String) {
        let words = command.split_whitespace().skip(1);
        let mut child = Command::new(binary("athanor-devnet"))
            .args(words)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| {
            let line = line.unwrap();
            let at = line.find("ws://")?;
            Some(line[at..].split_whitespace().next().unwrap().to_owned())
        });
        // What it prints later, nobody reads, and a pipe without a reader would end it.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), url.unwrap())
    }
}

/// Types a command into a shell whose home is `folder` and whose local network is `url`.
fn type_in(folder: &Path, url: &str, command: &str) -> Output {
    let binaries = binary("athanor-subnet");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", binaries.parent().unwrap().display());
    let command = command.replace(
        "--subtensor.network local",
        &format!("--subtensor.network {url}"),
    );
    Command::new("sh")
        .args(["-c", &command])
        .current_dir(folder)
        .env("PATH", path)
        .env("HOME", folder)
        .env("RUST_LOG", "off")
        .env("BT_SUBTENSOR_NETWORK", url)
        .env("BT_SUBTENSOR_CHAIN_ENDPOINT", url)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn an_owner_publishes_a_spec_with_the_commands_of_the_readme_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = commands("Owning a subnet").into_iter();
    let (_chain, url) = Chain::start(&commands.next().unwrap());
    let mut last = String::new();
    let mut typed = Vec::new();
    for command in commands {
        let output = type_in(folder.path(), &url, &command);
        let (told, wrong) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        // `diff` is of two that differ, and before anything is set not all fits.
        let differs =
            command.starts_with("athanor-subnet diff") || command.ends_with("--apply --dry-run");
        let expected = i32::from(differs);
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{command}\n{told}{wrong}"
        );
        println!("$ {command}\n{told}");
        if command.contains("register") {
            assert!(told.contains("registered subnet 2 "), "{told}");
        }
        if command.starts_with("athanor-subnet check") && command.contains("--subtensor") {
            assert!(
                told.contains("it is announced") || told.contains("it is the spec in force"),
                "{told}"
            );
            assert!(!told.contains("DIFFERS"), "{told}");
        }
        typed.push(command);
        last = told;
    }
    assert!(typed.len() >= 14, "{typed:#?}");
    let digest = |name: &str| {
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        SubnetSpec::from_toml(&text).unwrap().digest().to_string()
    };
    assert!(last.contains(&digest("next.toml")), "{last}");

    // Somebody else's hotkey announces nothing that counts, and a spec without a greater version key is refused.
    for (command, expected) in [
        (
            "athanor-miner wallet --wallet.name other new --key hotkey && athanor-subnet publish subnet.toml --wallet.name other",
            "counts on subnet 2",
        ),
        (
            "athanor-subnet new same.toml --from subnet.toml --set round.deadline_ms=7000 && athanor-subnet publish same.toml \
             --wallet.name owner --at 4000000 --json",
            "raise it",
        ),
        (
            "athanor-subnet publish next.toml --wallet.name owner --at 1",
            "too soon",
        ),
    ] {
        let output = type_in(folder.path(), &url, command);
        let told = String::from_utf8(output.stderr).unwrap();
        // Until the first epoch nothing is in force, and the first spec may be replaced at will.
        let before_the_first = output.status.success() && command.contains("same.toml");
        assert!(
            before_the_first || (output.status.code() == Some(2) && told.contains(expected)),
            "{command}\n{told}"
        );
    }
}

async fn schedule(chain: &Client) -> EpochSchedule {
    chain.schedule(NETUID, None).await.unwrap()
}

/// Announces a spec as the owner; the block from which on it holds.
async fn publish(chain: &Client, spec: Digest, activation: BlockNumber) {
    let published = chain.publication(NETUID, None).await.unwrap();
    let before = published.announcement.map(|(announcement, _)| announcement);
    let next = Announcement::followed_by(before.as_ref(), published.read_at, spec, activation);
    let owner = development_pair(VALIDATOR);
    chain.announce_spec(owner, NETUID, next).await.unwrap();
    let (found, _) = chain
        .publication(NETUID, None)
        .await
        .unwrap()
        .announcement
        .unwrap();
    assert_eq!(found, next);
}

/// The first block of the epoch after the next.
async fn epoch_after_next(chain: &Client) -> BlockNumber {
    let schedule = schedule(chain).await;
    BlockNumber(schedule.next_epoch_block.0 + 2 * u32::from(schedule.tempo))
}

fn other_spec() -> SubnetSpec {
    SubnetSpec::local()
        .with("round.deadline_ms", "7000")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_learns_the_next_spec_and_takes_it_up_and_one_that_has_it_not_ends() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let (old, next) = (SubnetSpec::local(), other_spec());
    let mut rig = Rig::new(0.0).await;
    // The owner's node has the next spec, and is where the chain says.
    let owner = development_pair(VALIDATOR);
    let identity = Identity::from_seed([88; 32]);
    let record = Commitment {
        peer_key: identity.peer_key(),
        spec: old.digest(),
        ..Commitment::default()
    };
    let (_, _inbound, node) = athanor_net::start(NetConfig {
        kind: NodeKind::Validator,
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        spec: Some(next.clone()),
        ..NetConfig::new(identity, old.limits.clone())
    })
    .await
    .unwrap();
    let at = node.local_addr().unwrap();
    rig.chain
        .serve_axon(owner.clone(), NETUID, at)
        .await
        .unwrap();
    let now = rig.chain.finalized().await.unwrap().number;
    publish(&rig.chain, old.digest(), now).await;
    // What the hotkey commits to as a node, and what it announces, do not displace each other.
    rig.chain
        .set_commitment(owner.clone(), NETUID, &record)
        .await
        .unwrap();

    rig.start(&["--distill.off"]);
    let asker = Asker::start(VALIDATOR, &rig.chain).await;
    let mut seed = 0;
    let mut ask = || {
        seed += 1;
        asker.ask(seed)
    };
    let (_, address, _) = rig.in_service(&asker, &mut ask).await;
    let status = asker.net.status(&address, LONG).await.unwrap();
    assert_eq!(status.spec, Some(old.digest()));

    let activation = epoch_after_next(&rig.chain).await;
    publish(&rig.chain, next.digest(), activation).await;
    let metagraph = rig.chain.metagraph(NETUID).await.unwrap();
    let (kept, _) = metagraph
        .by_uid(athanor_spec::Uid(0))
        .unwrap()
        .commitment
        .unwrap();
    assert_eq!(kept, record);
    let changed = async {
        loop {
            // It is away for a moment when it changes over, and tells no more often than now and then.
            if let Ok(status) = asker.net.status(&address, Duration::from_secs(5)).await {
                let block = rig.chain.finalized().await.unwrap().number;
                if status.spec == Some(next.digest()) {
                    break block;
                }
                assert!(
                    block < activation,
                    "the old spec is followed in block {block}:\n{}",
                    rig.log()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let changed = tokio::time::timeout(LONG, changed).await;
    let block = changed.unwrap_or_else(|_| panic!("it never changed over:\n{}", rig.log()));
    // A miner is ready for an epoch one block before it here.
    assert!(
        block.0 + 1 >= activation.0,
        "{block} is before {activation}"
    );
    rig.in_service(&asker, &mut ask).await;
    for expected in ["learnt from a peer", "taking up the spec in force"] {
        assert!(
            rig.log().contains(expected),
            "no {expected:?} in:\n{}",
            rig.log()
        );
    }
    rig.end().await;

    // One that was off when the other came into force learns it as it starts.
    fs::remove_dir_all(rig.directory.path().join("miner/specs")).unwrap();
    rig.start(&["--distill.off"]);
    rig.in_service(&asker, &mut ask).await;
    assert!(
        rig.log()
            .contains("the spec in force was learnt from a peer"),
        "{}",
        rig.log()
    );
    rig.end().await;

    // With the old spec only and nobody to ask it does not start, and says why.
    drop(node);
    fs::remove_dir_all(rig.directory.path().join("miner/specs")).unwrap();
    rig.start(&["--distill.off"]);
    let ended = rig.ended().await;
    assert_eq!(ended.code(), Some(2), "{}", rig.log());
    let log = rig.log();
    let last = log.trim_end().lines().last().unwrap();
    for part in [
        &next.digest().to_string(),
        "and this node holds only",
        &old.digest().to_string(),
    ] {
        assert!(last.contains(part), "no {part:?} in: {last}");
    }
}

/// A validator as a process of its own.
struct Validating {
    child: Child,
    log: PathBuf,
}

impl Drop for Validating {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Validating {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until its log has `part` after `from` bytes.
    async fn says(&mut self, part: &str, from: usize) {
        let wait = async {
            while !self.log()[from..].contains(part) {
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = tokio::time::timeout(LONG, wait).await;
        assert!(waited.is_ok(), "no {part:?} in:\n{}", self.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_closes_the_last_round_of_a_spec_by_it_and_begins_the_next_by_the_new_one() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let (old, next) = (SubnetSpec::local(), other_spec());
    let rig = Rig::new(0.0).await;
    let folder = rig.directory.path();
    let wallet = Wallet {
        path: folder.join("wallets"),
        name: "validator".to_owned(),
        hotkey: "default".to_owned(),
    };
    wallet.create(KeyKind::Coldkey, None).unwrap();
    let imported = wallet.import(KeyKind::Hotkey, BOB, None);
    assert_eq!(
        imported.unwrap().0,
        athanor_devnet::development_account(VALIDATOR)
    );
    let file = folder.join("next.toml");
    fs::write(&file, next.to_commented_toml()).unwrap();
    let now = rig.chain.finalized().await.unwrap().number;
    publish(&rig.chain, old.digest(), now).await;

    let (data_dir, log) = (folder.join("validator"), folder.join("validator.log"));
    let child = Command::new(binary("athanor-validator"))
        .args(["run", "--wallet.name", "validator", "--wallet.path"])
        .arg(folder.join("wallets"))
        .args([
            "--subtensor.chain_endpoint",
            &rig.chain.endpoint().to_string(),
        ])
        .args(["--axon.ip", "127.0.0.1", "--device", "cpu", "--teacher"])
        .arg(folder.join("teacher"))
        .arg("--data.dir")
        .arg(&data_dir)
        .arg("--subnet.next")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut validator = Validating { child, log };
    validator.says("round begins", 0).await;
    let activation = epoch_after_next(&rig.chain).await;
    publish(&rig.chain, next.digest(), activation).await;
    validator.says("taking up the spec in force", 0).await;
    let from = validator.log().find("taking up the spec in force").unwrap();
    validator.says(&next.digest().to_string(), from).await;
    validator.says("round begins", from).await;
    let id = validator.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let ended = within(async {
        loop {
            if let Some(status) = validator.child.try_wait().unwrap() {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(ended.await.success(), "{}", validator.log());

    let book = Book::open(&data_dir.join("ledger.redb")).unwrap();
    let rounds = book.rounds().unwrap();
    let (before, after): (Vec<_>, Vec<_>) = rounds
        .iter()
        .partition(|(head, _)| head.first_block < activation);
    assert!(!before.is_empty() && !after.is_empty());
    for (head, closed) in before {
        assert_eq!(head.spec, old.digest(), "round {}", head.round);
        assert!(closed.is_some(), "round {} is open", head.round);
    }
    for (head, _) in after {
        assert_eq!(head.spec, next.digest(), "round {}", head.round);
    }
}
