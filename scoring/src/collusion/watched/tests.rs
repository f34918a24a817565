//! Tests of what many rounds show together: who acts alone is not named, and who does not is.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const MINERS: usize = 12;

fn hotkey(id: usize) -> Hotkey {
    Hotkey([u8::try_from(id).unwrap(); 32])
}

/// Rounds of four probes each; miners 3 and 7 are on one machine if `shared`.
fn probed(rounds: usize, shared: bool, seed: u64) -> Vec<Watched> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut probe = || {
        let coins: Vec<bool> = (0..MINERS).map(|_| rng.random()).collect();
        let halved = shared && coins[3] && coins[7];
        let rate = |miner: usize, noise: f32| {
            let slow = halved && (miner == 3 || miner == 7);
            3.0 + 0.2 * noise - if slow { 0.69 } else { 0.0 }
        };
        let log_rates = (0..MINERS)
            .map(|miner| coins[miner].then(|| rate(miner, rng.random_range(-1.7..1.7))))
            .collect();
        Probe { coins, log_rates }
    };
    (0..rounds)
        .map(|_| Watched {
            miners: (0..MINERS).map(hotkey).collect(),
            probes: (0..4).map(|_| probe()).collect(),
            ..Watched::default()
        })
        .collect()
}

/// Rounds in which the first validator repeats the consensus of the round before, and the others grade for themselves.
fn weighed(rounds: usize, copies: bool, seed: u64) -> Vec<Watched> {
    let (validators, miners) = (8, 32);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut truth: Vec<f64> = (0..miners).map(|_| rng.random_range(0.2..1.0)).collect();
    let mut consensus = vec![30_000_u16; miners];
    let unit = |value: f64| (value.clamp(0.0, 1.5) * 40_000.0) as u16;
    (0..rounds)
        .map(|_| {
            for value in &mut truth {
                *value = (*value + rng.random_range(-0.15..0.15)).clamp(0.1, 1.2);
            }
            let mut rows: Vec<Vec<u16>> = (0..validators)
                .map(|_| {
                    let graded = truth
                        .iter()
                        .map(|value| value + rng.random_range(-0.05..0.05));
                    graded.map(unit).collect()
                })
                .collect();
            if copies {
                rows[0] = consensus.clone();
            }
            consensus = truth.iter().copied().map(unit).collect();
            let seen = SeenWeights {
                validators: (0..validators)
                    .map(|id| (hotkey(100 + id), 1_000))
                    .collect(),
                miners: (0..miners).map(hotkey).collect(),
                rows,
                consensus: consensus.clone(),
                cabal_p: None,
            };
            Watched {
                weights: Some(seen.screened(seed)),
                ..Watched::default()
            }
        })
        .collect()
}

#[test]
fn two_hotkeys_on_one_machine_are_named_by_the_load_of_many_rounds_and_nobody_else() {
    let pair = |found: &SharedMachineSummary| (found.a, found.b);
    let named = |rounds: Vec<Watched>| -> Vec<(Hotkey, Hotkey)> {
        summarise(&rounds, 1)
            .shared_machines
            .iter()
            .filter(|found| found.rejected)
            .map(pair)
            .collect()
    };
    assert_eq!(named(probed(60, true, 1)), [(hotkey(3), hotkey(7))]);
    let found = summarise(&probed(60, true, 1), 1).shared_machines;
    let shared = found.iter().find(|found| found.rejected).unwrap();
    assert!(shared.log_rate_change < -0.5, "{shared:?}");
    for seed in 2..22 {
        assert_eq!(named(probed(60, false, seed)), [], "seed {seed}");
    }
    // One round is never enough.
    assert_eq!(named(probed(1, true, 1)), []);
}

#[test]
fn who_repeats_the_last_consensus_is_told_from_who_grades() {
    let standings = |rounds: &[Watched]| -> Vec<String> {
        let seen = summarise(rounds, 1);
        seen.copying.into_iter().map(|it| it.standing).collect()
    };
    let copied = standings(&weighed(16, true, 1));
    assert_eq!(copied[0], "looks_copied");
    assert!(
        copied[1..].iter().all(|it| it == "independent"),
        "{copied:?}"
    );
    let honest = standings(&weighed(16, false, 2));
    assert!(honest.iter().all(|it| it == "independent"), "{honest:?}");
    let few = standings(&weighed(3, true, 1));
    assert!(few.iter().all(|it| it == "open"), "{few:?}");
}

#[test]
fn a_cabal_s_evidence_is_a_mean_and_its_members_are_named() {
    let mut rounds = weighed(6, false, 3);
    let honest = summarise(&rounds, 1).cabal.unwrap();
    for round in &mut rounds {
        let seen = round.weights.as_mut().unwrap();
        for row in &mut seen.rows[..3] {
            row[4] = 60_000;
            row[9] = 60_000;
        }
        *seen = seen.clone().screened(1);
    }
    let found = summarise(&rounds, 1).cabal.unwrap();
    assert!(found.p_value < honest.p_value, "{found:?} {honest:?}");
    let lifted = [hotkey(4), hotkey(9)];
    assert!(
        lifted.iter().all(|it| found.miners.contains(it)),
        "{found:?}"
    );
    assert!(found.validators.contains(&hotkey(100)), "{found:?}");
    // The mean of six epochs is at most what one of them can give.
    assert!(
        found.e_value <= correction::e_of_p(found.p_smallest),
        "{found:?}"
    );
}

#[test]
fn miners_that_get_slow_together_are_named_and_a_round_is_read_as_it_was_written() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let rounds: Vec<Watched> = (0..64)
        .map(|_| {
            let mut times = Vec::new();
            for part in 0..PARTS {
                let together: f32 = rng.random_range(-0.5..0.5);
                for miner in 0..u16::try_from(MINERS).unwrap() {
                    let noise: f32 = rng.random_range(-0.3..0.3);
                    let coupled = if miner < 2 { together } else { 0.0 };
                    times.push(Timed {
                        miner,
                        hour: 3,
                        part,
                        log_prompt: 3.0,
                        log_latency: noise + coupled - 2.0,
                    });
                }
            }
            Watched {
                miners: (0..MINERS).map(hotkey).collect(),
                times,
                ..Watched::default()
            }
        })
        .collect();
    let found = summarise(&rounds, 1).coupled_latency;
    assert_eq!(
        (found[0].a, found[0].b),
        (hotkey(0), hotkey(1)),
        "{found:?}"
    );
    let bytes = rounds[0].encode();
    assert_eq!(Watched::decode(&mut bytes.as_slice()).unwrap(), rounds[0]);
    assert_eq!(summarise(&[], 1), CollusionSummary::default());
}
