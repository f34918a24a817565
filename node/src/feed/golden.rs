//! One event of every kind, as docs/feed.md shows it: a line that changes is a change for everybody who reads feeds.

use std::collections::BTreeSet;

use athanor_spec::{
    BlockNumber, Digest, Epoch, Hotkey, Round, Uid,
    telemetry::{
        CabalSummary, CollusionSummary, CopyingSummary, CoupledSummary, Event, FaultSummary,
        FeedNotice, GradeSummary, HeldOut, Interval, RecordSummary, SharedMachineSummary,
    },
};

const DOCUMENT: &str = include_str!("../../../docs/feed.md");

const VALIDATOR: Hotkey = Hotkey([1; 32]);
const MINER: Hotkey = Hotkey([2; 32]);
const OTHER: Hotkey = Hotkey([3; 32]);
const ROUND: Round = Round(12);
const BLOCK: BlockNumber = BlockNumber(288);

fn samples() -> Vec<Event> {
    vec![
        Event::RoundStarted {
            validator: VALIDATOR,
            round: ROUND,
            block: BLOCK,
            asks: 96,
        },
        Event::Asked {
            validator: VALIDATOR,
            miner: MINER,
            round: ROUND,
            index: 3,
        },
        Event::Answered {
            validator: VALIDATOR,
            miner: MINER,
            round: ROUND,
            index: 3,
            first_token_ms: 84,
            elapsed_ms: 912,
            tokens: 31,
        },
        Event::Opened {
            validator: VALIDATOR,
            miner: MINER,
            round: ROUND,
            index: 3,
            tokens: 31,
            strays: 1,
        },
        Event::AskVoid {
            validator: VALIDATOR,
            miner: MINER,
            round: ROUND,
            index: 4,
            reason: "the teacher did not continue the prompt".to_owned(),
        },
        Event::Measured {
            validator: VALIDATOR,
            miner: MINER,
            round: ROUND,
            record: RecordSummary {
                effective_asks: 41.5,
                answered: Some(Interval {
                    value: 0.98,
                    low: 0.91,
                    high: 1.0,
                    count: 41.5,
                }),
                correctness: None,
                service: None,
                liveliness: None,
                width: 0.047,
                e_value: 0.25,
                condemned_at: 1_000_000.0,
                audited: 48,
            },
        },
        Event::Graded {
            validator: VALIDATOR,
            miner: MINER,
            uid: Uid(5),
            round: ROUND,
            grade: GradeSummary {
                checkpoint: Some(Digest([7; 32])),
                fidelity: 0.527,
                correctness: 0.782,
                service: 0.924,
                liveliness: 1.0,
                quality: 0.731,
                quality_low: 0.684,
                answered: 0.98,
                fault: Some(FaultSummary {
                    kind: "wrong_checkpoint".to_owned(),
                    evidence: "e-process at 5.109e65 after 48 audited requests, condemned at 1e6"
                        .to_owned(),
                }),
            },
        },
        Event::Resembles {
            validator: VALIDATOR,
            round: ROUND,
            miner: MINER,
            uid: Uid(5),
            earlier: OTHER,
            verdict: "similar".to_owned(),
            behaviour: 0.031,
            weights: Some(0.12),
            shared: Some(0.02),
            p_bound: Some(0.0004),
            p_smallest: 0.01,
        },
        Event::Collusion {
            validator: VALIDATOR,
            round: ROUND,
            seen: CollusionSummary {
                rounds: 9,
                copying: vec![CopyingSummary {
                    of: OTHER,
                    correlation: 0.12,
                    low: -0.2,
                    high: 0.41,
                    epochs: 9,
                    p_value: 0.37,
                    standing: "open".to_owned(),
                }],
                cabal: Some(CabalSummary {
                    validators: vec![OTHER],
                    miners: vec![MINER],
                    density: 0.3,
                    p_value: 0.04,
                    p_smallest: 0.01,
                    e_value: 1.5,
                }),
                shared_machines: vec![SharedMachineSummary {
                    a: MINER,
                    b: OTHER,
                    e_value: 0.75,
                    log_rate_change: -0.05,
                    rejected: false,
                }],
                coupled_latency: vec![CoupledSummary {
                    a: MINER,
                    b: OTHER,
                    correlation: 0.21,
                    p_value: 0.08,
                }],
            },
        },
        Event::WeightsSet {
            validator: VALIDATOR,
            epoch: Epoch(13),
            block: BlockNumber(311),
            weights: vec![(Uid(4), 15466), (Uid(5), 65535)],
        },
        Event::WeightsCommitted {
            validator: VALIDATOR,
            epoch: Epoch(12),
            block: BlockNumber(311),
            reveal_block: BlockNumber(336),
        },
        Event::WeightsRevealed {
            validator: VALIDATOR,
            block: BlockNumber(337),
            weights: Some(2),
        },
        Event::WeightsDue {
            validator: VALIDATOR,
            block: BLOCK,
            epoch: 24,
            reveal: None,
            activity_cutoff: Some(4976),
        },
        Event::Learnt {
            validator: VALIDATOR,
            round: ROUND,
            miners: 8,
            known: 6,
            miners_needed: 4,
            asks_needed: 12.0,
            sets_weights: true,
        },
        Event::Alarm {
            validator: VALIDATOR,
            name: "weights_ageing".to_owned(),
            severity: "warn".to_owned(),
            text: "no weights for two epochs".to_owned(),
            raised: true,
        },
        Event::AskFailed {
            validator: VALIDATOR,
            miner: MINER,
            reason: "no answer within 4000 ms".to_owned(),
        },
        Event::Distilled {
            miner: MINER,
            step: 1200,
            loss: 1.875,
            heldout: Some(HeldOut {
                loss: 1.902,
                improvement: 0.214,
                improvement_low: 0.187,
                items: 64,
            }),
        },
        Event::Swapped {
            miner: MINER,
            from: Digest([6; 32]),
            to: Digest([7; 32]),
        },
        Event::RequestFailed {
            miner: MINER,
            reason: "overloaded, try again in 250 ms".to_owned(),
        },
    ]
}

/// Fails to compile where a kind of event is new: it needs a sample above, and its place in the document.
fn kind(event: &Event) -> u8 {
    match event {
        Event::RoundStarted { .. } => 0,
        Event::Graded { .. } => 1,
        Event::Resembles { .. } => 2,
        Event::WeightsSet { .. } => 3,
        Event::WeightsCommitted { .. } => 4,
        Event::WeightsRevealed { .. } => 5,
        Event::WeightsDue { .. } => 6,
        Event::Learnt { .. } => 7,
        Event::Alarm { .. } => 8,
        Event::AskFailed { .. } => 9,
        Event::Distilled { .. } => 10,
        Event::Swapped { .. } => 11,
        Event::RequestFailed { .. } => 12,
        Event::Asked { .. } => 13,
        Event::Answered { .. } => 14,
        Event::Opened { .. } => 15,
        Event::AskVoid { .. } => 16,
        Event::Measured { .. } => 17,
        Event::Collusion { .. } => 18,
    }
}

const KINDS: usize = 19;

#[test]
fn the_document_shows_every_event_as_it_is_told() {
    let samples = samples();
    let kinds: BTreeSet<u8> = samples.iter().map(kind).collect();
    assert_eq!(kinds.len(), KINDS, "a kind of event has no sample");
    let mut told: Vec<String> = Vec::new();
    for event in &samples {
        let json = serde_json::to_string(event).unwrap();
        assert!(
            json.starts_with(&format!("{{\"{}\":{{", event.name())),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), *event);
        told.push(json);
    }
    let notice = FeedNotice::Lagged { missed: Some(7) };
    let json = serde_json::to_string(&notice).unwrap();
    assert!(
        json.starts_with(&format!("{{\"{}\":{{", notice.name())),
        "{json}"
    );
    told.push(json);
    let shown: Vec<&str> = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("{\""))
        .collect();
    for json in &told {
        assert!(
            shown.contains(&json.as_str()),
            "docs/feed.md does not show\n{json}"
        );
    }
    assert_eq!(
        shown.len(),
        told.len(),
        "docs/feed.md shows what is never told"
    );
}
