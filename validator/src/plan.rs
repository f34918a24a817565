//! One round's asks as a pure function of its seed: what is asked, of whom, and when.
//!
//! A share of the prompts is common to all miners of the round ([`shared_prompts`]): qualities on the same
//! prompt can be compared pair by pair, and the teacher continues and reads such a prompt once, however many miners get
//! it. Sharing gives nothing away. An answer is a function of the miner's own checkpoint, which it committed to before
//! the round's seed existed, and of its own sampling seed, which it learns with the ask: another miner's answer is wrong
//! for it, and the prompt, heard of early, would save it one prefill. Prompt, length and temperature are common; the
//! seed, the time, and everything about the other prompts are the miner's own.
//!
//! A share of the asks is opened ([`RoundParams::opening_share`]): continued by the teacher and replayed. The coin is the last
//! that is drawn for a prompt, from the round's secret seed, so no miner can know it when it answers, and everybody can
//! afterwards. It is the same for all who get a shared prompt: else few would be opened for two miners at once, and pairs of
//! them could not be compared. How many others open an ask says nothing to a miner: none of them knows either.
//!
//! A round has load probes: moments, drawn from the seed alone, at which miners get several of their own asks at once. In one of
//! them every miner does ([`goodput::is_joint`]), so what hotkeys on one card serve adds up to what the card gives, and that is
//! paid for; in the others each miner does by a coin of its own, about half of all together, which tells who shares a machine.
//! The asks of a probe are drawn like all others.
//!
//! Each ask comes from a generator of its own, keyed by the miner's salt and the ask's index, so one ask can be drawn
//! again by itself ([`ask_of`]) and does not depend on how many others there are. Procedural items are dealt from one deck
//! per round, at a place that the miner's UID and the index name, so that no two prompts of a round are the same item.

use athanor_scoring::{
    corpus, goodput,
    task::{self, Deck, Item},
    transcript::Head,
};
use athanor_spec::{Ask, Digest, Hotkey, SubnetSpec, Uid, params::RoundParams};
use rand::{
    Rng, SeedableRng,
    seq::{IndexedRandom as _, SliceRandom as _},
};
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
    /// Which of the round's shared prompts it is, counted from 0; `None` for a prompt that only this miner gets.
    pub shared: Option<u32>,
    /// Which load probe of the round it belongs to: all of the miner's asks of that probe go out at once. `None` for an
    /// ask by itself. The validator clears it where the probe is not made ([`crate::pressure`]).
    pub load: Option<u32>,
    /// Blocks after the round's first block at which the ask goes out.
    pub block_offset: u32,
    /// What goes over the wire.
    pub ask: Ask,
    /// Seed of the teacher's own continuation of the prompt; the same wherever the prompt is shared.
    pub reference_seed: u64,
    /// Whether its answer is replayed. What is not opened counts for its time alone.
    pub opened: bool,
    /// What it is about.
    pub content: Content,
}

/// A miner in a round's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedMiner {
    /// Who.
    pub hotkey: Hotkey,
    /// Its slot when the round began.
    pub uid: Uid,
    /// How many asks it gets, those with the round's shared prompts among them; see [`athanor_scoring::width::prompts`].
    pub asks: u32,
}

/// What is the same for everybody who gets a prompt.
#[derive(Clone, Debug)]
struct Prompt {
    tokens: Vec<u32>,
    max_new_tokens: u16,
    temperature_milli: u16,
    reference_seed: u64,
    opened: bool,
    content: Content,
}

/// The places of a deck that a miner has for its asks of a round: more than a round has.
const PLACES: u64 = 4096;

/// What a round's prompts are drawn from.
struct Source<'a, E> {
    seed: [u8; 32],
    deck: Deck,
    spec: &'a SubnetSpec,
    window_blocks: u32,
    encode: E,
}

/// Whom a round asks, as its transcript's head says.
pub fn whom(head: &Head) -> Vec<PlannedMiner> {
    head.miners
        .iter()
        .map(|miner| PlannedMiner {
            hotkey: miner.account.hotkey,
            uid: miner.uid,
            asks: miner.asks,
        })
        .collect()
}

pub use athanor_scoring::width::{least_asks, shared_prompts};

/// Whether a user's request joins the audit of a round: at the rate at which the round's own asks are opened, by a coin that
/// neither the user nor the miner can know.
pub fn opens(round_seed: &[u8; 32], request: &Digest, round: &RoundParams) -> bool {
    let mut coin = ChaCha20Rng::from_seed(seed::organic(round_seed, request));
    coin.random_bool(round.opening_share)
}

/// Whether a miner takes part in a load probe of the round: all do in the joint one, each by a coin of its own in the others.
pub fn takes_part(round_seed: &[u8; 32], miner: &Hotkey, probe: u32) -> bool {
    let salt = seed::salt(round_seed, miner);
    goodput::is_joint(probe) || ChaCha20Rng::from_seed(seed::probe(&salt, probe)).random()
}

/// Plans a round: families drawn independently per prompt (never in blocks, which
/// would break the sequential tests), scattered over `window_blocks` blocks.
///
/// `encode` is the subnet's tokenizer. The result is ordered by block offset, then by index, then by miner.
pub fn plan(
    round_seed: &[u8; 32],
    miners: &[PlannedMiner],
    spec: &SubnetSpec,
    window_blocks: u32,
    encode: impl Fn(&str) -> Vec<u32>,
) -> Vec<PlannedAsk> {
    let source = Source::new(round_seed, spec, window_blocks, encode);
    let shared: Vec<Prompt> = (0..shared_prompts(&spec.round))
        .map(|index| source.shared_prompt(index))
        .collect();
    let mut asks = Vec::new();
    for miner in miners {
        for index in 0..miner.asks {
            let prompt = shared.get(index as usize).cloned();
            asks.push(source.ask((miner.hotkey, miner.uid), index, prompt));
        }
    }
    asks.sort_by_key(|planned| (planned.block_offset, planned.index, planned.miner));
    asks
}

/// One ask of [`plan`] by itself, as whoever checks a single exchange needs it.
pub fn ask_of(
    round_seed: &[u8; 32],
    miner: (Hotkey, Uid),
    index: u32,
    spec: &SubnetSpec,
    window_blocks: u32,
    encode: impl Fn(&str) -> Vec<u32>,
) -> PlannedAsk {
    let source = Source::new(round_seed, spec, window_blocks, encode);
    let shared = index < shared_prompts(&spec.round);
    let prompt = shared.then(|| source.shared_prompt(index));
    source.ask(miner, index, prompt)
}

impl<'a, E: Fn(&str) -> Vec<u32>> Source<'a, E> {
    fn new(round_seed: &[u8; 32], spec: &'a SubnetSpec, window_blocks: u32, encode: E) -> Self {
        Self {
            seed: *round_seed,
            deck: Deck::new(seed::deck(round_seed)),
            spec,
            window_blocks,
            encode,
        }
    }

    /// An ask with a shared prompt, or with one of its own.
    fn ask(&self, (miner, uid): (Hotkey, Uid), index: u32, shared: Option<Prompt>) -> PlannedAsk {
        let salt = seed::salt(&self.seed, &miner);
        let mut rng = ChaCha20Rng::from_seed(seed::ask(&salt, index));
        let alone = rng.random_range(0..self.window_blocks.max(1));
        let seed = rng.random();
        let is_shared = shared.is_some();
        let load = self.load_probe(&miner, index);
        let block_offset = load.map_or(alone, |probe| self.probe_offset(probe));
        let prompt = shared.unwrap_or_else(|| {
            // The first places are those of the shared prompts.
            let place = (u64::from(uid.0) + 1) * PLACES + u64::from(index) % PLACES;
            self.prompt(place, &mut rng)
        });
        PlannedAsk {
            miner,
            uid,
            index,
            shared: is_shared.then_some(index),
            load,
            block_offset,
            ask: Ask {
                prompt: prompt.tokens,
                max_new_tokens: prompt.max_new_tokens,
                temperature_milli: prompt.temperature_milli,
                seed,
            },
            reference_seed: prompt.reference_seed,
            opened: prompt.opened,
            content: prompt.content,
        }
    }

    /// The load probe that an ask of a miner belongs to, if it takes part: after the shared prompts, `load_streams` indices for
    /// each probe.
    fn load_probe(&self, miner: &Hotkey, index: u32) -> Option<u32> {
        let service = &self.spec.service;
        let own = index.checked_sub(shared_prompts(&self.spec.round))?;
        let probe = own / service.load_streams.max(1);
        if probe >= service.load_probes {
            return None;
        }
        takes_part(&self.seed, miner, probe).then_some(probe)
    }

    /// The moment of a probe, the same for all who take part. Each probe has a part of the window to itself, so that no two
    /// meet; which part is drawn too, else the order would tell which of them is the joint one.
    fn probe_offset(&self, probe: u32) -> u32 {
        let probes = self.spec.service.load_probes.max(1);
        let window = u64::from(self.window_blocks.max(1));
        let mut parts: Vec<u32> = (0..probes).collect();
        // No probe has this number, so nothing else is drawn from this seed.
        parts.shuffle(&mut ChaCha20Rng::from_seed(seed::probe(&self.seed, probes)));
        let part = parts.get(probe as usize).copied().unwrap_or(0);
        // Below the window, which is a u32.
        let begin = |part: u32| (u64::from(part) * window / u64::from(probes)) as u32;
        let (from, to) = (begin(part), begin(part + 1));
        let mut rng = ChaCha20Rng::from_seed(seed::probe(&self.seed, probe));
        from + rng.random_range(0..to.saturating_sub(from).max(1))
    }

    fn shared_prompt(&self, index: u32) -> Prompt {
        let salt = seed::shared(&self.seed);
        let mut rng = ChaCha20Rng::from_seed(seed::ask(&salt, index));
        self.prompt(u64::from(index) % PLACES, &mut rng)
    }

    fn prompt(&self, place: u64, rng: &mut ChaCha20Rng) -> Prompt {
        let round = &self.spec.round;
        let tasks = &self.spec.tasks;
        // A spec whose families are all off has continuations only.
        let family = match rng.random_bool(round.continuation_share) {
            true => None,
            false => task::choose(tasks, rng),
        };
        let (tokens, content, max_new_tokens) = match family {
            None => {
                let (low, high) = round.continuation_prompt_tokens;
                let tokens = rng.random_range(low..=high) as usize;
                // A token is at least one character: this many characters hold more tokens than are kept.
                let mut prompt = (self.encode)(corpus::passage(rng, tokens * 6));
                prompt.truncate(tokens);
                let (low, high) = round.continuation_new_tokens;
                (prompt, Content::Continuation, rng.random_range(low..=high))
            }
            Some(family) => {
                let item = self.deck.deal(family, tasks, place, rng);
                let prompt = (self.encode)(&item.prompt);
                // The bound is the same for all items: it must not give the length of the answer away.
                (prompt, Content::Task(item), round.continuation_new_tokens.1)
            }
        };
        let temperature_milli = round
            .temperatures_milli
            .choose(rng)
            .copied()
            .unwrap_or(1000);
        let reference_seed = rng.random();
        // Last: nothing else of a round depends on how many of its asks are opened.
        let opened = rng.random_bool(round.opening_share);
        Prompt {
            tokens,
            max_new_tokens: u16::try_from(max_new_tokens).unwrap_or(u16::MAX),
            temperature_milli,
            reference_seed,
            opened,
            content,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    fn bytes_as_tokens(text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    fn miners(count: u8) -> Vec<PlannedMiner> {
        let miner = |i: u8| PlannedMiner {
            hotkey: Hotkey([i; 32]),
            uid: Uid(i.into()),
            asks: SubnetSpec::local().round.asks_per_miner,
        };
        (0..count).map(miner).collect()
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
    fn more_asks_for_one_miner_change_nothing_about_the_others() {
        let spec = SubnetSpec::local();
        let mut more = miners(3);
        more[1].asks += 10;
        let before = plan(&[1; 32], &miners(3), &spec, 10, bytes_as_tokens);
        let after = plan(&[1; 32], &more, &spec, 10, bytes_as_tokens);
        assert_eq!(after.len(), before.len() + 10);
        assert!(before.iter().all(|planned| after.contains(planned)));
    }

    #[test]
    fn shared_prompts_are_common_to_all_and_seeds_and_times_are_not() {
        let spec = SubnetSpec::local();
        let asks = plan(&[3; 32], &miners(6), &spec, 50, bytes_as_tokens);
        let count = shared_prompts(&spec.round);
        assert!(count > 0 && count < spec.round.asks_per_miner);
        let mut offsets = HashSet::new();
        for index in 0..count {
            let same: Vec<_> = asks.iter().filter(|a| a.shared == Some(index)).collect();
            assert_eq!(same.len(), 6);
            for other in &same[1..] {
                let (left, right) = (same[0], other);
                assert_eq!(left.ask.prompt, right.ask.prompt);
                assert_eq!(left.content, right.content);
                assert_eq!(left.reference_seed, right.reference_seed);
                assert_eq!(left.ask.max_new_tokens, right.ask.max_new_tokens);
                assert_eq!(left.ask.temperature_milli, right.ask.temperature_milli);
                assert_ne!(left.ask.seed, right.ask.seed);
            }
            offsets.extend(same.iter().map(|a| a.block_offset));
        }
        assert!(offsets.len() > 10, "the shared prompts go out together");
        let own: Vec<_> = asks.iter().filter(|a| a.shared.is_none()).collect();
        let prompts: HashSet<_> = own.iter().map(|a| &a.ask.prompt).collect();
        assert_eq!(prompts.len(), own.len(), "two miners share an own prompt");
    }

    #[test]
    fn the_share_that_is_opened_changes_nothing_else_and_is_common_where_prompts_are() {
        let mut spec = SubnetSpec::local();
        let all = plan(&[4; 32], &miners(40), &spec, 50, bytes_as_tokens);
        assert!(all.iter().all(|planned| planned.opened));
        spec.round.opening_share = 0.25;
        let some = plan(&[4; 32], &miners(40), &spec, 50, bytes_as_tokens);
        let closed = |planned: &PlannedAsk| PlannedAsk {
            opened: true,
            ..planned.clone()
        };
        assert_eq!(some.iter().map(closed).collect::<Vec<_>>(), all);
        let own: Vec<&PlannedAsk> = some.iter().filter(|it| it.shared.is_none()).collect();
        let opened = own.iter().filter(|it| it.opened).count() as f64;
        // Five standard deviations.
        let (mean, sd) = (own.len() as f64 / 4.0, (own.len() as f64 * 0.1875).sqrt());
        assert!(
            (opened - mean).abs() < 5.0 * sd,
            "{opened} of {}",
            own.len()
        );
        let mut shared = BTreeMap::<u32, HashSet<bool>>::new();
        for planned in &some {
            if let Some(index) = planned.shared {
                shared.entry(index).or_default().insert(planned.opened);
            }
            let again = ask_of(
                &[4; 32],
                (planned.miner, planned.uid),
                planned.index,
                &spec,
                50,
                bytes_as_tokens,
            );
            assert_eq!(again.opened, planned.opened);
        }
        assert!(shared.values().all(|coins| coins.len() == 1));
    }

    #[test]
    fn users_requests_join_at_the_same_rate_by_the_round_s_coin() {
        let mut round = SubnetSpec::local().round;
        let joined = |seed: u8, round: &RoundParams| -> Vec<u32> {
            let request = |n: &u32| Digest::of(&n.to_le_bytes());
            let opened = |n: &u32| opens(&[seed; 32], &request(n), round);
            (0..2_000).filter(opened).collect()
        };
        assert_eq!(joined(1, &round).len(), 2_000);
        round.opening_share = 0.1;
        let (one, other) = (joined(1, &round), joined(2, &round));
        // Five standard deviations of 2,000 coins are 67.
        assert!((133..=267).contains(&one.len()), "{}", one.len());
        assert_ne!(one, other);
    }

    #[test]
    fn the_joint_probe_takes_all_miners_at_one_moment_and_the_others_take_halves() {
        let mut spec = SubnetSpec::local();
        (spec.service.load_probes, spec.service.load_streams) = (3, 4);
        let asks = plan(&[6; 32], &miners(200), &spec, 100, bytes_as_tokens);
        let mut moments = BTreeMap::<u32, HashSet<u32>>::new();
        let mut streams = BTreeMap::<(u32, Uid), u32>::new();
        for planned in &asks {
            if let Some(probe) = planned.load {
                assert_eq!(planned.shared, None);
                moments
                    .entry(probe)
                    .or_default()
                    .insert(planned.block_offset);
                *streams.entry((probe, planned.uid)).or_default() += 1;
            }
        }
        assert_eq!(moments.len(), 3);
        let times: HashSet<u32> = moments.values().flatten().copied().collect();
        assert!(moments.values().all(|at| at.len() == 1) && times.len() == 3);
        assert!(streams.values().all(|count| *count == 4));
        let loaded = |probe| streams.keys().filter(|(of, _)| *of == probe).count();
        assert_eq!(loaded(0), 200);
        for probe in [1, 2] {
            // Four standard deviations of 200 coins are 28.
            assert!((72..=128).contains(&loaded(probe)), "{}", loaded(probe));
        }
        let both = streams
            .keys()
            .filter(|(of, uid)| *of == 1 && streams.contains_key(&(2, *uid)));
        assert!(
            (20..=80).contains(&both.count()),
            "the halves are not independent"
        );
    }

    #[test]
    fn an_ask_can_be_drawn_again_by_itself() {
        let spec = SubnetSpec::local();
        for planned in plan(&[5; 32], &miners(3), &spec, 9, bytes_as_tokens) {
            let miner = (planned.miner, planned.uid);
            let again = ask_of(&[5; 32], miner, planned.index, &spec, 9, bytes_as_tokens);
            assert_eq!(again, planned);
        }
    }

    #[test]
    fn every_ask_is_within_the_spec_and_no_seed_is_used_twice() {
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
