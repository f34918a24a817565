//! A miner under all kinds of traffic at once: the honest get the right answers, memory stays bounded, nothing panics.
//!
//! In `cargo test` it is short. The long form is `LOAD_SECONDS=600 cargo test -p athanor-tests --test it load --
//! --nocapture`, which prints what it measured.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use athanor_model::{
    Checkpoint, DeviceChoice, WeightFormat,
    engine::{self, EngineConfig, GenerateRequest},
};
use athanor_net::{AskError, PeerAddress};
use athanor_spec::{Ask, Refusal, Signed};
use codec::Encode;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use crate::{
    miner::{Asker, ENDLESS, STRANGER, VALIDATOR},
    rig::Rig,
    rude::{Rude, Rudeness},
};

/// Length of the short form in seconds.
const SHORT: u64 = 8;
/// Honest asks at a time, and different ones.
const HONEST: usize = 4;
const KINDS: u64 = 32;
/// Most memory in mebibytes that the load may add to what the miner holds once it has answered each kind of ask.
const MOST_MORE_MIB: u64 = 128;
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_under_mixed_load_serves_the_honest_within_its_memory() {
    let _alone = crate::ONE_SUBNET.lock().await;
    let seconds = match env::var("LOAD_SECONDS") {
        Ok(seconds) => seconds.parse().expect("LOAD_SECONDS is a number"),
        Err(_) => SHORT,
    };
    let mut rig = Rig::new(0.02).await;
    let expected: Arc<Vec<Vec<u32>>> = Arc::new(answers(&rig.model));
    // The allowance is not what is tested here.
    rig.start(&[
        "--distill.off",
        "--allowance.rate",
        "1000000",
        "--allowance.burst",
        "1000000",
    ]);
    let crowd = Crowd {
        validator: Arc::new(Asker::start(VALIDATOR, &rig.chain).await),
        stranger: Arc::new(Asker::start(STRANGER, &rig.chain).await),
        // A peer of its own: who sends forgeries is soon no longer listened to.
        forger: Arc::new(Asker::from([7; 32], VALIDATOR, &rig.chain).await),
        nonces: Arc::new(AtomicU64::new(1)),
        over: Arc::new(AtomicBool::new(false)),
    };
    let first = || crowd.validator.sign(ask(0), crowd.nonce(), 10_000);
    let (_, address, answer) = rig.in_service(&crowd.validator, first).await;
    assert_eq!(answer.tokens, expected[0]);
    for kind in 0..KINDS {
        crowd.honest(&address, kind, &expected).await;
    }
    let warm = rig.resident_mib();

    let mut crowds = JoinSet::new();
    for index in 0..HONEST as u64 {
        let (crowd, expected) = (crowd.clone(), expected.clone());
        crowds.spawn(async move {
            let (mut kind, mut answered) = (index, 0);
            while !crowd.is_over() {
                answered += u64::from(crowd.honest(&address, kind % KINDS, &expected).await);
                kind += 1;
            }
            answered
        });
    }
    crowds.spawn(crowd.clone().refused(address));
    for seed in 0..2 {
        crowds.spawn(crowd.clone().rude(address, seed));
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut memory = Vec::new();
    while Instant::now() < end {
        tokio::time::sleep(SECOND / 4).await;
        memory.push(rig.resident_mib());
    }
    crowd.over.store(true, Ordering::Relaxed);
    let counts = crowds.join_all().await;
    rig.end().await;

    let most = memory.iter().copied().max().unwrap_or(warm);
    println!(
        "{seconds} s: {} honest answers, {} other exchanges, resident {warm} MiB before and {most} MiB at most",
        counts.iter().take(HONEST).sum::<u64>(),
        counts.iter().skip(HONEST).sum::<u64>(),
    );
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert!(
        most <= warm + MOST_MORE_MIB,
        "{warm} MiB before: {memory:?}"
    );
    assert!(!rig.log().contains("panicked"), "{}", rig.log());
}

/// What an honest asker asks: prompts and seeds of many kinds.
fn ask(kind: u64) -> Ask {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(kind);
    let length = random.random_range(1..48);
    Ask {
        prompt: (0..length).map(|_| random.random_range(5..500)).collect(),
        max_new_tokens: random.random_range(1..32),
        temperature_milli: 900,
        seed: kind,
    }
}

/// What the model answers to each kind, one at a time and with nobody else around.
fn answers(model: &Checkpoint) -> Vec<Vec<u32>> {
    let config = EngineConfig {
        slots: 1,
        queue: 1,
        device: DeviceChoice::Cpu,
        weights: WeightFormat::F32,
        max_context: 256,
    };
    let engine = engine::spawn(model, config).unwrap();
    let answer = |kind| {
        let ask = ask(kind);
        let request = GenerateRequest {
            temperature: ask.temperature(),
            prompt: ask.prompt,
            max_new_tokens: usize::from(ask.max_new_tokens),
            seed: ask.seed,
            stop: model.stop_tokens().unwrap(),
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        engine
            .generate(request, move |generation| {
                sender.send(generation).unwrap();
            })
            .unwrap();
        receiver.recv().unwrap().unwrap().tokens
    };
    (0..KINDS).map(answer).collect()
}

#[derive(Clone)]
struct Crowd {
    validator: Arc<Asker>,
    stranger: Arc<Asker>,
    forger: Arc<Asker>,
    nonces: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Crowd {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn nonce(&self) -> u64 {
        self.nonces.fetch_add(1, Ordering::Relaxed)
    }

    fn signed(&self, kind: u64) -> Signed<Ask> {
        self.validator.sign(ask(kind), self.nonce(), 10_000)
    }

    /// Asks and checks the answer; whether there was one. An honest asker may be told to come back later, and no more.
    async fn honest(&self, address: &PeerAddress, kind: u64, expected: &[Vec<u32>]) -> bool {
        match self
            .validator
            .net
            .ask(address, self.signed(kind), ENDLESS)
            .await
        {
            Ok(observed) => {
                assert_eq!(
                    observed.answer.payload.tokens, expected[kind as usize],
                    "kind {kind}"
                );
                true
            }
            Err(AskError::Refused(Refusal::Overloaded { retry_after_ms })) => {
                tokio::time::sleep(Duration::from_millis(retry_after_ms.into())).await;
                false
            }
            Err(error) => panic!("an honest ask failed: {error}"),
        }
    }

    /// Asks what must be refused, and checks that it is, with the right words.
    async fn refused(self, address: PeerAddress) -> u64 {
        let mut refused = 0;
        while !self.is_over() {
            let again = self.signed(0);
            let unsigned = Signed {
                signature: [0; 64],
                ..self.signed(1)
            };
            let strange = self.stranger.sign(ask(2), self.nonce(), 10_000);
            let long = Ask {
                max_new_tokens: u16::MAX,
                ..ask(3)
            };
            let long = self.validator.sign(long, self.nonce(), 10_000);
            let late = Signed {
                expires_ms: 1,
                issued_ms: 0,
                ..self.signed(4)
            };
            let asked = self
                .validator
                .net
                .ask(&address, again.clone(), ENDLESS)
                .await;
            let replayed = asked
                .is_ok()
                .then_some((&self.validator, again, Refusal::Replayed));
            for (asker, ask, expected) in replayed.into_iter().chain([
                (&self.forger, unsigned, Refusal::BadSignature),
                (&self.stranger, strange, Refusal::NotAllowed),
                (&self.validator, long, Refusal::OutOfBounds),
            ]) {
                match asker.net.ask(&address, ask, ENDLESS).await {
                    Err(AskError::Refused(Refusal::Overloaded { .. })) => {}
                    found => assert_eq!(found, Err(AskError::Refused(expected))),
                }
                refused += 1;
            }
            let found = self.validator.net.ask(&address, late, ENDLESS).await;
            assert!(found.is_err(), "{found:?}");
        }
        refused
    }

    /// Breaks the protocol in every way that it knows, at many streams at once, as one peer after the other.
    async fn rude(self, address: PeerAddress, seed: u64) -> u64 {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut acts = 0;
        while !self.is_over() {
            let mut rude = Rude::new(address.addr, &address.peer_key);
            let mut batch = Vec::new();
            for _ in 0..16 {
                batch.push(self.rudeness(&mut random));
            }
            acts += batch.len() as u64;
            // What takes longer is given up, as a peer does that goes away.
            let _ = tokio::time::timeout(3 * SECOND, rude.all(batch)).await;
        }
        acts
    }

    fn rudeness(&self, random: &mut impl Rng) -> Rudeness {
        let framed = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes(), bytes].concat();
        let valid = framed(&self.signed(random.random_range(0..KINDS)).encode());
        let (mut dribble, mut hold) = (Duration::ZERO, Duration::ZERO);
        let bytes = match random.random_range(0..7) {
            // Noise in a frame, and noise without one.
            0 => framed(
                &(0..random.random_range(1..400))
                    .map(|_| random.random())
                    .collect::<Vec<_>>(),
            ),
            1 => (0..random.random_range(1..400))
                .map(|_| random.random())
                .collect(),
            // A frame that claims to be as long as can be said.
            2 => [&u32::MAX.to_le_bytes()[..], &[0; 1000]].concat(),
            // Half an ask, and the rest never.
            3 => {
                hold = 2 * SECOND;
                valid[..valid.len() / 2].to_vec()
            }
            // An ask that takes seconds to be said.
            4 => {
                dribble = Duration::from_millis(10);
                valid
            }
            // An ask whose answer nobody reads.
            5 => {
                hold = 2 * SECOND;
                valid
            }
            // An ask, and gone.
            _ => valid,
        };
        Rudeness {
            bytes,
            dribble,
            hold,
        }
    }
}
