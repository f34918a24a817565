//! Tests of transcripts: bytes, bounds, and what a root covers.

use athanor_spec::{Answer, Ask, Finish, Receipt, Signed, SubnetSpec, Uid};

use super::*;
use crate::{
    evidence::TokenObservation,
    fidelity::FidelitySums,
    ledger::{AskOutcome, FaultKind, Load, Pace},
    round::{Artifact, Distances, Likeness, Lineage, Purpose},
};

fn account(id: u8) -> Account {
    Account {
        hotkey: Hotkey([id; 32]),
        registered_at: BlockNumber(u32::from(id)),
    }
}

fn head() -> Head {
    let miner = |id: u8, artifact| SeenMiner {
        account: account(id),
        uid: Uid(u16::from(id)),
        peer_key: Digest([3; 32]),
        checkpoint: Digest([4; 32]),
        committed_at: BlockNumber(7),
        previous: Some(Digest([5; 32])),
        asks: 2,
        artifact,
    };
    Head {
        genesis: Digest([1; 32]),
        netuid: NetUid(1),
        spec: Digest([8; 32]),
        calibration: Digest([9; 32]),
        validator: Hotkey([10; 32]),
        round: Round(11),
        first_block: BlockNumber(12),
        block_hash: Digest([13; 32]),
        ask_blocks: 14,
        seed: [15; 32],
        proof: vec![16; 96],
        limits: ChainLimits::NONE,
        previous: None,
        ledger: Digest([17; 32]),
        miners: vec![
            miner(
                2,
                Artifact::Bad {
                    evidence: "torn".into(),
                },
            ),
            miner(
                1,
                Artifact::Fetched {
                    tensors: Digest([6; 32]),
                },
            ),
        ],
    }
}

fn receipt() -> Receipt {
    let ask = Ask {
        prompt: vec![1, 2, 3],
        max_new_tokens: 2,
        temperature_milli: 800,
        seed: 4,
    };
    let answer = Answer {
        request: ask.hash(),
        checkpoint: Digest([4; 32]),
        tokens: vec![5, 600],
        finish: Finish::Length,
    };
    Receipt {
        ask: signed(ask, 10),
        answer: signed(answer, 1),
    }
}

/// Signatures are none of a transcript's own business.
fn signed<T>(payload: T, by: u8) -> Signed<T> {
    Signed {
        payload,
        signer: Hotkey([by; 32]),
        issued_ms: 1_000,
        expires_ms: 2_000,
        nonce: 1,
        signature: [18; 64],
    }
}

fn leaves() -> Vec<Leaf> {
    let reference = Continuation {
        tokens: vec![7, 8],
        finish: Finish::Stop,
    };
    let times = Times {
        first_token_ms: 20,
        elapsed_ms: 45,
        own_ms: 5,
    };
    let answered = Sight::Answered {
        receipt: receipt(),
        times,
        reference: reference.clone(),
        tokens: vec![
            TokenObservation {
                margin: 0.0,
                gap: 1.5
            };
            2
        ],
        outcome: AskOutcome::Answered {
            e_value: Some(0.5),
            fidelity: FidelitySums::default(),
            credit: None,
            liveliness: 1.0,
            service: 1.0,
            pace: Pace::default(),
        },
    };
    let failed = Sight::Failed {
        ask: receipt().ask,
        failure: Failure {
            reason: "the answer is to another ask".to_owned(),
            fault: Some(FaultKind::BadAnswer),
            answer: Some(receipt().answer),
        },
        times,
        reference,
        outcome: AskOutcome::Failed {
            fidelity: FidelitySums::default(),
            checkable: true,
            load: None,
        },
    };
    let own = Sight::OwnTrouble {
        reason: "the network has ended".to_owned(),
        receipt: None,
    };
    let leaf = |id, purpose, index, sight| Leaf {
        account: account(id),
        purpose,
        index,
        shared: (index == 0).then_some(3),
        sight,
    };
    vec![
        leaf(2, Purpose::Audit, 0, own),
        leaf(1, Purpose::Organic, 0, answered.clone()),
        leaf(1, Purpose::Audit, 1, failed),
        leaf(1, Purpose::Audit, 0, answered),
    ]
}

/// Two asks that were not drawn for opening, one of them with an answer to something else.
fn unopened() -> Vec<Leaf> {
    let times = Times {
        first_token_ms: 20,
        elapsed_ms: 45,
        own_ms: 5,
    };
    let answered = Sight::Unopened {
        receipt: receipt(),
        times,
        outcome: AskOutcome::Unopened {
            service: Some(1.0),
            pace: times.pace(2, Load::Alone),
        },
    };
    let failed = Sight::FailedUnopened {
        ask: receipt().ask,
        failure: Failure {
            reason: "the answer is to another ask".to_owned(),
            fault: Some(FaultKind::BadAnswer),
            answer: Some(receipt().answer),
        },
        times,
        outcome: AskOutcome::Unopened {
            service: None,
            pace: times.pace(0, Load::Probe { probe: 0 }),
        },
    };
    let leaf = |index, sight| Leaf {
        account: account(1),
        purpose: Purpose::Audit,
        index,
        shared: None,
        sight,
    };
    vec![leaf(0, answered), leaf(1, failed)]
}

#[test]
fn what_was_not_opened_round_trips_and_shows_its_faults() {
    let limits = SubnetSpec::local().limits;
    let transcript = Transcript::new(head(), unopened());
    let read = Transcript::from_bytes(&transcript.to_bytes(), &limits).unwrap();
    assert_eq!(read, transcript);
    let results: Vec<AskResult> = read.leaves.iter().filter_map(Leaf::result).collect();
    assert_eq!(results[0].from, Some(Digest([4; 32])));
    assert_eq!((results[1].from, &results[0].fault), (None, &None));
    let fault = results[1].fault.as_ref().map(|fault| fault.kind);
    assert_eq!(fault, Some(FaultKind::BadAnswer));
    assert_eq!(
        transcript.root().to_string(),
        "b7ed519482bb4cc7d5ed7d01e2b17ccf74b940a0a967b39f25878d807a0a7b95"
    );
    let mut poisoned = transcript;
    if let Sight::Unopened {
        outcome: AskOutcome::Unopened { service, .. },
        ..
    } = &mut poisoned.leaves[0].sight
    {
        *service = Some(1.5);
    }
    assert_eq!(
        Transcript::from_bytes(&poisoned.to_bytes(), &limits),
        Err(DecodeTranscriptError::Leaf { index: 0 })
    );
}

#[test]
fn a_transcript_round_trips_in_canonical_order() {
    let limits = SubnetSpec::local().limits;
    let transcript = Transcript::new(head(), leaves());
    let read = Transcript::from_bytes(&transcript.to_bytes(), &limits).unwrap();
    assert_eq!(read, transcript);
    assert_eq!(read.root(), transcript.root());
    let mut reversed = leaves();
    reversed.reverse();
    reversed.extend(leaves());
    assert_eq!(Transcript::new(head(), reversed).root(), transcript.root());
    assert_eq!(read.head.miners[0].account, account(1));
    assert_eq!(read.leaves[0].key(), (account(1), Purpose::Audit, 0));
    assert_eq!(read.leaves.iter().filter_map(Leaf::result).count(), 3);
}

#[test]
fn the_bytes_and_the_root_are_fixed() {
    let transcript = Transcript::new(head(), leaves());
    let found = [Digest::of(&transcript.to_bytes()), transcript.root()];
    assert_eq!(
        found.map(|digest| digest.to_string()),
        [
            "555763adcc2f6c740c3d5d45426577640ab08e5ff0f91bbc1af3bae36241dc66",
            "3502955bdac95d45eb5ba224627b8c4085480718266d4002c6294fbe99686b67"
        ]
    );
}

#[test]
fn what_was_there_by_a_probe_s_moment_round_trips() {
    let limits = SubnetSpec::local().limits;
    let mut leaves = unopened();
    let Sight::Unopened {
        outcome: AskOutcome::Unopened { pace, .. },
        ..
    } = &mut leaves[0].sight
    else {
        panic!("{:?}", leaves[0]);
    };
    pace.load = Load::Counted {
        probe: 0,
        arrived: 1,
    };
    let transcript = Transcript::new(head(), leaves);
    assert_eq!(
        Transcript::from_bytes(&transcript.to_bytes(), &limits),
        Ok(transcript.clone())
    );
    let found = [Digest::of(&transcript.to_bytes()), transcript.root()];
    assert_eq!(
        found.map(|digest| digest.to_string()),
        [
            "6b804cb2ea3dcdec1e816593951b88e82db535ab54dbee387f375f13575fe008",
            "5e1e0bc37f6c27b67e059d07619328fd61bb8dfa5b7c37eb1c0587c41e96a90c"
        ]
    );
    let mut too_many = transcript;
    if let Sight::Unopened {
        outcome: AskOutcome::Unopened { pace, .. },
        ..
    } = &mut too_many.leaves[0].sight
    {
        pace.load = Load::Counted {
            probe: 0,
            arrived: pace.tokens + 1,
        };
    }
    assert_eq!(
        Transcript::from_bytes(&too_many.to_bytes(), &limits),
        Err(DecodeTranscriptError::Leaf { index: 0 })
    );
}

#[test]
fn a_transcript_of_the_layouts_before_is_read() {
    let transcript = Transcript::new(head(), leaves());
    let limits = SubnetSpec::local().limits;
    for layout in [1, 2] {
        let mut bytes = transcript.to_bytes();
        bytes[0] = layout;
        assert_eq!(
            Transcript::from_bytes(&bytes, &limits).as_ref(),
            Ok(&transcript)
        );
    }
}

#[test]
fn what_was_compared_is_covered_and_bounded() {
    let like = |behaviour| {
        let distances = Distances {
            behaviour,
            weights: 0.01,
            p_behaviour: 1e-30,
            p_weights: 1e-40,
            innovation: None,
        };
        let lineage = Lineage::Alike(Likeness {
            manifest: Digest([20; 32]),
            tensors: Digest([21; 32]),
            distances,
        });
        let mut head = head();
        head.miners[1].artifact = Artifact::Compared {
            tensors: Digest([6; 32]),
            lineage,
        };
        Transcript::new(head, leaves())
    };
    let limits = SubnetSpec::local().limits;
    let good = like(0.2);
    assert_ne!(good.root(), like(0.25).root());
    assert_eq!(Transcript::from_bytes(&good.to_bytes(), &limits), Ok(good));
    let no_number = like(f64::NAN).to_bytes();
    let refused = Err(DecodeTranscriptError::Head);
    assert_eq!(Transcript::from_bytes(&no_number, &limits), refused);
}

#[test]
fn a_leaf_is_shown_without_the_others() {
    let transcript = Transcript::new(head(), leaves());
    for (index, leaf) in transcript.leaves.iter().enumerate() {
        let proof = transcript.inclusion(index).unwrap();
        assert!(proof.shows(&leaf.encode(), &transcript.root()));
    }
    assert_eq!(transcript.inclusion(4), None);
}

#[test]
fn every_field_is_covered_by_the_root() {
    let root = Transcript::new(head(), leaves()).root();
    let head_changes: [fn(&mut Head); 4] = [
        |h| h.round.0 += 1,
        |h| h.limits.min_allowed_weights = 1,
        |h| h.miners[0].artifact = Artifact::Missing,
        |h| h.previous = Some(Digest([1; 32])),
    ];
    for change in head_changes {
        let mut head = head();
        change(&mut head);
        assert_ne!(Transcript::new(head, leaves()).root(), root);
    }
    for index in 0..4 {
        let mut fewer = leaves();
        fewer.remove(index);
        assert_ne!(Transcript::new(head(), fewer).root(), root);
    }
}

#[test]
fn what_is_no_transcript_is_refused_by_name() {
    use DecodeTranscriptError as Error;
    let limits = SubnetSpec::local().limits;
    let good = Transcript::new(head(), leaves());
    let bytes = good.to_bytes();
    let check = |bytes: &[u8], error| {
        assert_eq!(Transcript::from_bytes(bytes, &limits), Err(error));
    };
    check(&[], Error::Layout);
    check(&[4], Error::Layout);
    check(&bytes[..20], Error::Head);
    check(&bytes[..bytes.len() - 1], Error::Leaf { index: 3 });
    check(&[&bytes[..], &[0]].concat(), Error::Trailing);
    // A head, and a leaf, that claim to be longer than any.
    let mut long = bytes.clone();
    long[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    check(&long, Error::Head);
    let mut shuffled = good.clone();
    shuffled.leaves.swap(0, 1);
    check(&shuffled.to_bytes(), Error::Order { index: 1 });
    let mut twice = good.clone();
    twice.leaves[1] = twice.leaves[0].clone();
    check(&twice.to_bytes(), Error::Order { index: 1 });
    let mut poisoned = good;
    if let Sight::Answered {
        outcome: AskOutcome::Answered { liveliness, .. },
        ..
    } = &mut poisoned.leaves[0].sight
    {
        *liveliness = f64::NAN;
    }
    check(&poisoned.to_bytes(), Error::Leaf { index: 0 });
}

#[test]
fn what_the_validator_was_busy_is_held_against_nobody() {
    let times = |first_token_ms, elapsed_ms, own_ms| {
        let timing = Times {
            first_token_ms,
            elapsed_ms,
            own_ms,
        }
        .charged(7);
        assert_eq!(timing.tokens, 7);
        (timing.first_token_ms, timing.elapsed_ms)
    };
    assert_eq!(times(100, 500, 0), (100, 500));
    assert_eq!(times(100, 500, 30), (70, 440));
    assert_eq!(times(100, 500, 200), (0, 200));
    assert_eq!(times(900, 500, 10), (490, 490));
}
