//! What is read out of lines of transcripts, whole and torn.

use athanor_scoring::{
    allocate::ChainLimits,
    fidelity::FidelitySums,
    ledger::FaultKind,
    round::{Artifact, SeenMiner},
    transcript::{Continuation, Failure, Head, Times},
};
use athanor_spec::{Ask, BlockNumber, Finish, NetUid, Signed, SigningContext};
use sp_core::{Pair as _, sr25519};

use super::*;

fn account(id: u8) -> Account {
    Account {
        hotkey: Hotkey([id; 32]),
        registered_at: BlockNumber(1),
    }
}

fn leaf(miner: u8, index: u32, sight: Sight) -> Leaf {
    Leaf {
        account: account(miner),
        purpose: Purpose::Audit,
        index,
        shared: None,
        sight,
    }
}

fn failed(reason: &str, fault: Option<FaultKind>) -> Sight {
    let context = SigningContext {
        genesis: Digest([1; 32]),
        netuid: NetUid(1),
    };
    let ask = Ask {
        prompt: vec![1],
        max_new_tokens: 2,
        temperature_milli: 800,
        seed: 4,
    };
    let pair = sr25519::Pair::from_seed(&[9; 32]);
    Sight::Failed {
        ask: Signed::new(&pair, &context, ask, 1, 1, 1),
        failure: Failure {
            reason: reason.to_owned(),
            fault,
            answer: None,
        },
        times: Times::default(),
        reference: Continuation {
            tokens: Vec::new(),
            finish: Finish::Length,
        },
        outcome: AskOutcome::Failed {
            fidelity: FidelitySums::default(),
            checkable: false,
            load: None,
        },
    }
}

fn transcript(
    round: u64,
    previous: Option<Digest>,
    ledger: &Ledger,
    leaves: Vec<Leaf>,
) -> Transcript {
    let miner = |id: u8| SeenMiner {
        account: account(id),
        uid: Uid(id.into()),
        peer_key: Digest([3; 32]),
        checkpoint: Digest([id; 32]),
        committed_at: BlockNumber(7),
        previous: None,
        asks: 5,
        artifact: Artifact::Fetched {
            tensors: Digest([id + 100; 32]),
        },
    };
    let head = Head {
        genesis: Digest([1; 32]),
        netuid: NetUid(1),
        spec: Digest([2; 32]),
        calibration: Digest([3; 32]),
        validator: Hotkey([4; 32]),
        round: Round(round),
        first_block: BlockNumber(5),
        block_hash: Digest([6; 32]),
        ask_blocks: 7,
        seed: [8; 32],
        proof: vec![9; 96],
        limits: ChainLimits::NONE,
        previous,
        ledger: ledger.digest(),
        miners: vec![miner(1), miner(2)],
    };
    Transcript::new(head, leaves)
}

/// Two rounds, the second with all kinds of leaves.
fn rounds() -> Vec<Transcript> {
    let spec = SubnetSpec::local();
    let before = Ledger::default();
    let first = transcript(1, None, &before, Vec::new());
    let after = first.close(before, &spec).ledger;
    let trouble = Sight::OwnTrouble {
        reason: "busy".to_owned(),
        receipt: None,
    };
    let leaves = vec![
        leaf(1, 0, failed("late", None)),
        leaf(2, 0, failed("late", None)),
        leaf(2, 1, trouble),
        leaf(2, 2, failed("of another ask", Some(FaultKind::BadAnswer))),
    ];
    let second = transcript(2, Some(first.root()), &after, leaves);
    vec![first, second]
}

fn because(before: Option<Ledger>, transcripts: Vec<Transcript>, miner: u8) -> Because {
    let on_chain = transcripts[0].root();
    let line = Line {
        before,
        transcripts,
        on_chain,
    };
    Because::of(line, account(miner), &SubnetSpec::local()).unwrap()
}

fn text(because: &Because) -> String {
    let mut text = String::new();
    because.describe(&mut text, &Hotkey([4; 32])).unwrap();
    text
}

#[test]
fn the_last_round_says_what_came_of_the_asks_and_the_line_what_they_are_worth() {
    let because = because(Some(Ledger::default()), rounds(), 2);
    assert_eq!(because.round, Round(2));
    assert!(because.anchored && because.known);
    assert_eq!(because.differences, Vec::<String>::new());
    let asks = Asks {
        planned: 5,
        failed: 2,
        void: 1,
        ..Asks::default()
    };
    assert_eq!(because.asks, asks);
    assert_eq!(because.fault.as_ref().unwrap().kind, "bad_answer");
    let measured = because.measured.as_ref().unwrap();
    assert!(measured.asked > 0.0);
    let standing = because.standing.as_ref().unwrap();
    assert_eq!((standing.weight, standing.miners), (0, 2));
    // The worst comes first, and each is where the transcript has it.
    let leaves: Vec<(usize, u32)> = because
        .evidence
        .iter()
        .map(|it| (it.leaf, it.index))
        .collect();
    assert_eq!(leaves, [(3, 2), (1, 0)]);
    let text = text(&because);
    for part in [
        "5 planned, 0 answered, 2 failed, 1 void",
        "fault       bad_answer: of another ask",
        "--round 2 --leaf 3  # bad_answer: of another ask",
        "condemned at 1e6",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

#[test]
fn without_a_ledger_the_grade_is_not_known_and_the_asks_are() {
    let last = rounds().pop().unwrap();
    let because = because(None, vec![last], 2);
    assert!(because.measured.is_none() && because.standing.is_none());
    assert_eq!(because.asks.failed, 2);
    assert!(text(&because).contains("not known"), "{}", text(&because));
}

#[test]
fn a_line_that_does_not_fit_together_is_told() {
    let mut torn = rounds();
    torn.remove(0);
    let on_chain = Digest([77; 32]);
    let line = Line {
        before: Some(Ledger::default()),
        transcripts: torn,
        on_chain,
    };
    let because = Because::of(line, account(2), &SubnetSpec::local()).unwrap();
    assert!(!because.anchored);
    assert_eq!(because.differences.len(), 1, "{:?}", because.differences);
    assert!(text(&because).contains("WRONG"), "{}", text(&because));
}

#[test]
fn who_was_not_there_is_told_so() {
    let because = because(Some(Ledger::default()), rounds(), 9);
    assert!(!because.known && because.evidence.is_empty());
    assert!(text(&because).contains("not one of the round's"));
}
