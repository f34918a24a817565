//! A miner that is killed at random moments under load: no checkpoint is damaged, no commitment lost, no replay accepted.
//!
//! In `cargo test` it is killed a few times. The long form is `KILLS=50 cargo test -p athanor-tests --test it kill --
//! --nocapture`, which prints what it measured.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use athanor_model::Checkpoint;
use athanor_net::{AskError, PeerAddress};
use athanor_spec::{Ask, Refusal, Signed, SubnetSpec};
use athanor_validator::{
    artifacts::{Artifacts, Requirements},
    signer::Signer,
};
use rand::{Rng, SeedableRng};

use crate::{
    miner::{Asker, ENDLESS, VALIDATOR, now_ms},
    rig::Rig,
};

/// Kills of the short form.
const FEW: usize = 3;
const SEED: u64 = 17;
/// How long a signed ask is fresh: longer than a life and a start, so that a replay is refused as one.
const WINDOW_MS: u64 = 110_000;
/// Asks at a time.
const LOAD: usize = 4;
/// Longest time to be back in service. It is seconds; what is more is the machine's.
const BACK: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_miner_comes_back_with_all_that_it_committed_to_and_serves_nothing_twice() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let kills = match env::var("KILLS") {
        Ok(kills) => kills.parse().expect("KILLS is a number"),
        Err(_) => FEW,
    };
    let mut rig = Rig::new(0.5).await;
    let asker = Arc::new(Asker::start(VALIDATOR, &rig.chain).await);
    let cache = Artifacts::new(
        rig.directory.path().join("cache"),
        asker.net.clone(),
        Signer::new(athanor_devnet::development_pair(VALIDATOR), asker.context),
        Requirements::of(&SubnetSpec::local(), &rig.model).unwrap(),
    )
    .unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(SEED);
    let nonces = Arc::new(AtomicU64::new(1));
    let (mut answered, mut committed, mut slowest) = (Vec::new(), Vec::new(), Duration::ZERO);
    for life in 0..=kills {
        // Nobody is there to commit anything, so this is the last one of the life before.
        committed.extend(rig.on_chain().await.map(|(_, checkpoint)| checkpoint));
        rig.start(&["--distill.judge_every", "10", "--distill.duty", "1"]);
        let (took, address, answer) = rig.in_service(&asker, || fresh(&asker, &nonces)).await;
        slowest = slowest.max(took);
        assert!(took < BACK, "life {life} took {took:?} to serve");

        // What earlier lives have answered is not answered again.
        for ask in answered.drain(..) {
            let refused = asker.net.ask(&address, ask, ENDLESS).await.unwrap_err();
            assert_eq!(refused, AskError::Refused(Refusal::Replayed), "life {life}");
        }
        // What is on chain can be fetched, whole and as it was committed, and what is served was committed once.
        let (_, checkpoint) = rig.on_chain().await.unwrap();
        let obtained = cache.obtain(&address, checkpoint).await.unwrap();
        assert_eq!(obtained.digest(), checkpoint.0);
        committed.push(checkpoint);
        assert!(
            committed.contains(&answer.checkpoint),
            "{}",
            answer.checkpoint
        );
        if life == kills {
            break;
        }
        let alive = Duration::from_millis(random.random_range(100..6_000));
        answered = load(&asker, &address, &nonces, alive, &mut rig).await;
    }
    rig.end().await;
    // Whatever was being written when it died, what is left is whole.
    let mut whole = 0;
    for entry in std::fs::read_dir(rig.directory.path().join("miner/checkpoints")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("manifest.json").exists() {
            Checkpoint::open(&path).unwrap();
            whole += 1;
        }
    }
    assert!(whole > 0, "no checkpoint is left");
    assert!(!rig.log().contains("panicked"), "{}", rig.log());
    committed.dedup();
    println!(
        "{kills} kills: {} checkpoints committed, {whole} kept, back in service within {slowest:?}",
        committed.len()
    );
}

fn fresh(asker: &Asker, nonces: &AtomicU64) -> Signed<Ask> {
    let number = nonces.fetch_add(1, Ordering::Relaxed);
    let ask = Ask {
        prompt: vec![5, 6, 7],
        max_new_tokens: 24,
        temperature_milli: 800,
        seed: number,
    };
    asker.sign(ask, number, WINDOW_MS)
}

/// Asks without a pause for a while, then kills the miner in the midst of it; the last asks that were answered.
async fn load(
    asker: &Arc<Asker>,
    address: &PeerAddress,
    nonces: &Arc<AtomicU64>,
    alive: Duration,
    rig: &mut Rig,
) -> Vec<Signed<Ask>> {
    let dead = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..LOAD)
        .map(|_| {
            let (asker, nonces, dead, address) =
                (asker.clone(), nonces.clone(), dead.clone(), *address);
            tokio::spawn(async move {
                let mut last = None;
                while !dead.load(Ordering::Relaxed) {
                    let ask = fresh(&asker, &nonces);
                    match asker.net.ask(&address, ask.clone(), ENDLESS).await {
                        Ok(_) => last = Some(ask),
                        Err(AskError::Refused(Refusal::Overloaded { .. })) => {}
                        Err(_) if dead.load(Ordering::Relaxed) => {}
                        // The kill comes a moment before the mark.
                        Err(AskError::Disconnected | AskError::Unreachable { .. }) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                last
            })
        })
        .collect();
    tokio::time::sleep(alive).await;
    rig.kill();
    dead.store(true, Ordering::Relaxed);
    let killed_at = now_ms();
    let mut answered = Vec::new();
    for asker in askers {
        answered.extend(asker.await.unwrap());
    }
    answered.retain(|ask| ask.expires_ms > killed_at + WINDOW_MS / 2);
    answered
}
