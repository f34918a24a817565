//! Share a round's prompts out by how little is known of each miner.
//!
//! What is paid for is a lower bound, Q - z s / sqrt(n), so a prompt is worth most where the width z s / sqrt(n) is
//! largest. Every miner gets the round's shared prompts, on which pairs are compared; the rest go out in proportion to
//! the width, so a newcomer is known well enough ([`enough`]) long before its evidence is as old as the others'.

use athanor_spec::{
    SubnetSpec,
    params::{AllocationParams, RoundParams},
};

/// Prompts of one miner at most, as a multiple of the mean: a newcomer is no reason to flood it.
const MOST: u32 = 4;

/// How many of a miner's asks carry the round's shared prompts: those of the lowest indices.
pub fn shared_prompts(round: &RoundParams) -> u32 {
    // At most asks_per_miner, as the share is at most 1.
    (f64::from(round.asks_per_miner) * round.shared_share).round() as u32
}

/// How many asks every miner gets at least: those with the shared prompts, and those that load probes may take.
pub fn least_asks(spec: &SubnetSpec) -> u32 {
    let probes = spec.service.load_probes * spec.service.load_streams;
    (shared_prompts(&spec.round) + probes).min(spec.round.asks_per_miner)
}

/// n* = (p z s / (0.1 Q))^2: the asks after which the width no longer takes more than about a tenth of the pay of a miner
/// of quality `quality` (derivative of Q_low^p); not more than the cap that all share. 0 for a quality of 0.
pub fn enough(quality: f64, params: &AllocationParams) -> f64 {
    if quality.is_nan() || quality <= 0.0 {
        return 0.0;
    }
    let root = params.exponent * params.confidence_z * params.pool_sd / (0.1 * quality);
    (root * root).min(params.max_effective_asks)
}

/// How many asks each miner gets in a round, given the effective number of asks that each already has: in order, never
/// less than `least` (those with shared prompts and those of load probes), together `asks_per_miner` each unless the cap
/// of one miner is reached.
pub fn prompts(effective: &[f64], least: u32, spec: &SubnetSpec) -> Vec<u32> {
    let mean = spec.round.asks_per_miner;
    let least = least.min(mean);
    let most = mean.saturating_mul(MOST) - least;
    let budget = u64::from(mean - least) * effective.len() as u64;
    let widths: Vec<f64> = effective
        .iter()
        // NaN is nothing known.
        .map(|asks| {
            1.0 / asks
                .max(1.0)
                .min(spec.allocation.max_effective_asks.max(1.0))
                .sqrt()
        })
        .collect();
    let total: f64 = widths.iter().sum();
    let exact: Vec<f64> = widths
        .iter()
        .map(|width| budget as f64 * width / total)
        .collect();
    let mut own: Vec<u32> = exact
        .iter()
        .map(|share| (share.floor() as u32).min(most))
        .collect();
    // The largest remainders get what rounding left over; of equals the first.
    let given: u64 = own.iter().map(|count| u64::from(*count)).sum();
    let mut order: Vec<usize> = (0..own.len()).filter(|at| own[*at] < most).collect();
    order.sort_by(|left, right| exact[*right].fract().total_cmp(&exact[*left].fract()));
    for at in order
        .into_iter()
        .take(budget.saturating_sub(given) as usize)
    {
        own[at] += 1;
    }
    own.into_iter().map(|count| least + count).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn enough_is_what_the_mechanism_says() {
        let params = AllocationParams {
            exponent: 2.0,
            confidence_z: 1.645,
            pool_sd: 0.3,
            ..SubnetSpec::local().allocation
        };
        assert!((enough(0.6, &params) - 270.6).abs() < 0.1);
        assert_eq!(enough(0.001, &params), params.max_effective_asks);
        assert_eq!(
            (enough(0.0, &params), enough(f64::NAN, &params)),
            (0.0, 0.0)
        );
    }

    #[test]
    fn equals_get_the_same_and_a_newcomer_more() {
        let spec = SubnetSpec::local();
        let (shared, mean) = (12, spec.round.asks_per_miner);
        assert_eq!(prompts(&[100.0; 5], shared, &spec), [mean; 5]);
        let mixed = prompts(&[250.0, 250.0, 250.0, 0.0], shared, &spec);
        assert!(mixed[3] > 2 * mean && mixed[3] <= 4 * mean, "{mixed:?}");
        assert!(mixed[..3].iter().all(|count| *count >= shared));
        assert_eq!(mixed.iter().sum::<u32>(), 4 * mean);
        assert!(prompts(&[], shared, &spec).is_empty());
    }

    #[test]
    fn a_newcomer_reaches_enough_sooner_than_by_equal_shares() {
        let spec = SubnetSpec::local();
        let mut asks = vec![270.0; 9];
        asks.push(0.0);
        let wanted = enough(0.6, &spec.allocation);
        let rounds = (1..100).find(|_| {
            let given = prompts(&asks, 12, &spec);
            asks[9] += f64::from(given[9]);
            asks[9] >= wanted
        });
        let equal = (wanted / f64::from(spec.round.asks_per_miner)).ceil() as u32;
        assert!(rounds.unwrap() < equal, "{rounds:?} of {equal}");
    }

    proptest! {
        #[test]
        fn shares_are_bounded_and_never_more_for_who_is_known_better(
            effective in prop::collection::vec(0.0_f64..500.0, 1..40),
            shared in 0_u32..30,
        ) {
            let spec = SubnetSpec::local();
            let mean = spec.round.asks_per_miner;
            let given = prompts(&effective, shared, &spec);
            prop_assert!(given.iter().all(|n| (shared.min(mean)..=MOST * mean).contains(n)));
            prop_assert!(given.iter().sum::<u32>() <= mean * effective.len() as u32);
            for (left, right) in effective.iter().zip(&given) {
                for (other, count) in effective.iter().zip(&given) {
                    prop_assert!(left >= other || *right + 1 >= *count);
                }
            }
        }
    }
}
