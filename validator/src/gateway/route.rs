//! Which miners are asked, and in which order: a function of what is known of them, the time and a draw.
//!
//! A miner's weight is
//!
//! ```text
//! w = (quality + q0)^2 * (incentive + i0) / (1 + (ttft / usual)^2) / (1 + in_flight / 8)
//! ```
//!
//! with `quality` the ledger's lower bound, `incentive` its share of what the chain pays all miners, `ttft` its median time to
//! the first token as users saw it, and `usual` the median over the miners. Traffic in proportion to incentive makes the price
//! equal: every token that users get costs the subnet the same weight, and nobody is paid for capacity that stays idle. The two
//! constants let those be tried that nothing is known of yet.
//!
//! The order is a weighted draw without replacement by exponential keys, `-ln(u) / w` ascending, with `u` a hash of the draw
//! and the miner. So a miner whose weight changes moves by itself, and the others stay in their order: with a draw that follows
//! from a request's own seed, the same request goes to the same miner as long as that one stands about as it did.

use std::time::Duration;

use athanor_spec::Hotkey;

/// Quality that everybody is taken to have.
const QUALITY_FLOOR: f64 = 0.05;
/// Incentive that everybody is taken to have, as a share of an equal one.
const INCENTIVE_FLOOR: f64 = 0.1;
/// Requests in flight at which a miner counts half.
const CROWD: f64 = 8.0;

/// What is known of a miner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standing {
    /// Who.
    pub(crate) hotkey: Hotkey,
    /// Lower bound of its quality in [0, 1].
    pub(crate) quality: f64,
    /// Share of all miners' incentive, in [0, 1].
    pub(crate) incentive: f64,
    /// Median time to its first token, in milliseconds; `None` while nothing was measured.
    pub(crate) ttft_ms: Option<f64>,
    /// Requests of this gateway that it works on.
    pub(crate) in_flight: usize,
    /// Until when it is left alone because it failed, in milliseconds of the caller's clock.
    pub(crate) rests_until_ms: u64,
}

/// What the order may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steadiness {
    /// Everything that is known: for requests whose answer may come from anybody.
    Live,
    /// What changes from round to round only: for requests that name a seed, whose answers should come again.
    Steady,
}

/// The places in `miners` in the order in which to ask, without those that rest.
pub(crate) fn order(
    miners: &[Standing],
    how: Steadiness,
    draw: &[u8; 32],
    now_ms: u64,
) -> Vec<usize> {
    let usual = median(miners.iter().filter_map(|miner| miner.ttft_ms));
    let equal = 1.0 / miners.len().max(1) as f64;
    let mut keyed: Vec<(f64, usize)> = miners
        .iter()
        .enumerate()
        .filter(|(_, miner)| miner.rests_until_ms <= now_ms)
        .map(|(place, miner)| {
            let weight = weight(miner, how, usual, equal);
            (-uniform(draw, &miner.hotkey).ln() / weight, place)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    keyed.into_iter().map(|(_, place)| place).collect()
}

fn weight(miner: &Standing, how: Steadiness, usual: Option<f64>, equal: f64) -> f64 {
    let share = |value: f64| {
        if value.is_finite() {
            value.clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let quality = share(miner.quality) + QUALITY_FLOOR;
    let steady = quality * quality * (share(miner.incentive) + INCENTIVE_FLOOR * equal);
    if how == Steadiness::Steady {
        return steady;
    }
    let slowness = match (miner.ttft_ms, usual) {
        (Some(own), Some(usual)) if usual > 0.0 => own / usual,
        _ => 1.0,
    };
    steady / (1.0 + slowness * slowness) / (1.0 + miner.in_flight as f64 / CROWD)
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Uniform in (0, 1), from a draw and a miner.
fn uniform(draw: &[u8; 32], hotkey: &Hotkey) -> f64 {
    let hash = blake3::keyed_hash(draw, &hotkey.0);
    let mut low = [0; 8];
    low.copy_from_slice(&hash.as_bytes()[..8]);
    // The upper 52 bits, moved by half a step: neither 0 nor 1.
    ((u64::from_le_bytes(low) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// How long a miner rests after having failed `failures` times in a row: from a second on, twice as long each time.
pub(crate) fn rest(failures: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(300);
    Duration::from_secs(1)
        .saturating_mul(
            1_u32
                .checked_shl(failures.saturating_sub(1))
                .unwrap_or(u32::MAX),
        )
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn miner(name: u8) -> Standing {
        Standing {
            hotkey: Hotkey([name; 32]),
            quality: 0.5,
            incentive: 0.25,
            ttft_ms: Some(100.0),
            in_flight: 0,
            rests_until_ms: 0,
        }
    }

    fn draw(number: u32) -> [u8; 32] {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    /// How often each comes first in 20,000 draws.
    fn firsts(miners: &[Standing]) -> Vec<f64> {
        let mut firsts = BTreeMap::<usize, u32>::new();
        for number in 0..20_000 {
            let order = order(miners, Steadiness::Live, &draw(number), 0);
            *firsts.entry(order[0]).or_default() += 1;
        }
        let share = |place| f64::from(firsts.get(&place).copied().unwrap_or(0)) / 20_000.0;
        (0..miners.len()).map(share).collect()
    }

    #[test]
    fn traffic_goes_by_weight() {
        let mut miners = [miner(1), miner(2)];
        miners[0].incentive = 0.6;
        miners[1].incentive = 0.2;
        // Floor of 0.05 each: 0.65 to 0.25.
        let share = firsts(&miners)[0];
        // Five standard deviations of a share of 20,000.
        assert!((share - 0.65 / 0.9).abs() < 0.016, "{share}");
    }

    #[test]
    fn better_faster_and_idler_miners_are_asked_more_and_unknown_ones_are_tried() {
        let change: [fn(&mut Standing); 3] = [
            |miner| miner.quality = 0.1,
            |miner| miner.ttft_ms = Some(400.0),
            |miner| miner.in_flight = 16,
        ];
        for worse in change {
            let mut miners = [miner(1), miner(2), miner(3)];
            worse(&mut miners[1]);
            let firsts = firsts(&miners);
            assert!(firsts[1] < 0.6 * firsts[0], "{firsts:?}");
        }
        let mut miners = [miner(1), miner(2)];
        (miners[1].quality, miners[1].incentive, miners[1].ttft_ms) = (0.0, 0.0, None);
        let tried = firsts(&miners)[1];
        assert!(tried > 0.0 && tried < 0.05, "{tried}");
    }

    #[test]
    fn a_seeded_request_stays_where_it_was_while_others_come_slow_down_or_fill_up() {
        let miners = [miner(1), miner(2), miner(3)];
        for number in 0..500 {
            let draw = draw(number);
            let before = order(&miners, Steadiness::Steady, &draw, 0);
            let mut later = miners.to_vec();
            later[before[0]].in_flight = 30;
            later[before[0]].ttft_ms = Some(4000.0);
            assert_eq!(order(&later, Steadiness::Steady, &draw, 0), before);
            // One that rests is left out, and the rest stay in their order.
            later[before[0]].rests_until_ms = 1;
            assert_eq!(order(&later, Steadiness::Steady, &draw, 0), before[1..]);
        }
    }

    #[test]
    fn rests_grow_and_end() {
        let seconds: Vec<u64> = (1..12).map(|failures| rest(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(rest(u32::MAX).as_secs(), 300);
    }

    proptest! {
        #[test]
        fn everybody_who_does_not_rest_comes_once_whatever_is_claimed(
            values in prop::collection::vec((any::<f64>(), any::<f64>(), any::<Option<f64>>(), 0_u64..3), 0..12),
            number: u32,
        ) {
            let miners: Vec<Standing> = values
                .iter()
                .enumerate()
                .map(|(at, (quality, incentive, ttft_ms, rests))| Standing {
                    quality: *quality,
                    incentive: *incentive,
                    ttft_ms: *ttft_ms,
                    rests_until_ms: *rests,
                    ..miner(at as u8)
                })
                .collect();
            for how in [Steadiness::Live, Steadiness::Steady] {
                let mut places = order(&miners, how, &draw(number), 1);
                places.sort_unstable();
                let awake: Vec<usize> = (0..miners.len())
                    .filter(|place| miners[*place].rests_until_ms <= 1)
                    .collect();
                prop_assert_eq!(places, awake);
            }
        }
    }
}
