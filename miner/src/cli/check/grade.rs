//! What a validator would make of the answers that were just given: evidence, and a grade.

use std::sync::mpsc;

use athanor_model::{
    Checkpoint, DeviceChoice, Tokenizer, WeightFormat,
    checkpoint::CheckpointError,
    engine::{self, EngineConfig, GenerateRequest},
    sampler,
    scorer::{LoadError, Logits, ScoreError, Scorer},
    tokenizer::TokenizerError,
};
use athanor_scoring::{
    corpus,
    evidence::{Calibration, TokenObservation},
    fidelity::{self, Ending, FidelitySums, Reference, TokenDivergence},
    grade::{self, Text, Timing},
    ledger::{AskId, AskOutcome, Load, Pace, Record},
    task::{self, Deck, Item},
};
use athanor_spec::{Answer, Ask, Epoch, Finish, Round, SubnetSpec, telemetry::GradeSummary};
use rand::{Rng as _, SeedableRng as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha20Rng;
use thiserror::Error;

/// Evidence at which an honest miner is unlucky once in a hundred times, at most.
const SUSPICIOUS: f64 = 100.0;
/// Continuations that the teacher draws at once.
const SLOTS: usize = 8;

/// A question like a validator's.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) ask: Ask,
    /// What is to be answered, where the answer can be checked; a text is to be continued otherwise.
    item: Option<Item>,
    /// Seed of the teacher's own continuation.
    reference_seed: u64,
}

/// One question and what came of it.
pub(super) struct Asked {
    pub(super) question: Question,
    /// The answer, and how long it took; `None` if there was none.
    pub(super) answer: Option<(Answer, Timing)>,
}

/// What the replays say together.
pub(super) struct Verdict {
    /// Tokens that were replayed.
    pub(super) tokens: usize,
    /// Of these, the ones that the replay would not have drawn.
    pub(super) others: usize,
    /// Largest margin by which the replay prefers another token, in units of logits over temperature.
    pub(super) margin: f32,
    /// Evidence that the answers are not the checkpoint's: at most 1 is expected of an honest miner.
    pub(super) evidence: f64,
    /// The grade, as a ledger has it that knows these answers alone.
    pub(super) grade: GradeSummary,
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.evidence < SUSPICIOUS
    }
}

/// Why nothing was graded.
#[derive(Debug, Error)]
pub(crate) enum GradeError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Score(#[from] ScoreError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the teacher does not continue a prompt; is the device out of memory?")]
    Silent,
}

/// `count` questions of the kinds, lengths and temperatures that the spec has validators use; a function of the seed.
pub(super) fn questions(
    spec: &SubnetSpec,
    tokenizer: &Tokenizer,
    seed: u64,
    count: usize,
) -> Result<Vec<Question>, TokenizerError> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let deck = Deck::new(rng.random());
    let round = &spec.round;
    let mut questions = Vec::with_capacity(count);
    for place in 0..count as u64 {
        let family = match rng.random_bool(round.continuation_share) {
            true => None,
            false => task::choose(&spec.tasks, &mut rng),
        };
        let (low, high) = round.continuation_new_tokens;
        let (prompt, item, max_new_tokens) = match family {
            None => {
                let (short, long) = round.continuation_prompt_tokens;
                let tokens = rng.random_range(short..=long) as usize;
                // A token is at least one character: this many characters hold more tokens than are kept.
                let mut prompt = tokenizer.encode(corpus::passage(&mut rng, tokens * 6))?;
                prompt.truncate(tokens);
                (prompt, None, rng.random_range(low..=high))
            }
            Some(family) => {
                let item = deck.deal(family, &spec.tasks, place, &mut rng);
                (tokenizer.encode(&item.prompt)?, Some(item), high)
            }
        };
        let temperature = round.temperatures_milli.choose(&mut rng).copied();
        questions.push(Question {
            ask: Ask {
                prompt,
                max_new_tokens: u16::try_from(max_new_tokens).unwrap_or(u16::MAX),
                temperature_milli: temperature.unwrap_or(1000),
                seed: rng.random(),
            },
            item,
            reference_seed: rng.random(),
        });
    }
    Ok(questions)
}

/// The teacher's own continuation of a prompt.
struct Continued {
    tokens: Vec<u32>,
    finish: Finish,
}

/// Replays the answers in f32 on the committed checkpoint and on the teacher, against the table that ships, and grades them
/// by the code that validators grade by. Blocking.
pub(super) fn replay(
    student: &Checkpoint,
    teacher: &Checkpoint,
    device: DeviceChoice,
    spec: &SubnetSpec,
    asked: &[Asked],
) -> Result<Verdict, GradeError> {
    let references = continuations(teacher, device, spec, asked)?;
    let tokenizer = teacher.tokenizer()?;
    let (student, teacher) = (
        Scorer::load(student, device)?,
        Scorer::load(teacher, device)?,
    );
    let calibration = Calibration::shipped();
    let mut record = Record::new(Epoch(0));
    let (mut tokens, mut others, mut margin) = (0, 0, 0.0);
    for (index, (asked, reference)) in (0..).zip(asked.iter().zip(&references)) {
        let Question { ask, item, .. } = &asked.question;
        let from = ask.prompt.len();
        let forced = [ask.prompt.as_slice(), &reference.tokens].concat();
        let outcome = match &asked.answer {
            None => {
                let teacher = teacher.logits(&forced, from)?;
                let divergences = compare(&teacher, &teacher, reference.tokens.len(), spec);
                AskOutcome::Failed {
                    fidelity: FidelitySums::of_missing(Reference::of(&divergences), &spec.grade),
                    checkable: item.is_some(),
                    load: None,
                }
            }
            Some((answer, timing)) => {
                let own = [ask.prompt.as_slice(), &answer.tokens].concat();
                let of_student = [student.logits(&own, from)?, student.logits(&forced, from)?];
                let of_teacher = [teacher.logits(&own, from)?, teacher.logits(&forced, from)?];
                let observed = observe(&of_student[0], &answer.tokens, ask);
                tokens += observed.len();
                others += observed.iter().filter(|it| it.margin > 0.0).count();
                margin = observed.iter().map(|it| it.margin).fold(margin, f32::max);
                let covered = calibration.covers(ask.temperature_milli);
                AskOutcome::Answered {
                    e_value: covered.then(|| calibration.request_e_value(&observed)),
                    fidelity: FidelitySums::of_answer(
                        &compare(&of_student[0], &of_teacher[0], answer.tokens.len(), spec),
                        ending(answer, &of_teacher[0]),
                        &compare(&of_student[1], &of_teacher[1], reference.tokens.len(), spec),
                        &spec.grade,
                    ),
                    credit: item.as_ref().map(|item| {
                        // Undecodable tokens are an answer like any other: a wrong one.
                        let text = tokenizer.decode(&answer.tokens).unwrap_or_default();
                        task::grade(item, &text)
                    }),
                    liveliness: grade::liveliness(
                        Text {
                            tokens: &answer.tokens,
                            finish: answer.finish,
                        },
                        Some(Text {
                            tokens: &reference.tokens,
                            finish: reference.finish,
                        }),
                        &spec.grade,
                    ),
                    service: grade::service(*timing, &spec.service),
                    pace: Pace {
                        tokens: timing.tokens,
                        elapsed_ms: u32::try_from(timing.elapsed_ms).unwrap_or(u32::MAX),
                        load: Load::Alone,
                    },
                }
            }
        };
        let round = Round(0);
        record.apply(AskId { round, index }, &outcome, &spec.audit);
    }
    Ok(Verdict {
        tokens,
        others,
        margin,
        evidence: record.evidence().e_value(&spec.audit),
        grade: record.summary(spec),
    })
}

/// How each prompt goes on by the teacher, under the same limits.
fn continuations(
    teacher: &Checkpoint,
    device: DeviceChoice,
    spec: &SubnetSpec,
    asked: &[Asked],
) -> Result<Vec<Continued>, GradeError> {
    let config = EngineConfig {
        slots: SLOTS,
        queue: asked.len() + SLOTS,
        device,
        weights: WeightFormat::F32,
        max_context: (spec.limits.max_prompt_tokens + spec.limits.max_new_tokens) as usize,
    };
    let (engine, stop) = (engine::spawn(teacher, config)?, teacher.stop_tokens()?);
    let mut waiting = Vec::with_capacity(asked.len());
    for Asked { question, .. } in asked {
        let request = GenerateRequest {
            prompt: question.ask.prompt.clone(),
            max_new_tokens: question.ask.max_new_tokens.into(),
            temperature: question.ask.temperature(),
            seed: question.reference_seed,
            stop: stop.clone(),
        };
        let (reply, generated) = mpsc::sync_channel(1);
        let submitted = engine.generate(request, move |it| drop(reply.send(it)));
        submitted.map_err(|_| GradeError::Silent)?;
        waiting.push(generated);
    }
    let drawn = waiting.into_iter().map(|generated| {
        let generation = generated.recv().map_err(|_| GradeError::Silent)?;
        let generation = generation.map_err(|_| GradeError::Silent)?;
        Ok(Continued {
            tokens: generation.tokens,
            finish: match generation.finish {
                engine::Finish::Stop => Finish::Stop,
                engine::Finish::Length => Finish::Length,
            },
        })
    });
    drawn.collect()
}

fn compare(
    student: &Logits,
    teacher: &Logits,
    tokens: usize,
    spec: &SubnetSpec,
) -> Vec<TokenDivergence> {
    (0..tokens)
        .map(|t| fidelity::divergence(student.row(t), teacher.row(t), &spec.grade))
        .collect()
}

fn ending(answer: &Answer, teacher: &Logits) -> Ending {
    match (answer.finish, answer.tokens.last()) {
        (Finish::Stop, Some(end)) => Ending::Stopped {
            teacher_probability: fidelity::probability(teacher.row(answer.tokens.len() - 1), *end),
        },
        _ => Ending::Limit,
    }
}

fn observe(logits: &Logits, tokens: &[u32], ask: &Ask) -> Vec<TokenObservation> {
    let seen = sampler::observe_answer(logits, tokens, ask.temperature(), ask.seed);
    seen.map(|it| TokenObservation {
        margin: it.margin,
        gap: it.gap,
    })
    .collect()
}
