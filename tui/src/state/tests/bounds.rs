//! Nothing grows without bound, whoever speaks and however long.

use super::*;

/// Sizes of everything that could grow, by name.
fn sizes(state: &State) -> Vec<(&'static str, usize, usize)> {
    let peers = &state.peers;
    let miners = || peers.miners.values();
    let validators = || peers.validators.values();
    let rounds = || validators().filter_map(|it| it.round.as_ref());
    let tracks = || state.history.tracks.values();
    let most = |counts: &mut dyn Iterator<Item = usize>| counts.max().unwrap_or(0);
    vec![
        ("miners", peers.miners.len(), 4096),
        ("validators", peers.validators.len(), 4096),
        ("resemblances", peers.resemblances.len(), 1024),
        ("alarms", peers.alarms.len(), 1024),
        ("accused", peers.accused.len(), 4096),
        ("feeds", state.feeds.len(), 64),
        ("log", state.log.lines().len(), 2000),
        ("extrinsics", state.activity.extrinsics.len(), 512),
        ("events", state.activity.events.len(), 512),
        ("epochs", state.history.epochs.len(), 32),
        ("weights", state.history.weights(), 32 * 64 * 256),
        ("tracks", state.history.tracks.len(), 4096),
        (
            "emissions",
            most(&mut tracks().map(|it| it.emission.len())),
            256,
        ),
        (
            "incentives",
            most(&mut tracks().map(|it| it.incentive.len())),
            256,
        ),
        (
            "lineages",
            most(&mut tracks().map(|it| it.lineage.len())),
            24,
        ),
        ("paid", state.history.paid.len(), 256),
        ("price", state.history.price.len(), 256),
        ("grades", most(&mut miners().map(|it| it.grades.len())), 128),
        (
            "records",
            most(&mut miners().map(|it| it.records.len())),
            128,
        ),
        ("losses", most(&mut miners().map(|it| it.losses.len())), 256),
        (
            "heldout",
            most(&mut miners().map(|it| it.heldout.len())),
            256,
        ),
        (
            "qualities",
            most(&mut miners().map(|it| it.axes.quality.len())),
            256,
        ),
        (
            "evidence",
            most(&mut miners().map(|it| it.axes.evidence.len())),
            256,
        ),
        ("swaps", most(&mut miners().map(|it| it.swapped.len())), 24),
        (
            "in flight",
            most(&mut rounds().map(|it| it.in_flight.len())),
            4096,
        ),
        ("asked", most(&mut rounds().map(|it| it.miners.len())), 4096),
    ]
}

pub(super) fn check_sizes(state: &State) {
    for (what, size, bound) in sizes(state) {
        assert!(size <= bound, "{what}: {size} of {bound}");
    }
}

fn stranger(n: u32) -> Hotkey {
    Hotkey(Digest::of(&n.to_le_bytes()).0)
}

/// Everything that a stranger can say, each with a hotkey of its own.
#[test]
fn strangers_cannot_make_it_grow_without_bound() {
    let mut state = normal();
    for n in 0..6_000u32 {
        let who = stranger(n);
        let text = format!("text {n}");
        let round = Default::default();
        for event in [
            Event::RequestFailed {
                miner: who,
                reason: text.clone(),
            },
            Event::RoundStarted {
                validator: who,
                round,
                block: BlockNumber(n),
                asks: 1,
            },
            Event::Asked {
                validator: hotkey(0),
                miner: who,
                round: athanor_spec::Round(4),
                index: n,
            },
            Event::Resembles {
                validator: hotkey(0),
                round,
                miner: who,
                uid: Uid(1),
                earlier: hotkey(2),
                verdict: text.clone(),
                behaviour: 0.1,
                weights: None,
                shared: None,
                p_bound: None,
                p_smallest: 0.1,
            },
            Event::Alarm {
                validator: who,
                name: text.clone(),
                severity: text.clone(),
                text: text.clone(),
                raised: true,
            },
            Event::Measured {
                validator: who,
                miner: hotkey(2),
                round,
                record: Default::default(),
            },
        ] {
            tell(&mut state, event);
        }
        let mut grade = graded(0, 2, None);
        if let Event::Graded { validator, .. } = &mut grade {
            *validator = who;
        }
        tell(&mut state, grade);
        state.update(
            Update::Feed {
                url: text,
                link: Link::Connecting,
            },
            SECOND,
        );
    }
    check_sizes(&state);
    show(&mut state, snapshot(109));
    assert!(state.peers.miners.len() <= 7 && state.peers.validators.len() <= 7);
    assert!(state.peers.miners[&hotkey(2)].grades.len() <= 7);
    assert!(state.peers.alarms.is_empty() && state.peers.resemblances.is_empty());
}

/// A day of a subnet with blocks of twelve seconds, epochs of 20 of them, and a round in each.
#[test]
fn a_day_stays_within_its_bounds() {
    let mut state = empty();
    let mut halfway = Vec::new();
    for n in 0..7_200u32 {
        let at = Duration::from_secs(u64::from(n) * 12);
        let mut picture = snapshot(100 + n);
        let committed = Digest::of(&(n / 50).to_le_bytes());
        if let Some((record, block)) = &mut picture.metagraph.neurons[3].commitment {
            (record.checkpoint, *block) = (committed, BlockNumber(100 + n / 50));
        }
        let content = athanor_chain::BlockContent {
            block: picture.metagraph.block,
            extrinsics: vec![athanor_chain::ExtrinsicSummary {
                block: picture.metagraph.block,
                hash: committed,
                call: "SubtensorModule.set_weights".to_owned(),
                signer: Some(hotkey(0)),
                success: true,
            }],
            events: vec![athanor_chain::EventSummary {
                name: "SubtensorModule.WeightsSet".to_owned(),
                extrinsic: Some(0),
                fields: format!("({n})"),
            }],
        };
        state.update(Update::Chain(Box::new(picture)), at);
        state.update(Update::Block(content), at);
        let round = athanor_spec::Round(u64::from(n / 20));
        let (validator, miner) = (hotkey(0), hotkey(2 + (n % 5) as u16));
        for index in 0..4 {
            let index = n * 4 + index;
            for event in [
                Event::Asked {
                    validator,
                    miner,
                    round,
                    index,
                },
                Event::Answered {
                    validator,
                    miner,
                    round,
                    index,
                    first_token_ms: n % 900,
                    elapsed_ms: n,
                    tokens: 9,
                },
                Event::Opened {
                    validator,
                    miner,
                    round,
                    index,
                    tokens: 9,
                    strays: 1,
                },
            ] {
                state.update(Update::Event(event), at);
            }
        }
        state.update(Update::Event(distilled(2, u64::from(n))), at);
        state.update(Update::Event(graded(0, 2, None)), at);
        let swap = Event::Swapped {
            miner,
            from: committed,
            to: Digest::of(&n.to_le_bytes()),
        };
        state.update(Update::Event(swap), at);
        if n == 3_600 {
            halfway = sizes(&state);
        }
    }
    check_sizes(&state);
    let miner = &state.peers.miners[&hotkey(2)];
    assert_eq!(
        miner.first_token.count(),
        7_200 / 5 * 4,
        "nothing was left out"
    );
    let full = |(what, size, bound): (&str, usize, usize)| (what == "log").then_some((size, bound));
    assert_eq!(
        halfway.into_iter().find_map(full),
        sizes(&state).into_iter().find_map(full),
        "what is full grows no more"
    );
}
