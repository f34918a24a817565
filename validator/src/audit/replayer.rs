//! The models and the parameters of a replay; plain and synchronous.

use std::{
    any::Any,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use athanor_model::{
    Checkpoint, DeviceChoice, Tokenizer,
    scorer::{Logits, Scorer, Tree},
};
use athanor_scoring::{
    evidence::{Calibration, TokenObservation},
    fidelity::{self, Ending, FidelitySums, Reference, TokenDivergence},
    ledger::AskOutcome,
};
use athanor_spec::{Ask, Finish, SubnetSpec};

use super::{AuditError, Replay, Replayed, TeacherText, cache::Cache, observe};
use crate::{
    plan::{Content, PlannedAsk},
    verdict::{self, Plain},
};

/// Part of the memory in which the teacher's reading of its own continuations is remembered.
const REMEMBERED_SHARE: u64 = 8;
/// Bytes of logits that are in memory at once.
const LOGITS_BYTES: usize = 256 << 20;

/// The models and the parameters of a replay.
pub struct Replayer {
    teacher: Scorer,
    tokenizer: Tokenizer,
    students: Cache<PathBuf, Arc<Scorer>>,
    /// The teacher's logits on its own continuation of a prompt: the same for every miner that gets the prompt.
    readings: Cache<[u8; 32], Arc<Logits>>,
    device: DeviceChoice,
    spec: SubnetSpec,
    calibration: Calibration,
}

/// The logits that an outcome is made of.
struct Readings<'a> {
    student_own: &'a Logits,
    student_forced: &'a Logits,
    teacher_own: &'a Logits,
    teacher_forced: &'a Logits,
}

impl Replayer {
    /// Loads the teacher. `memory` bounds the students that stay loaded and what is remembered of the teacher, in bytes.
    pub fn new(
        teacher: &Checkpoint,
        tokenizer: Tokenizer,
        (device, memory): (DeviceChoice, u64),
        spec: SubnetSpec,
        calibration: Calibration,
    ) -> Result<Self, AuditError> {
        let remembered = memory / REMEMBERED_SHARE;
        Ok(Self {
            teacher: Scorer::load(teacher, device)?,
            tokenizer,
            students: Cache::new(memory - remembered),
            readings: Cache::new(remembered),
            device,
            spec,
            calibration,
        })
    }

    /// Replays one answer on student and teacher.
    pub fn replay(&mut self, replay: &Replay) -> Result<Replayed, AuditError> {
        let mut outcomes = self.replay_all(std::slice::from_ref(replay));
        outcomes.pop().unwrap_or(Err(AuditError::Stopped))
    }

    /// Replays answers on students and teacher, as many at once as memory allows. The outcome of each is what it is alone,
    /// to the bit where the device computes so. If some that are computed together fail, each is tried by itself.
    pub fn replay_all(&mut self, replays: &[Replay]) -> Vec<Result<Replayed, AuditError>> {
        let mut outcomes = Vec::with_capacity(replays.len());
        let mut rest = replays;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.fitting(rest));
            match self.guarded(now) {
                Ok(found) => outcomes.extend(found.into_iter().map(Ok)),
                Err(error) if now.len() == 1 => outcomes.push(Err(error)),
                Err(_) => outcomes.extend(now.iter().map(|one| {
                    let mut found = self.guarded(std::slice::from_ref(one))?;
                    found.pop().ok_or(AuditError::Stopped)
                })),
            }
            rest = later;
        }
        outcomes
    }

    /// How many of the replays, at least one, have logits that fit into memory together.
    fn fitting(&self, replays: &[Replay]) -> usize {
        let row = 4 * self.spec.subnet.vocab_size as usize;
        let mut bytes = 0;
        let fit = replays.iter().take_while(|replay| {
            // Both models read both texts.
            bytes += 2 * row * (replay.answer.tokens.len() + replay.reference.tokens.len() + 2);
            bytes <= LOGITS_BYTES
        });
        fit.count().max(1)
    }

    fn guarded(&mut self, replays: &[Replay]) -> Result<Vec<Replayed>, AuditError> {
        self.guard(|replayer| replayer.together(replays))
    }

    /// A panic leaves nothing loaded behind, which also frees the memory of a device on which there was too little.
    fn guard<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(done) => done,
            Err(panic) => {
                self.students.clear();
                self.readings.clear();
                let message = message(panic.as_ref());
                tracing::error!(message, "a replay panicked");
                Err(AuditError::Panicked { message })
            }
        }
    }

    fn together(&mut self, replays: &[Replay]) -> Result<Vec<Replayed>, AuditError> {
        let teacher = self.read_as_teacher(replays)?;
        let student = self.read_as_students(replays)?;
        let outcomes = replays.iter().zip(&student).zip(&teacher);
        Ok(outcomes
            .map(|((replay, [student_own, student_forced]), (own, forced))| {
                let readings = Readings {
                    student_own,
                    student_forced,
                    teacher_own: own,
                    teacher_forced: forced,
                };
                self.outcome(replay, readings)
            })
            .collect())
    }

    /// The teacher on each answer and on its own continuation: one tree for each prompt, and no continuation twice.
    fn read_as_teacher(
        &mut self,
        replays: &[Replay],
    ) -> Result<Vec<(Logits, Arc<Logits>)>, AuditError> {
        let mut trees: Vec<Tree<'_>> = Vec::new();
        let mut of_prompt: HashMap<&[u32], usize> = HashMap::new();
        let mut place = |prompt, branch| {
            let tree = *of_prompt.entry(prompt).or_insert_with(|| {
                trees.push(Tree {
                    prompt,
                    branches: Vec::new(),
                });
                trees.len() - 1
            });
            trees[tree].branches.push(branch);
            (tree, trees[tree].branches.len() - 1)
        };
        let mut known: HashMap<[u8; 32], Arc<Logits>> = HashMap::new();
        let mut wanted: HashMap<[u8; 32], (usize, usize)> = HashMap::new();
        let mut own = Vec::with_capacity(replays.len());
        for replay in replays {
            let prompt = replay.planned.ask.prompt.as_slice();
            own.push(place(prompt, read(&replay.answer.tokens)));
            let key = key(prompt, &replay.reference.tokens);
            if known.contains_key(&key) || wanted.contains_key(&key) {
                continue;
            }
            match self.readings.get(&key) {
                Some(reading) => drop(known.insert(key, reading.clone())),
                None => {
                    let at = place(prompt, read(&replay.reference.tokens));
                    wanted.insert(key, at);
                }
            }
        }
        let mut found = self.teacher.logits_of_trees(&trees)?;
        let mut take = |(tree, branch): (usize, usize)| {
            let empty = Logits {
                vocab: 1,
                data: Vec::new(),
            };
            std::mem::replace(&mut found[tree][branch], empty)
        };
        for (key, at) in wanted {
            let reading = Arc::new(take(at));
            let bytes = size_of_val(reading.data.as_slice()) as u64;
            self.readings.put(key, reading.clone(), bytes);
            known.insert(key, reading);
        }
        let pairs = replays.iter().zip(own).map(|(replay, own)| {
            let key = key(&replay.planned.ask.prompt, &replay.reference.tokens);
            let forced = known.get(&key).cloned().ok_or(AuditError::Stopped)?;
            Ok((take(own), forced))
        });
        pairs.collect()
    }

    /// Each student on its answers and on the teacher's continuations: own, forced.
    fn read_as_students(&mut self, replays: &[Replay]) -> Result<Vec<[Logits; 2]>, AuditError> {
        let mut of_student: HashMap<&PathBuf, Vec<usize>> = HashMap::new();
        for (index, replay) in replays.iter().enumerate() {
            let dir = &replay.checkpoint.dir;
            of_student.entry(dir).or_default().push(index);
        }
        let mut found: Vec<Option<[Logits; 2]>> = replays.iter().map(|_| None).collect();
        for indices in of_student.into_values() {
            let scorer = self.student(&replays[indices[0]].checkpoint)?;
            let trees: Vec<Tree<'_>> = indices
                .iter()
                .map(|index| Tree {
                    prompt: &replays[*index].planned.ask.prompt,
                    branches: vec![
                        read(&replays[*index].answer.tokens),
                        read(&replays[*index].reference.tokens),
                    ],
                })
                .collect();
            for (index, logits) in indices.iter().zip(scorer.logits_of_trees(&trees)?) {
                found[*index] = logits.try_into().ok();
            }
        }
        let all: Option<Vec<_>> = found.into_iter().collect();
        all.ok_or(AuditError::Stopped)
    }

    /// Loads a student, if it is not there already, so that its first replay does not wait for it.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        self.guard(|replayer| replayer.student(checkpoint).map(drop))
    }

    fn student(&mut self, checkpoint: &Checkpoint) -> Result<Arc<Scorer>, AuditError> {
        if let Some(scorer) = self.students.get(&checkpoint.dir) {
            return Ok(scorer.clone());
        }
        let bytes = Scorer::bytes(&checkpoint.config);
        // Room is made first, so that there is never more in memory than was allowed.
        if !self.students.make_room(bytes) {
            return Err(AuditError::TooLarge {
                bytes,
                limit: self.students.limit(),
            });
        }
        let scorer = Arc::new(Scorer::load(checkpoint, self.device)?);
        self.students
            .put(checkpoint.dir.clone(), scorer.clone(), bytes);
        Ok(scorer)
    }

    fn outcome(&self, replay: &Replay, readings: Readings<'_>) -> Replayed {
        let Replay {
            planned,
            answer,
            times,
            load,
            reference,
            checkpoint: _,
        } = replay;
        let ask = &planned.ask;
        let tokens = match ask.temperature_milli {
            0 => Vec::new(),
            _ => observe(
                readings.student_own,
                &answer.tokens,
                ask.temperature(),
                ask.seed,
            ),
        };
        let e_value = self
            .calibration
            .covers(ask.temperature_milli)
            .then(|| self.calibration.request_e_value(&tokens));
        let grade = &self.spec.grade;
        let divergences =
            |student: &Logits, teacher: &Logits, tokens: usize| -> Vec<TokenDivergence> {
                (0..tokens)
                    .map(|t| fidelity::divergence(student.row(t), teacher.row(t), grade))
                    .collect()
            };
        let own = divergences(
            readings.student_own,
            readings.teacher_own,
            answer.tokens.len(),
        );
        let forced = divergences(
            readings.student_forced,
            readings.teacher_forced,
            reference.tokens.len(),
        );
        let ending = match (answer.finish, answer.tokens.last()) {
            (Finish::Stop, Some(end)) => Ending::Stopped {
                teacher_probability: fidelity::probability(
                    readings.teacher_own.row(answer.tokens.len() - 1),
                    *end,
                ),
            },
            _ => Ending::Limit,
        };
        let Plain {
            credit,
            liveliness,
            service,
        } = verdict::plain(
            &planned.content,
            answer,
            reference,
            times,
            &self.tokenizer,
            &self.spec,
        );
        let count = u32::try_from(answer.tokens.len()).unwrap_or(u32::MAX);
        let outcome = AskOutcome::Answered {
            e_value,
            fidelity: FidelitySums::of_answer(&own, ending, &forced, grade),
            credit,
            liveliness,
            service,
            pace: times.pace(count, *load),
        };
        Replayed { outcome, tokens }
    }

    /// What each token of a continuation says about whether the teacher drew it for this ask.
    pub fn continued(
        &mut self,
        ask: &Ask,
        continuation: &TeacherText,
    ) -> Result<Vec<TokenObservation>, AuditError> {
        let (prompt, tokens) = (&ask.prompt, &continuation.tokens);
        let logits = self.guard(|replayer| replayer.read_reference(prompt, tokens))?;
        Ok(observe(&logits, tokens, ask.temperature(), ask.seed))
    }

    /// The outcome of an ask that got no usable answer: charged as if it had stopped at once.
    pub fn missing(
        &mut self,
        planned: &PlannedAsk,
        reference: &TeacherText,
    ) -> Result<AskOutcome, AuditError> {
        let (prompt, tokens) = (&planned.ask.prompt, &reference.tokens);
        let logits = self.guard(|replayer| replayer.read_reference(prompt, tokens))?;
        let grade = &self.spec.grade;
        let divergences: Vec<TokenDivergence> = (0..reference.tokens.len())
            .map(|t| fidelity::divergence(logits.row(t), logits.row(t), grade))
            .collect();
        Ok(AskOutcome::Failed {
            fidelity: FidelitySums::of_missing(Reference::of(&divergences), grade),
            checkable: matches!(planned.content, Content::Task(_)),
            load: planned.load,
        })
    }

    fn read_reference(
        &mut self,
        prompt: &[u32],
        tokens: &[u32],
    ) -> Result<Arc<Logits>, AuditError> {
        let key = key(prompt, tokens);
        if let Some(known) = self.readings.get(&key) {
            return Ok(known.clone());
        }
        let whole = [prompt, read(tokens)].concat();
        let reading = Arc::new(self.teacher.logits(&whole, prompt.len())?);
        let bytes = size_of_val(reading.data.as_slice()) as u64;
        self.readings.put(key, reading.clone(), bytes);
        Ok(reading)
    }
}

/// What a model has to read of a text for one row of logits before each of its tokens: all but the last. What would follow
/// the text, nobody asks.
fn read(tokens: &[u32]) -> &[u32] {
    &tokens[..tokens.len().saturating_sub(1)]
}

/// Names a prompt with what follows it.
fn key(prompt: &[u32], tokens: &[u32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(prompt.len() as u64).to_le_bytes());
    for token in prompt.iter().chain(tokens) {
        hasher.update(&token.to_le_bytes());
    }
    hasher.finalize().into()
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests;
