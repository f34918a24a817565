//! Each cause of an incentive of zero is named, with its numbers and what would change it.

use athanor_scoring::ledger::{Estimate, Record};
use athanor_spec::{Account, BlockNumber, Digest, Hotkey, Uid};

use super::*;
use crate::explain::{Earlier, Given, Slot};

fn spec() -> SubnetSpec {
    SubnetSpec::local()
}

fn chain() -> OnChain {
    OnChain {
        block: BlockNumber(1000),
        blocks_to_epoch: 40,
        slot: Some(Slot {
            uid: Uid(5),
            registered_at: BlockNumber(10),
            incentive: 0.0,
            consensus: 0.0,
            emission_rao: 0,
            axon: Some(([127, 0, 0, 1], 8091).into()),
            committed: Some((Digest([3; 32]), BlockNumber(20))),
            spec: Some(spec().digest()),
            validator_permit: false,
        }),
        validator_permit: true,
        own_weight: 0.0,
        stake_giving: 0.0,
    }
}

fn held() -> Held {
    let measured = Measured {
        asked: 24.0,
        effective_asks: 24.0,
        quality: 0.5,
        width: 0.06,
        quality_low: 0.44,
        ..Record::default().measured(&spec())
    };
    Held {
        account: Account {
            hotkey: Hotkey([1; 32]),
            registered_at: BlockNumber(10),
        },
        measured: Some(measured),
        fault: None,
        last: None,
        open: None,
        weight: Some(Given {
            round: 7,
            weight: Some(0),
            paid: 4,
        }),
        earlier: None,
        rounds: 3,
        together: Vec::new(),
    }
}

fn names(chain: &OnChain, held: Option<&Held>) -> Vec<String> {
    let found = findings(Some(chain), held, &spec());
    found.into_iter().map(|finding| finding.name).collect()
}

fn finding(chain: &OnChain, held: &Held, name: &str) -> Finding {
    let found = findings(Some(chain), Some(held), &spec());
    let finding = found.iter().find(|finding| finding.name == name);
    finding
        .unwrap_or_else(|| panic!("no {name} in {found:?}"))
        .clone()
}

#[test]
fn what_the_chain_lacks_comes_first() {
    let mut gone = chain();
    gone.slot = None;
    assert_eq!(names(&gone, Some(&held())), ["not_registered"]);
    let mut bare = chain();
    if let Some(slot) = &mut bare.slot {
        (slot.axon, slot.committed, slot.spec) = (None, None, None);
    }
    let names = names(&bare, None);
    assert_eq!(
        names,
        ["no_axon", "no_commitment", "unknown_here", "no_weights"]
    );
}

#[test]
fn a_fault_is_told_with_its_evidence_and_what_lifts_it() {
    let mut held = held();
    held.fault = Some(FaultSummary {
        kind: "bad_artifact".into(),
        evidence: "the checkpoint has 7 bytes".into(),
    });
    let fault = finding(&chain(), &held, "fault");
    assert!(
        fault.reason.contains("the checkpoint has 7 bytes"),
        "{fault:?}"
    );
    assert!(fault.remedy.contains("sound checkpoint"), "{fault:?}");
    held.fault = Some(FaultSummary {
        kind: "wrong_checkpoint".into(),
        evidence: String::new(),
    });
    let fault = finding(&chain(), &held, "fault");
    assert!(fault.remedy.contains("lifetime"), "{fault:?}");
}

#[test]
fn too_little_evidence_says_how_much_is_enough() {
    let mut held = held();
    let measured = held.measured.as_mut().unwrap();
    (measured.quality, measured.effective_asks) = (0.1, 4.0);
    (measured.width, measured.quality_low) = (0.15, 0.0);
    let found = finding(&chain(), &held, "too_little_evidence");
    // z 1, sd .3: (0.3 / 0.1)^2.
    assert!(found.remedy.contains("9 opened asks"), "{found:?}");
    held.measured.as_mut().unwrap().quality = 0.001;
    finding(&chain(), &held, "too_low_quality");
}

#[test]
fn rounds_tell_of_artifacts_asks_and_own_trouble() {
    let mut held = held();
    let view = RoundView {
        round: 7,
        artifact: "missing".into(),
        answered: 3,
        failed: [
            ("no answer within 8000 ms".into(), 2),
            ("refused".into(), 1),
        ]
        .into(),
        own_trouble: [("the replay failed".into(), 4)].into(),
        ..RoundView::default()
    };
    held.last = Some(view);
    assert!(
        finding(&chain(), &held, "artifact_missing")
            .reason
            .contains("round 7")
    );
    let asks = finding(&chain(), &held, "unanswered").reason;
    assert!(
        asks.contains("3 of 6 asks") && asks.contains("8000 ms"),
        "{asks}"
    );
    assert!(
        finding(&chain(), &held, "own_trouble")
            .reason
            .contains("4 asks")
    );
}

#[test]
fn a_weight_that_does_not_count_yet_says_when() {
    let mut held = held();
    held.weight = Some(Given {
        round: 7,
        weight: Some(1234),
        paid: 4,
    });
    let found = finding(&chain(), &held, "weight_not_on_chain");
    assert!(found.remedy.contains("40 blocks"), "{found:?}");
    let mut clipped = chain();
    (clipped.own_weight, clipped.stake_giving) = (0.1, 0.3);
    assert!(
        finding(&clipped, &held, "clipped")
            .reason
            .contains("30.0 %")
    );
}

#[test]
fn liveliness_is_named_only_where_it_caps() {
    let estimate = |value| {
        Some(Estimate {
            value,
            low: value,
            high: value,
            count: 24.0,
        })
    };
    let mut held = held();
    held.measured.as_mut().unwrap().liveliness = estimate(0.5);
    finding(&chain(), &held, "liveliness");
    held.measured.as_mut().unwrap().liveliness = estimate(0.9);
    assert!(!names(&chain(), Some(&held)).contains(&"liveliness".to_owned()));
}

#[test]
fn copies_are_told_whose_tensors_they_are() {
    let mut held = held();
    held.earlier = Some(Earlier {
        hotkey: Hotkey([9; 32]),
        committed_at: BlockNumber(4),
    });
    let found = finding(&chain(), &held, "same_class");
    assert!(found.reason.contains("block 4"), "{found:?}");
}

#[test]
fn without_a_chain_the_ledger_alone_is_explained() {
    let found = findings(None, Some(&held()), &spec());
    assert!(found.iter().all(|finding| finding.name != "no_weights"));
}
