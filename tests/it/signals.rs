//! What an operator does to a running miner: new settings by SIGHUP, a quota on its directory, an end that does not wait.

use std::{fs, time::Duration};

use athanor_spec::{Ask, SubnetSpec};
use futures::{StreamExt as _, stream::FuturesUnordered};

use crate::{
    miner::{Asker, ENDLESS, VALIDATOR, within},
    rig::Rig,
};

async fn until(rig: &Rig, told: &str) {
    let seen = async {
        while !rig.log().contains(told) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(ENDLESS, seen).await.is_err() {
        panic!("never told: {told}\n{}", rig.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_taken_over_old_runs_make_room_and_a_second_signal_ends_at_once() {
    let mut rig = Rig::new(0.02).await;
    let file = rig.directory.path().join("miner.toml");
    let path = file.to_str().unwrap().to_owned();
    let write = |text: &str| fs::write(&file, text).unwrap();
    // What an earlier model's training left.
    let old = rig.directory.path().join("miner/distill/0123456789ab");
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("state"), vec![0; 1 << 20]).unwrap();
    write("data.quota = \"100kB\"\ndrain.seconds = 60\nengine.slots = 1\n");
    rig.start(&["--distill.off", "--config", &path]);
    let asker = Asker::start(VALIDATOR, &rig.chain).await;
    let mut nonce = 0;
    let mut ask = || {
        nonce += 1;
        asker.ask(nonce)
    };
    let (_, address, answer) = rig.in_service(&asker, &mut ask).await;
    assert!(!old.exists(), "{}", rig.log());
    // What is served stays, though it alone is over the quota.
    let served = rig.directory.path().join("miner/checkpoints");
    assert!(served.join(answer.checkpoint.to_string()).exists());
    assert!(rig.log().contains("over its quota"), "{}", rig.log());

    write(
        "drain.seconds = 50\nengine.slots = 2\nallowance.rate = 1000000\nallowance.burst = 1000000\n",
    );
    rig.signal("HUP");
    until(&rig, "engine.slots").await;
    let log = rig.log();
    for line in log.lines().filter(|line| line.contains("SIGHUP")) {
        let later = line.contains("when the miner is started again");
        assert_eq!(later, line.contains("engine.slots"), "{line}");
    }
    for setting in ["drain.seconds", "allowance.rate", "data.quota"] {
        let told = log
            .lines()
            .any(|line| line.contains("SIGHUP: changed") && line.contains(setting));
        assert!(told, "{setting}:\n{log}");
    }
    write("engine.slots = \"many\"\n");
    rig.signal("HUP");
    until(&rig, "the settings stay as they were").await;

    // Seconds of work that it has to finish before it ends, were it not for the second signal.
    let long = |seed: u64| {
        let ask = Ask {
            prompt: vec![5, 6, 7],
            max_new_tokens: SubnetSpec::local().limits.max_new_tokens as u16,
            temperature_milli: 800,
            seed,
        };
        asker.sign(ask, seed, 60_000)
    };
    let mut asked: FuturesUnordered<_> = (1_000..1_060)
        .map(|seed| asker.net.ask(&address, long(seed), ENDLESS))
        .collect();
    let ending = async {
        // One was answered: the others wait for the only slot.
        asked.next().await;
        // Of two kinds, since two of one kind may come as one; and at once, so that there is work left for the second.
        rig.signal("TERM");
        rig.signal("INT");
        rig.ended().await
    };
    let status = within(ending).await;
    let log = rig.log();
    assert_eq!(status.code(), Some(130), "{log}");
    let place = |told: &str| {
        log.find(told)
            .unwrap_or_else(|| panic!("no {told}:\n{log}"))
    };
    assert!(place("finishing what is in progress") < place("stopping at once"));
}
