//! Whether the teacher can do what miners are to be graded on: a family that it does not do above chance is refused.
//!
//! Null: the teacher's share of entirely right answers is at most what the family says a guess reaches, at the shortest
//! question that the spec allows. Test: exact binomial, after every batch of [`BATCH`] items and at most [`LOOKS`] times,
//! each look at [`ALPHA`] / `LOOKS` (Bonferroni), so that a family which is guessed passes with probability at most
//! `ALPHA`. A teacher that does a family passes after the first batch.

use athanor_model::{Tokenizer, tokenizer::TokenizerError};
use athanor_scoring::task::{self, Family, Item};
use athanor_spec::{Ask, Finish, SubnetSpec};
use futures::{StreamExt as _, stream};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use statrs::distribution::{Beta, Binomial, ContinuousCDF as _, DiscreteCDF as _};
use thiserror::Error;

use crate::teacher::Teacher;

/// Chance that a family passes which the teacher only guesses.
const ALPHA: f64 = 0.01;
/// Looks at the evidence at most.
const LOOKS: usize = 4;
/// Items asked before each look.
const BATCH: usize = 8;
/// Confidence of the bound that a refusal names.
const CONFIDENCE: f64 = 0.95;
/// Items that the teacher answers at once.
const AT_ONCE: usize = 8;

/// Why a spec cannot be used with this teacher.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// A family is no better than guessed.
    #[error(
        "the teacher answers {right} of {asked} items of `{}` rightly (a rate of {:.3}, at most {upper:.3} with 95 % \
         confidence), which is not above the {chance:.3} of a guess: set `tasks.{}.weight` to 0, or make its items \
         easier (`tasks.{}.length`{})",
        family.name(), f64::from(*right) / f64::from(*asked), family.name(), family.name(),
        match family { Family::Recall => ", `tasks.recall_distance`", _ => "" }
    )]
    NotAboveChance {
        /// The family.
        family: Family,
        /// Entirely right answers.
        right: u32,
        /// Items asked.
        asked: u32,
        /// Upper bound of the rate (Clopper-Pearson).
        upper: f64,
        /// What a guess reaches.
        chance: f64,
    },
    /// Prompts of a family are longer than the wire lets through.
    #[error(
        "an item of `{}` has a prompt of {tokens} tokens, but `limits.max_prompt_tokens` is {limit}: shorten its items \
         (`tasks.{}.length`) or raise the limit",
        family.name(), family.name()
    )]
    PromptTooLong {
        /// The family.
        family: Family,
        /// Length of the prompt.
        tokens: usize,
        /// The bound.
        limit: u32,
    },
    /// The tokenizer does not take a prompt.
    #[error("the teacher's tokenizer refuses an item of `{}`: {source}", family.name())]
    Tokenizer {
        /// The family.
        family: Family,
        /// Cause.
        source: TokenizerError,
    },
    /// The teacher does not answer.
    #[error("the teacher's engine fails on an item of `{}`: is the device out of memory?", family.name())]
    Teacher {
        /// The family.
        family: Family,
    },
}

/// What the teacher showed of one family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probed {
    /// The family.
    pub family: Family,
    /// Entirely right answers.
    pub right: u32,
    /// Items asked.
    pub asked: u32,
    /// Chance of so many right answers, or more, by guessing.
    pub p_value: f64,
}

/// Probes every family that the spec asks for; the same spec and teacher always show the same.
pub async fn probe(
    teacher: &Teacher,
    tokenizer: &Tokenizer,
    spec: &SubnetSpec,
) -> Result<Vec<Probed>, ProbeError> {
    let mut rng = ChaCha20Rng::from_seed(spec.digest().0);
    let mut probed = Vec::new();
    for family in Family::ALL {
        if spec.round.continuation_share < 1.0 && family.params(&spec.tasks).weight > 0.0 {
            probed.push(probe_family(family, teacher, tokenizer, spec, &mut rng).await?);
        }
    }
    Ok(probed)
}

async fn probe_family(
    family: Family,
    teacher: &Teacher,
    tokenizer: &Tokenizer,
    spec: &SubnetSpec,
    rng: &mut ChaCha20Rng,
) -> Result<Probed, ProbeError> {
    let chance = family.chance(family.params(&spec.tasks).length.0);
    let (mut right, mut asked) = (0, 0);
    for _ in 0..LOOKS {
        right += answered_rightly(family, BATCH, teacher, tokenizer, spec, rng).await?;
        asked += BATCH as u32;
        let p_value = at_least(right, asked, chance);
        if p_value < ALPHA / LOOKS as f64 {
            return Ok(Probed {
                family,
                right,
                asked,
                p_value,
            });
        }
    }
    Err(ProbeError::NotAboveChance {
        family,
        right,
        asked,
        upper: rate_at_most(right, asked),
        chance,
    })
}

/// Asks the teacher so many items of a family, and counts the answers that are entirely right.
pub async fn answered_rightly(
    family: Family,
    items: usize,
    teacher: &Teacher,
    tokenizer: &Tokenizer,
    spec: &SubnetSpec,
    rng: &mut ChaCha20Rng,
) -> Result<u32, ProbeError> {
    let batch = (0..items)
        .map(|_| draw(family, tokenizer, spec, rng))
        .collect::<Result<Vec<_>, _>>()?;
    let answers = stream::iter(batch)
        .map(|(item, ask)| async move { (item, teacher.say(ask).await) })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut right = 0;
    for (item, said) in answers {
        let said = said.ok_or(ProbeError::Teacher { family })?;
        let text = tokenizer.decode(&said.tokens).unwrap_or_default();
        right += u32::from(said.finish == Finish::Stop && task::grade(&item, &text) >= 1.0);
    }
    Ok(right)
}

/// An item and the ask that carries it, at the spec's lowest temperature that samples: what the teacher does best.
fn draw(
    family: Family,
    tokenizer: &Tokenizer,
    spec: &SubnetSpec,
    rng: &mut ChaCha20Rng,
) -> Result<(Item, Ask), ProbeError> {
    let item = task::generate(family, &spec.tasks, rng);
    let prompt = tokenizer
        .encode(&item.prompt)
        .map_err(|source| ProbeError::Tokenizer { family, source })?;
    let limit = spec.limits.max_prompt_tokens;
    if prompt.len() > limit as usize {
        return Err(ProbeError::PromptTooLong {
            family,
            tokens: prompt.len(),
            limit,
        });
    }
    let temperatures = spec.round.temperatures_milli.iter().copied();
    let ask = Ask {
        prompt,
        max_new_tokens: u16::try_from(spec.round.continuation_new_tokens.1).unwrap_or(u16::MAX),
        temperature_milli: temperatures.filter(|t| *t > 0).min().unwrap_or(1000),
        seed: rng.random(),
    };
    Ok((item, ask))
}

/// P( X >= right ) for X binomial of `asked` trials with probability `chance`.
fn at_least(right: u32, asked: u32, chance: f64) -> f64 {
    match Binomial::new(chance.clamp(0.0, 1.0), asked.into()) {
        Ok(guesses) if right > 0 => guesses.sf(u64::from(right) - 1),
        _ => 1.0,
    }
}

/// Upper confidence bound of a rate (Clopper-Pearson, one-sided).
fn rate_at_most(right: u32, asked: u32) -> f64 {
    if right >= asked {
        return 1.0;
    }
    Beta::new(f64::from(right) + 1.0, f64::from(asked - right))
        .map_or(1.0, |posterior| posterior.inverse_cdf(CONFIDENCE))
}

#[cfg(test)]
mod tests {
    use athanor_model::{Checkpoint, DeviceChoice};

    use super::*;

    async fn of_the_bundled_teacher(spec: &SubnetSpec) -> Result<Vec<Probed>, ProbeError> {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../distill/teacher");
        let checkpoint = Checkpoint::open(&dir).unwrap();
        let tokenizer = checkpoint.tokenizer().unwrap();
        let ends = checkpoint.stop_tokens().unwrap();
        let teacher = Teacher::start(&checkpoint, ends, spec, DeviceChoice::Cpu).unwrap();
        probe(&teacher, &tokenizer, spec).await
    }

    #[tokio::test]
    async fn the_bundled_teacher_does_every_family_of_the_local_subnet() {
        let probed = of_the_bundled_teacher(&SubnetSpec::local()).await.unwrap();
        let families: Vec<Family> = probed.iter().map(|it| it.family).collect();
        assert_eq!(families, Family::TAUGHT);
        for it in probed {
            println!(
                "{}: {} of {}, p = {:.1e}",
                it.family.name(),
                it.right,
                it.asked,
                it.p_value
            );
            assert!(it.p_value < ALPHA);
        }
    }

    #[tokio::test]
    async fn a_family_that_the_teacher_only_guesses_is_refused_by_name() {
        let mut spec = SubnetSpec::local();
        spec.tasks.recall.weight = 1.0;
        spec.tasks.recall.length = (4, 6);
        let error = of_the_bundled_teacher(&spec).await.unwrap_err();
        println!("{error}");
        assert!(
            matches!(
                error,
                ProbeError::NotAboveChance {
                    family: Family::Recall,
                    asked: 32,
                    ..
                }
            ),
            "{error}"
        );
        let text = error.to_string();
        for part in [
            "`recall`",
            "with 95 % confidence",
            "`tasks.recall.weight` to 0",
        ] {
            assert!(text.contains(part), "`{part}` is not in {text}");
        }
        spec.tasks.recall.length = (16, 16);
        spec.tasks.recall_distance = (400, 400);
        let error = of_the_bundled_teacher(&spec).await.unwrap_err();
        assert!(
            error.to_string().contains("limits.max_prompt_tokens"),
            "{error}"
        );
    }

    #[test]
    fn the_tail_of_a_binomial_and_the_bound_of_a_rate() {
        assert_eq!(at_least(0, 8, 0.1), 1.0);
        assert!((at_least(8, 8, 0.5) - 1.0 / 256.0).abs() < 1e-12);
        assert!((at_least(7, 8, 0.5) - 9.0 / 256.0).abs() < 1e-12);
        assert_eq!(rate_at_most(8, 8), 1.0);
        // The rule of three: no success in n trials, at most 1 - 0.05^(1/n).
        assert!((rate_at_most(0, 32) - (1.0 - 0.05_f64.powf(1.0 / 32.0))).abs() < 1e-9);
    }

    #[test]
    fn a_guesser_passes_as_rarely_as_promised() {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        for chance in [0.06, 0.33, 0.5] {
            let passes = (0..20_000).filter(|_| {
                let mut right = 0;
                (1..=LOOKS).any(|look| {
                    right += (0..BATCH)
                        .map(|_| u32::from(rng.random_bool(chance)))
                        .sum::<u32>();
                    at_least(right, (look * BATCH) as u32, chance) < ALPHA / LOOKS as f64
                })
            });
            let share = passes.count() as f64 / 20_000.0;
            // Three standard errors above the nominal rate.
            assert!(share <= ALPHA + 3.0 * (ALPHA / 20_000.0).sqrt(), "{share}");
        }
    }
}
