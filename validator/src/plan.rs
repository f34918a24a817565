//! One round's asks as a pure function of its seed: what is asked, of whom, and when.

use athanor_scoring::{
    corpus,
    task::{self, Family, Item},
};
use athanor_spec::{Ask, Hotkey, SubnetSpec, Uid};
use rand::{Rng, SeedableRng, seq::IndexedRandom as _};
use rand_chacha::ChaCha20Rng;

use crate::seed;

/// What an ask is about, known to the validator only.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The continuation of real text.
    Continuation,
    /// A procedural item with a checkable answer.
    Task(Item),
}

/// An ask of the round.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAsk {
    /// Whom to ask.
    pub miner: Hotkey,
    /// The miner's slot when the round began.
    pub uid: Uid,
    /// Position among the miner's asks of this round.
    pub index: u32,
    /// Blocks after the round's first block at which the ask goes out.
    pub block_offset: u32,
    /// What goes over the wire.
    pub ask: Ask,
    /// What it is about.
    pub content: Content,
}

/// Plans a round: `asks_per_miner` asks for each miner, each miner's from its own salt, families drawn independently
/// per ask (never in blocks, which would break the sequential tests), scattered over `window_blocks` blocks.
///
/// `encode` is the subnet's tokenizer. The result is ordered by block offset, then by miner.
pub fn plan(
    round_seed: &[u8; 32],
    miners: &[(Hotkey, Uid)],
    spec: &SubnetSpec,
    window_blocks: u32,
    encode: impl Fn(&str) -> Vec<u32>,
) -> Vec<PlannedAsk> {
    let mut asks = Vec::with_capacity(miners.len() * spec.round.asks_per_miner as usize);
    for (miner, uid) in miners {
        let mut rng = ChaCha20Rng::from_seed(seed::salt(round_seed, miner));
        for index in 0..spec.round.asks_per_miner {
            let (ask, content) = draw_ask(&mut rng, spec, &encode);
            let block_offset = rng.random_range(0..window_blocks.max(1));
            asks.push(PlannedAsk {
                miner: *miner,
                uid: *uid,
                index,
                block_offset,
                ask,
                content,
            });
        }
    }
    asks.sort_by_key(|planned| (planned.block_offset, planned.index, planned.miner));
    asks
}

fn draw_ask(
    rng: &mut ChaCha20Rng,
    spec: &SubnetSpec,
    encode: &impl Fn(&str) -> Vec<u32>,
) -> (Ask, Content) {
    let round = &spec.round;
    let (prompt, content, max_new_tokens) = if rng.random_bool(round.continuation_share) {
        let (low, high) = round.continuation_prompt_tokens;
        let tokens = rng.random_range(low..=high) as usize;
        // A token is at least one character: this many characters hold more tokens than are kept.
        let mut prompt = encode(corpus::passage(rng, tokens * 6));
        prompt.truncate(tokens);
        let (low, high) = round.continuation_new_tokens;
        (prompt, Content::Continuation, rng.random_range(low..=high))
    } else {
        let family = Family::ALL.choose(rng).copied().unwrap_or(Family::ALL[0]);
        let item = task::generate(family, rng);
        let prompt = encode(&item.prompt);
        // The bound is the same for all items: it must not give the length of the answer away.
        (prompt, Content::Task(item), round.continuation_new_tokens.1)
    };
    let temperature_milli = round
        .temperatures_milli
        .choose(rng)
        .copied()
        .unwrap_or(1000);
    let ask = Ask {
        prompt,
        max_new_tokens: u16::try_from(max_new_tokens).unwrap_or(u16::MAX),
        temperature_milli,
        seed: rng.random(),
    };
    (ask, content)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    fn bytes_as_tokens(text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    fn miners(count: u8) -> Vec<(Hotkey, Uid)> {
        (0..count)
            .map(|i| (Hotkey([i; 32]), Uid(u16::from(i))))
            .collect()
    }

    #[test]
    fn the_same_seed_plans_the_same_round() {
        let spec = SubnetSpec::local();
        let a = plan(&[1; 32], &miners(3), &spec, 10, bytes_as_tokens);
        let b = plan(&[1; 32], &miners(3), &spec, 10, bytes_as_tokens);
        let c = plan(&[2; 32], &miners(3), &spec, 10, bytes_as_tokens);
        assert_eq!(a, b);
        assert_ne!(a, c);
    }

    #[test]
    fn a_miner_s_asks_do_not_depend_on_who_else_is_registered() {
        let spec = SubnetSpec::local();
        let few = plan(&[1; 32], &miners(2), &spec, 10, bytes_as_tokens);
        let many = plan(&[1; 32], &miners(5), &spec, 10, bytes_as_tokens);
        let of = |asks: &[PlannedAsk]| {
            let mut own: Vec<_> = asks.iter().filter(|a| a.uid == Uid(1)).cloned().collect();
            own.sort_by_key(|a| a.index);
            own
        };
        assert_eq!(of(&few), of(&many));
    }

    #[test]
    fn every_ask_is_within_the_spec_and_no_prompt_is_shared() {
        let spec = SubnetSpec::local();
        let asks = plan(&[7; 32], &miners(8), &spec, 12, bytes_as_tokens);
        let mut per_miner = BTreeMap::<Uid, u32>::new();
        let mut seeds = HashSet::new();
        for planned in &asks {
            *per_miner.entry(planned.uid).or_default() += 1;
            assert!(planned.block_offset < 12);
            assert!(!planned.ask.prompt.is_empty());
            assert!(u32::from(planned.ask.max_new_tokens) <= spec.limits.max_new_tokens);
            assert!(
                spec.round
                    .temperatures_milli
                    .contains(&planned.ask.temperature_milli)
            );
            assert!(
                seeds.insert(planned.ask.seed),
                "two asks share a sampling seed"
            );
        }
        assert!(per_miner.values().all(|n| *n == spec.round.asks_per_miner));
        let continuations = asks
            .iter()
            .filter(|a| a.content == Content::Continuation)
            .count();
        assert!(continuations > 0 && continuations < asks.len());
    }
}
