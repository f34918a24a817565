//! Tests of the weights: sums, symmetry, copies, faults and the chain's limits.

use athanor_spec::SubnetSpec;
use proptest::prelude::*;

use super::*;

fn params() -> AllocationParams {
    AllocationParams {
        curve: Curve::Crown,
        ..SubnetSpec::local().allocation
    }
}

fn entry(uid: u16, class: u8, quality_low: f64) -> Entry {
    Entry {
        uid: Uid(uid),
        class: Digest([class; 32]),
        quality_low,
        goodput: 1.0,
        faulty: false,
        priority_block: BlockNumber(u32::from(uid)),
    }
}

fn weight(weights: &[(Uid, u16)], uid: u16) -> u16 {
    weights
        .iter()
        .find(|(u, _)| *u == Uid(uid))
        .map_or(0, |(_, weight)| *weight)
}

fn proportional(entries: &[Entry]) -> Vec<(Uid, u16)> {
    allocate(entries, None, &params(), &ChainLimits::NONE)
}

#[test]
fn pay_grows_with_the_square_of_quality() {
    let weights = proportional(&[entry(0, 0, 0.8), entry(1, 1, 0.4)]);
    assert_eq!(weights, [(Uid(0), 65_535), (Uid(1), 16_384)]);
}

#[test]
fn copies_share_one_slot_which_the_earliest_holds() {
    let alone = proportional(&[entry(0, 0, 0.8), entry(1, 1, 0.8)]);
    let copied = proportional(&[entry(0, 0, 0.8), entry(1, 1, 0.8), entry(2, 0, 0.9)]);
    assert_eq!(alone, copied);
    let mut tie = [entry(0, 0, 0.8), entry(1, 1, 0.8), entry(2, 0, 0.8)];
    tie[2].priority_block = tie[0].priority_block;
    (tie[0].goodput, tie[2].goodput) = (0.5, 0.5);
    let shared = proportional(&tie);
    assert_eq!(
        (weight(&shared, 0), weight(&shared, 1), weight(&shared, 2)),
        (32_768, 65_535, 32_768)
    );
}

#[test]
fn priority_passes_on_from_the_faulty_and_the_absent() {
    let mut entries = [entry(0, 0, 0.8), entry(1, 0, 0.5)];
    entries[0].faulty = true;
    assert_eq!(proportional(&entries), [(Uid(1), 65_535)]);
    assert_eq!(
        proportional(&[entry(0, 0, 0.0), entry(1, 0, 0.5)]),
        [(Uid(1), 65_535)]
    );
}

#[test]
fn the_crown_gets_its_share_if_it_earns_anything() {
    let entries = [entry(0, 0, 0.5), entry(1, 1, 0.5)];
    let crowned = |class| allocate(&entries, Some(class), &params(), &ChainLimits::NONE);
    let weights = crowned(Digest([1; 32]));
    let share = f64::from(weight(&weights, 1)) / (65_535.0 + f64::from(weight(&weights, 0)));
    assert!((share - 0.55).abs() < 1e-4, "{share}");
    assert_eq!(crowned(Digest([7; 32])), proportional(&entries));
}

#[test]
fn what_nobody_earned_is_burned_or_not_set() {
    let mut entries = [entry(3, 0, 0.9), entry(4, 1, f64::NAN)];
    entries[0].faulty = true;
    assert_eq!(proportional(&entries), []);
    let limits = ChainLimits {
        burn: Some(Uid(0)),
        ..ChainLimits::NONE
    };
    assert_eq!(
        allocate(&entries, None, &params(), &limits),
        [(Uid(0), 65_535)]
    );
}

#[test]
fn short_vectors_are_filled_with_zero_weights() {
    let limits = ChainLimits {
        min_allowed_weights: 3,
        ..ChainLimits::NONE
    };
    let entries = [
        entry(0, 0, 0.0),
        entry(1, 1, 0.5),
        entry(2, 2, 0.0),
        entry(3, 3, 0.0),
    ];
    let weights = allocate(&entries, None, &params(), &limits);
    assert_eq!(weights, [(Uid(0), 0), (Uid(1), 65_535), (Uid(2), 0)]);
}

#[test]
fn a_class_is_paid_for_the_goodput_of_its_members_together() {
    let mut entries = [entry(0, 0, 0.8), entry(1, 1, 0.8), entry(2, 1, 0.8)];
    entries[2].priority_block = entries[1].priority_block;
    (entries[1].goodput, entries[2].goodput) = (0.75, 0.25);
    let paid = |goodput, entries: &[Entry]| {
        let params = AllocationParams {
            goodput,
            ..params()
        };
        let weights = allocate(entries, None, &params, &ChainLimits::NONE);
        [0, 1, 2].map(|uid| weight(&weights, uid))
    };
    for worth in [GoodputWorth::Linear, GoodputWorth::Concave] {
        assert_eq!(paid(worth, &entries), [65_535, 49_151, 16_384]);
    }
    (entries[1].goodput, entries[2].goodput) = (2.0, 2.0);
    assert_eq!(
        paid(GoodputWorth::Linear, &entries),
        [32_768, 65_535, 65_535]
    );
    assert_eq!(
        paid(GoodputWorth::Concave, &entries),
        [65_535, 32_768, 32_768]
    );
}

#[test]
fn splitting_a_card_over_siblings_gains_nothing_by_the_linear_worth() {
    let params = AllocationParams {
        goodput: GoodputWorth::Linear,
        curve: Curve::Proportional,
        ..params()
    };
    let share = |entries: &[Entry]| {
        let weights = allocate(entries, None, &params, &ChainLimits::NONE);
        let total: f64 = weights.iter().map(|(_, w)| f64::from(*w)).sum();
        1.0 - f64::from(weight(&weights, 0)) / total
    };
    let one = share(&[entry(0, 0, 0.8), entry(1, 1, 0.8)]);
    let mut siblings = [entry(0, 0, 0.8), entry(1, 1, 0.8), entry(2, 2, 0.8)];
    (siblings[1].goodput, siblings[2].goodput) = (0.5, 0.5);
    assert!((share(&siblings) - one).abs() < 1e-4);
}

#[test]
fn the_top_k_are_paid_and_no_others() {
    let params = AllocationParams {
        curve: Curve::TopK,
        top_k: 2,
        ..params()
    };
    let entries = [
        entry(0, 0, 0.5),
        entry(1, 1, 0.9),
        entry(2, 2, 0.7),
        entry(3, 3, 0.7),
    ];
    let weights = allocate(&entries, Some(Digest([0; 32])), &params, &ChainLimits::NONE);
    let paid: Vec<u16> = weights.iter().map(|(uid, _)| uid.0).collect();
    // Of the two equals the earlier.
    assert_eq!(paid, [1, 2]);
}

#[test]
fn a_crown_that_nobody_earned_is_burned_where_the_spec_burns() {
    let limits = ChainLimits {
        burn: Some(Uid(9)),
        ..ChainLimits::NONE
    };
    let entries = [entry(0, 0, 0.5), entry(1, 1, 0.5)];
    let weights = allocate(&entries, None, &params(), &limits);
    let total: f64 = weights.iter().map(|(_, w)| f64::from(*w)).sum();
    assert!((f64::from(weight(&weights, 9)) / total - params().crown_share).abs() < 1e-4);
    let kept = AllocationParams {
        burn_unearned: false,
        ..params()
    };
    assert_eq!(
        allocate(&entries, None, &kept, &limits),
        proportional(&entries)
    );
    assert_eq!(allocate(&[], None, &kept, &limits), []);
}

fn population() -> impl Strategy<Value = Vec<Entry>> {
    let one = (
        0_u8..12,
        0.0_f64..=1.0,
        prop::bool::weighted(0.2),
        0_u32..20,
    );
    prop::collection::vec(one, 1..60).prop_map(|list| {
        let entry =
            |(uid, (class, quality_low, faulty, block)): (u16, (u8, f64, bool, u32))| Entry {
                uid: Uid(uid),
                class: Digest([class; 32]),
                quality_low,
                goodput: 1.0,
                faulty,
                priority_block: BlockNumber(block),
            };
        (0..).zip(list).map(entry).collect()
    })
}

proptest! {
    #[test]
    fn the_largest_weight_is_the_largest_possible_and_faults_earn_nothing(entries in population()) {
        let weights = proportional(&entries);
        let earning = entries.iter().any(|e| !e.faulty && e.quality_low > 0.0);
        prop_assert_eq!(weights.iter().map(|(_, w)| *w).max(), earning.then_some(u16::MAX));
        prop_assert!(weights.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for faulty in entries.iter().filter(|e| e.faulty) {
            prop_assert_eq!(weight(&weights, faulty.uid.0), 0);
        }
    }

    #[test]
    fn pay_does_not_depend_on_the_uid(entries in population(), offset in 1_usize..60) {
        let count = entries.len();
        let renamed: Vec<Entry> = (0..count)
            .map(|index| {
                let uid = u16::try_from((index + offset) % count).unwrap();
                Entry { uid: Uid(uid), ..entries[index] }
            })
            .rev()
            .collect();
        let (before, after) = (proportional(&entries), proportional(&renamed));
        for (index, entry) in entries.iter().enumerate() {
            let uid = u16::try_from((index + offset) % count).unwrap();
            let (left, right) = (weight(&before, entry.uid.0), weight(&after, uid));
            // The order of summation differs, hence the last bit.
            prop_assert!(left.abs_diff(right) <= 1);
        }
    }

    #[test]
    fn copies_add_nothing_to_a_class(entries in population(), copies in 1_u16..10) {
        let mut flooded = entries.clone();
        for copy in 0..copies {
            let source = entries[usize::from(copy) % entries.len()];
            let priority_block = BlockNumber(1_000 + u32::from(copy));
            flooded.push(Entry { uid: Uid(500 + copy), faulty: source.faulty, priority_block, ..source });
        }
        let (before, after) = (proportional(&entries), proportional(&flooded));
        let class_had_an_earner = |copy: &Entry| {
            entries.iter().any(|e| e.class == copy.class && !e.faulty && e.quality_low > 0.0)
        };
        if flooded[entries.len()..].iter().all(class_had_an_earner) {
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn better_quality_never_earns_less(entries in population(), pick in 0_usize..60, step in 0.0_f64..=1.0) {
        let pick = pick % entries.len();
        let mut better = entries.clone();
        better[pick].quality_low += (1.0 - better[pick].quality_low) * step;
        let share = |weights: &[(Uid, u16)]| {
            let total: f64 = weights.iter().map(|(_, w)| f64::from(*w)).sum();
            if total > 0.0 { f64::from(weight(weights, entries[pick].uid.0)) / total } else { 0.0 }
        };
        prop_assert!(share(&proportional(&better)) >= share(&proportional(&entries)) - 1e-4);
    }

    #[test]
    fn no_share_exceeds_the_chains_limit(entries in population(), limit in 3_277_u16..65_535) {
        let limits = ChainLimits { max_weight_limit: limit, ..ChainLimits::NONE };
        let weights = allocate(&entries, None, &params(), &limits);
        let cap = f64::from(limit) / 65_535.0;
        if weights.len() as f64 * cap > 1.01 {
            let total: f64 = weights.iter().map(|(_, w)| f64::from(*w)).sum();
            prop_assert!(weights.iter().all(|(_, w)| f64::from(*w) / total <= cap));
        }
    }
}
