//! Find every model's nearest earlier one: all pairs of a small population, a forest of random splits for a large one.
//!
//! A tree splits the models at the median of a random direction until few are left; models that share a leaf in one of
//! the trees are compared. That costs n log n. What the screen misses makes a nearest distance larger, never smaller: it
//! can lose power, not accuse anybody.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{behaviour, weights::dot};

/// Up to so many models all pairs are compared.
pub const ALL_PAIRS: usize = 512;
/// Trees of the forest. A copy is missed by all of them with the probability that one tree separates it, to this power.
const TREES: usize = 12;
/// Models that are not split further.
const LEAF: usize = 16;
/// Positions that a tree looks at.
const POSITIONS: usize = 128;
/// Log-probabilities below this one are taken for it in the screen, so that no single token decides.
const FLOOR: f32 = -12.0;

/// The nearest earlier model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Its index.
    pub earlier: usize,
    /// Distance in nats, see [`behaviour::distance`].
    pub distance: f32,
}

/// For every model the nearest one before it, `None` for the first and for those that cannot be compared. `profiles`
/// holds each model's log-probabilities on the same positions, the model of earliest priority first.
pub fn nearest_earlier(profiles: &[&[f32]], seed: u64) -> Vec<Option<Nearest>> {
    if profiles.len() <= ALL_PAIRS {
        all_pairs(profiles)
    } else {
        screened(profiles, seed)
    }
}

fn all_pairs(profiles: &[&[f32]]) -> Vec<Option<Nearest>> {
    let mut scratch = Vec::new();
    (0..profiles.len())
        .map(|later| best(profiles, later, 0..later, &mut scratch))
        .collect()
}

fn best(
    profiles: &[&[f32]],
    later: usize,
    candidates: impl Iterator<Item = usize>,
    scratch: &mut Vec<f32>,
) -> Option<Nearest> {
    candidates
        .filter_map(|earlier| {
            let distance = behaviour::distance(profiles[later], profiles[earlier], scratch)?;
            Some(Nearest { earlier, distance })
        })
        .min_by(|a, b| a.distance.total_cmp(&b.distance))
}

fn screened(profiles: &[&[f32]], seed: u64) -> Vec<Option<Nearest>> {
    let length = profiles
        .iter()
        .map(|profile| profile.len())
        .min()
        .unwrap_or(0);
    let mut candidates = vec![Vec::new(); profiles.len()];
    for tree in 0..TREES {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(tree as u64));
        let positions =
            rand::seq::index::sample(&mut rng, length, POSITIONS.min(length)).into_vec();
        let seen: Vec<Vec<f32>> = profiles
            .iter()
            .map(|profile| {
                let value = |at: &usize| profile[*at];
                let clean = |value: f32| {
                    if value.is_nan() {
                        FLOOR
                    } else {
                        value.clamp(FLOOR, 0.0)
                    }
                };
                positions.iter().map(value).map(clean).collect()
            })
            .collect();
        let mut open = vec![(0..profiles.len()).collect::<Vec<usize>>()];
        while let Some(members) = open.pop() {
            if members.len() <= LEAF {
                for later in &members {
                    candidates[*later].extend(members.iter().filter(|earlier| *earlier < later));
                }
                continue;
            }
            let direction: Vec<f32> = (0..positions.len())
                .map(|_| if rng.random() { 1.0 } else { -1.0 })
                .collect();
            let mut placed: Vec<(f32, usize)> = members
                .iter()
                .map(|member| (dot(&seen[*member], &direction), *member))
                .collect();
            let middle = placed.len() / 2;
            placed.select_nth_unstable_by(middle, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let half = |half: &[(f32, usize)]| half.iter().map(|(_, member)| *member).collect();
            open.push(half(&placed[..middle]));
            open.push(half(&placed[middle..]));
        }
    }
    let mut scratch = Vec::new();
    candidates
        .into_iter()
        .enumerate()
        .map(|(later, mut candidates)| {
            candidates.sort_unstable();
            candidates.dedup();
            best(profiles, later, candidates.into_iter(), &mut scratch)
        })
        .collect()
}

#[cfg(test)]
mod tests;
