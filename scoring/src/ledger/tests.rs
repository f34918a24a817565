//! Tests of the ledger's record: counting once, fading, verdicts and bytes.

use super::*;
use crate::fidelity::{Ending, Reference, TokenDivergence};

fn spec() -> SubnetSpec {
    let mut spec = SubnetSpec::local();
    spec.grade.half_life_epochs = 4.0;
    spec
}

fn ask(round: u64, index: u32) -> AskId {
    AskId {
        round: Round(round),
        index,
    }
}

const TOKEN: TokenDivergence = TokenDivergence {
    kl: 0.05,
    entropy: 1.0,
};

fn answered(credit: f64, e_value: f64) -> AskOutcome {
    AskOutcome::Answered {
        e_value: Some(e_value),
        fidelity: FidelitySums::of_answer(&[TOKEN; 8], Ending::Limit, &[TOKEN; 8], &spec().grade),
        credit: Some(credit),
        liveliness: 1.0,
        service: 1.0,
        pace: Pace {
            tokens: 8,
            elapsed_ms: 500,
            load: Load::Alone,
        },
    }
}

fn failed() -> AskOutcome {
    let reference = Reference {
        tokens: 8,
        entropy: 1.0,
    };
    AskOutcome::Failed {
        fidelity: FidelitySums::of_missing(reference, &spec().grade),
        checkable: true,
        load: None,
    }
}

fn record(outcomes: &[AskOutcome]) -> Record {
    let mut record = Record::new(Epoch(3));
    for (index, outcome) in (0..).zip(outcomes) {
        assert_eq!(
            record.apply(ask(3, index), outcome, &spec().audit),
            Applied::Counted
        );
    }
    record
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-9, "{left} is not {right}");
}

#[test]
fn an_ask_counts_once_even_across_a_restart() {
    let spec = spec();
    let mut record = record(&[answered(1.0, 0.5), failed()]);
    let mut restarted = Record::from_bytes(&record.to_bytes()).unwrap();
    assert_eq!(restarted, record);
    assert_eq!(
        restarted.apply(ask(3, 1), &failed(), &spec.audit),
        Applied::Duplicate
    );
    assert_eq!(
        restarted.apply(ask(2, 9), &failed(), &spec.audit),
        Applied::Stale
    );
    assert_eq!(
        restarted.apply(ask(3, 4096), &failed(), &spec.audit),
        Applied::Stale
    );
    assert_eq!(restarted, record);
    for side in [&mut record, &mut restarted] {
        assert_eq!(
            side.apply(ask(4, 1), &failed(), &spec.audit),
            Applied::Counted
        );
    }
    assert_eq!(restarted, record);
}

#[test]
fn what_was_counted_halves_per_half_life_and_means_stay() {
    let spec = spec();
    let mut record = record(&vec![answered(0.5, 0.5); 24]);
    let before = record.summary(&spec);
    close(record.effective_asks(), 24.0);
    record.decay_to(Epoch(7), &spec.grade);
    close(record.asked, 12.0);
    close(record.effective_asks(), 24.0);
    close(record.summary(&spec).fidelity, before.fidelity);
    assert_eq!(record.evidence().requests(), 24);
    let once = record.clone();
    record.decay_to(Epoch(7), &spec.grade);
    record.decay_to(Epoch(2), &spec.grade);
    assert_eq!(record, once);
}

#[test]
fn more_asks_are_worth_more_until_the_cap_that_all_share() {
    let spec = spec();
    let low = |asks: usize| {
        let summary = record(&vec![answered(1.0, 0.5); asks]).summary(&spec);
        summary.quality - summary.quality_low
    };
    close(low(25), 0.3 / 5.0);
    close(low(400), 0.3 / 20.0);
    close(low(1_000), 0.3 / 20.0);
}

#[test]
fn an_empty_record_is_unpaid_and_accuses_nobody() {
    let summary = Record::new(Epoch(0)).summary(&spec());
    assert_eq!(
        (summary.quality, summary.quality_low, summary.fault),
        (0.0, 0.0, None)
    );
}

#[test]
fn failures_cost_on_every_axis() {
    let spec = spec();
    let good = record(&vec![answered(1.0, 0.5); 12]).summary(&spec);
    let mut outcomes = vec![answered(1.0, 0.5); 9];
    outcomes.extend(vec![failed(); 3]);
    let worse = record(&outcomes).summary(&spec);
    assert!(worse.fidelity < good.fidelity && worse.service < good.service);
    close(worse.correctness, 0.75);
    close(worse.answered, 0.75);
}

fn unopened(service: Option<f64>) -> AskOutcome {
    AskOutcome::Unopened {
        service,
        pace: Pace {
            tokens: 8,
            elapsed_ms: 500,
            load: Load::Alone,
        },
    }
}

#[test]
fn what_was_not_opened_counts_for_its_time_and_for_nothing_else() {
    let spec = spec();
    let opened = [answered(0.25, 1.5), answered(0.75, 0.5), failed()];
    let before = record(&opened);
    let mut more = opened.to_vec();
    more.extend(vec![unopened(Some(1.0)); 60]);
    more.extend(vec![unopened(None); 20]);
    let after = record(&more);
    let (one, other) = (before.summary(&spec), after.summary(&spec));
    assert_eq!(one.fidelity.to_bits(), other.fidelity.to_bits());
    assert_eq!(one.correctness.to_bits(), other.correctness.to_bits());
    assert_eq!(one.liveliness.to_bits(), other.liveliness.to_bits());
    assert_eq!(before.evidence(), after.evidence());
    assert_eq!(before.effective_asks(), after.effective_asks());
    close(other.answered, 62.0 / 83.0);
    // 62 answers at 16 tokens per second, of 83 asks, in references of two.
    close(after.goodput(&spec.service), 8.0 * 62.0 / 83.0);
    assert!(other.service > one.service);
    let measured = after.measured(&spec);
    assert_eq!((measured.asked, measured.opened), (83.0, 3.0));
}

#[test]
fn answers_that_were_never_opened_earn_nothing() {
    let spec = spec();
    let record = record(&vec![unopened(Some(1.0)); 400]);
    let summary = record.summary(&spec);
    assert_eq!((summary.quality, summary.quality_low), (0.0, 0.0));
    assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
}

#[test]
fn condemned_by_the_audit_is_a_fault_for_life_and_other_faults_can_be_lifted() {
    let spec = spec();
    let mut record = record(&[answered(1.0, 0.5)]);
    let fault = Fault {
        kind: FaultKind::BadArtifact,
        evidence: "é".repeat(600),
    };
    record.set_fault(Some(fault));
    let shown = record.summary(&spec).fault.unwrap();
    assert_eq!(
        (shown.kind.as_str(), shown.evidence.len()),
        ("bad_artifact", 512)
    );
    record.set_fault(None);
    assert_eq!(record.summary(&spec).fault, None);
    for index in 1..20 {
        record.apply(ask(3, index), &answered(1.0, 500.0), &spec.audit);
    }
    record.decay_to(Epoch(1_000), &spec.grade);
    assert_eq!(
        record.summary(&spec).fault.unwrap().kind,
        "wrong_checkpoint"
    );
}

#[test]
fn the_bytes_of_a_record_are_fixed() {
    // Nothing here takes a logarithm of anything but 1, so the numbers are the same on every platform.
    let lost = AskOutcome::Failed {
        fidelity: FidelitySums::default(),
        checkable: true,
        load: None,
    };
    let mut record = record(&[answered(0.5, 1.0), lost]);
    record.set_checkpoint(Some(Digest([9; 32])));
    record.set_fault(Some(Fault {
        kind: FaultKind::Copy,
        evidence: "x".to_owned(),
    }));
    let bytes = record.to_bytes();
    assert_eq!(bytes.len(), 308);
    assert_eq!(
        Digest::of(&bytes).to_string(),
        "499023272e7c9fc2630079c55991a5f48189e66cd8a49902c2b108c9896b180c"
    );
}

#[test]
fn a_record_of_the_version_before_opened_every_ask() {
    let new = record(&[answered(0.5, 1.0), failed()]);
    // The layout before had the sum of squares of what was asked, and nothing of what was opened.
    let old = (
        (2_u8, new.epoch, new.round, new.seen.clone(), new.checkpoint),
        (new.asked, new.opened_squared, new.answered),
        (new.fidelity, new.correctness, new.liveliness, new.service),
        (
            new.goodput,
            new.attempts,
            new.evidence.clone(),
            new.fault.clone(),
        ),
    );
    assert_eq!(Record::from_bytes(&old.encode()), Ok(new));
}

#[test]
fn goodput_is_measured_under_load_and_fades_with_the_rest() {
    let spec = spec();
    let mut record = record(&[answered(1.0, 0.5), answered(1.0, 0.5), failed()]);
    // 16, 16 and 0 tokens per second, in references of two.
    close(record.goodput(&spec.service), 16.0 / 3.0);
    record.load_probe(6.0);
    record.load_probe(2.0);
    close(record.goodput(&spec.service), 2.0);
    record.decay_to(Epoch(7), &spec.grade);
    record.load_probe(8.0);
    // Two probes that count half each, and one.
    close(record.goodput(&spec.service), 3.0);
}

#[test]
fn every_other_checkpoint_is_another_attempt() {
    let mut record = Record::new(Epoch(0));
    let commits = [Some(1), Some(1), None, Some(2), Some(1)];
    for name in commits {
        record.set_checkpoint(name.map(|name| Digest([name; 32])));
    }
    // Coming back to an earlier one counts, committing to nothing does not.
    assert_eq!(record.attempts(), 3);
}

#[test]
fn the_quality_of_one_ask_is_what_the_checkpoint_said() {
    let grade = spec().grade;
    let good = answered(1.0, 0.5).quality(&grade);
    assert!(good > answered(0.2, 0.5).quality(&grade) && good <= Some(1.0));
    assert_eq!(failed().quality(&grade), Some(0.0));
    assert_eq!(unopened(Some(1.0)).quality(&grade), None);
    let AskOutcome::Answered { fidelity, .. } = answered(1.0, 0.5) else {
        unreachable!()
    };
    let slow = AskOutcome::Answered {
        e_value: None,
        fidelity,
        credit: Some(1.0),
        liveliness: 1.0,
        service: 0.0,
        pace: Pace::default(),
    };
    assert_eq!(slow.quality(&grade), good);
}

#[test]
fn bytes_that_are_no_record_are_refused() {
    let good = record(&[answered(0.5, 2.0)]).to_bytes();
    let check = |bytes: &[u8], expected| assert_eq!(Record::from_bytes(bytes), Err(expected));
    check(&[], DecodeRecordError::Version { found: None });
    check(
        &[&[0], &good[1..]].concat(),
        DecodeRecordError::Version { found: Some(0) },
    );
    // The versions before are read by their own layouts.
    check(&[&[1], &good[1..]].concat(), DecodeRecordError::Malformed);
    check(&[&[2], &good[1..]].concat(), DecodeRecordError::Malformed);
    check(&good[..good.len() - 1], DecodeRecordError::Malformed);
    check(&[&good[..], &[0]].concat(), DecodeRecordError::Malformed);
    check(
        &[2; Record::MAX_BYTES + 1],
        DecodeRecordError::TooLong {
            len: Record::MAX_BYTES + 1,
        },
    );
    let mut poisoned = record(&[answered(0.5, 2.0)]);
    poisoned.asked = f64::NAN;
    check(&poisoned.to_bytes(), DecodeRecordError::Malformed);
}

#[test]
fn the_fullest_record_fits_its_bound() {
    let mut spec = spec();
    spec.audit.dishonest_shares = (1..=64).map(|k| f64::from(k) / 65.0).collect();
    let mut record = Record::new(Epoch(0));
    record.apply(ask(u64::MAX, 4_095), &answered(1.0, 2.0), &spec.audit);
    record.set_checkpoint(Some(Digest([1; 32])));
    record.set_fault(Some(Fault {
        kind: FaultKind::BadAnswer,
        evidence: "x".repeat(512),
    }));
    assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
}

#[test]
fn a_load_is_written_as_the_number_of_the_probe_was_and_what_was_counted_comes_on_top() {
    for (load, before) in [(Load::Alone, None), (Load::Probe { probe: 7 }, Some(7_u32))] {
        assert_eq!(load.encode(), before.encode());
        assert_eq!(load.probe(), before);
        assert_eq!(Load::decode(&mut &*before.encode()), Ok(load));
    }
    let counted = Load::Counted {
        probe: 7,
        arrived: 258,
    };
    assert_eq!(counted.encode(), [2, 7, 0, 0, 0, 2, 1, 0, 0]);
    assert_eq!((counted.probe(), counted.arrived()), (Some(7), Some(258)));
}

#[test]
fn no_more_tokens_can_have_arrived_than_an_answer_has() {
    let with = |tokens, arrived| AskOutcome::Unopened {
        service: Some(1.0),
        pace: Pace {
            tokens,
            elapsed_ms: 500,
            load: Load::Counted { probe: 0, arrived },
        },
    };
    assert!(with(8, 8).is_bounded());
    assert!(!with(8, 9).is_bounded());
}
