//! Who answers: honest miners in every way that this machine can compute, and every forger that it can play.

use std::{path::Path, sync::mpsc, time::Instant};

use athanor_model::{
    Checkpoint, DeviceChoice, Precision, StopTokens, Tokenizer, WeightFormat,
    checkpoint::Provenance,
    engine::{self, EngineConfig, GenerateRequest},
    rounding,
    scorer::{Scorer, Tree},
};
use athanor_scoring::{corpus, evidence::TokenObservation, synthetic};
use athanor_spec::{Ask, Digest, Hotkey, SubnetSpec, Uid};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{ObserveArgs, ObserveError, records::Records};
use crate::{
    audit::observe,
    plan::{self, PlannedMiner},
};

mod kind;

use kind::{Context, Honest};
pub(crate) use kind::{Forger, Kind};

/// Sequences that are computed at once, unless an honest miner's batch is what is looked at.
const SLOTS: usize = 8;
/// Requests whose answers are in memory at once.
const CHUNK: usize = 256;
/// Asks that are planned for one miner, so that a plan of many draws no item twice.
const ASKS: u32 = 1000;
/// Answers by which a forger finds the token that its victim says most often.
const SAMPLE: usize = 64;

/// What was seen of one kind of server that was asked to serve one student.
pub(crate) struct Observed {
    /// The kind.
    pub(crate) kind: Kind,
    /// Position of the student.
    #[cfg(test)]
    student: usize,
    /// One list of tokens for each request.
    pub(crate) requests: Vec<Vec<TokenObservation>>,
}

/// The models, and how they are observed.
pub(crate) struct Population {
    teacher: Checkpoint,
    students: Vec<Checkpoint>,
    tokenizer: Tokenizer,
    ends: StopTokens,
    spec: SubnetSpec,
    args: ObserveArgs,
    records: Records,
}

impl Population {
    /// Opens the models.
    pub(crate) fn open(args: &ObserveArgs) -> Result<Self, ObserveError> {
        let failed = |path: &Path, source| ObserveError::Checkpoint {
            path: path.to_owned(),
            source,
        };
        let open = |path: &Path| Checkpoint::open(path).map_err(|source| failed(path, source));
        let teacher = open(&args.teacher)?;
        let tokenizer =
            Tokenizer::open(&args.teacher).map_err(|source| ObserveError::Tokenizer {
                path: args.teacher.clone(),
                source,
            })?;
        let ends = teacher
            .stop_tokens()
            .map_err(|source| failed(&args.teacher, source))?;
        let students = args.students.iter().map(|path| open(path));
        Ok(Self {
            students: students.collect::<Result<_, _>>()?,
            teacher,
            tokenizer,
            ends,
            spec: SubnetSpec::local(),
            args: args.clone(),
            records: Records::open(args.records.as_deref())?,
        })
    }

    /// Digests, the teacher's first.
    pub(crate) fn models(&self) -> Vec<String> {
        let all = std::iter::once(&self.teacher).chain(&self.students);
        all.map(hex).collect()
    }

    /// Lowest temperature above 0 that rounds draw.
    pub(crate) fn lowest_temperature_milli(&self) -> u16 {
        let drawn = self.spec.round.temperatures_milli.iter().copied();
        drawn.filter(|t| *t > 0).min().unwrap_or_default()
    }

    /// The models in words.
    pub(crate) fn source(&self) -> String {
        let sizes: Vec<String> = self
            .students
            .iter()
            .map(|student| {
                format!(
                    "{} layers of {}",
                    student.config.num_hidden_layers, student.config.hidden_size
                )
            })
            .collect();
        format!(
            "{} students ({}) of teacher {}, replayed on {}, temperatures {:?} thousandths",
            sizes.len(),
            sizes.join("; "),
            Digest(self.teacher.digest()).short(),
            self.args.device,
            self.spec.round.temperatures_milli,
        )
    }

    /// The kinds of honest servers: every device, our own kernels with each batch and with bf16 weights, and noise that
    /// stands for what is not here.
    fn honest(&self) -> Vec<Honest> {
        let mut kinds = Vec::new();
        let first = self.args.served_by.first().copied();
        for &device in &self.args.served_by {
            let is_own = matches!(device, DeviceChoice::Cpu | DeviceChoice::Auto);
            let plain = Honest {
                device,
                weights: WeightFormat::F32,
                slots: SLOTS,
                context: Context::Short,
                noise: 0.0,
            };
            let long = |kind: Honest| Honest {
                context: Context::Long,
                ..kind
            };
            kinds.extend([plain, long(plain)]);
            if is_own {
                kinds.extend([1, 4].map(|slots| Honest { slots, ..plain }));
                let narrow = Honest {
                    weights: WeightFormat::Bf16,
                    ..plain
                };
                kinds.extend([narrow, long(narrow)]);
            }
            if Some(device) == first && self.args.noise > 0.0 {
                let noisy = Honest {
                    noise: self.args.noise,
                    ..plain
                };
                kinds.extend([noisy, long(noisy)]);
            }
        }
        kinds
    }

    /// Observes every kind of server in the place of every student, and says on standard error how far it is.
    pub(crate) fn observe_all(&self) -> Result<Vec<Observed>, ObserveError> {
        let honest = self.honest().into_iter().map(Kind::Honest);
        let kinds: Vec<Kind> = honest.chain(Forger::ALL.map(Kind::Forger)).collect();
        let (start, all) = (Instant::now(), kinds.len() * self.students.len());
        let (mut observed, mut computed) = (Vec::with_capacity(all), 0_u32);
        for (done, (kind, student)) in kinds
            .iter()
            .flat_map(|kind| (0..self.students.len()).map(move |student| (*kind, student)))
            .enumerate()
        {
            let Some(requests) = self.observe(kind, student, &mut computed)? else {
                continue;
            };
            let left = all - done - 1;
            let pace = start.elapsed().as_secs_f64() / f64::from(computed.max(1));
            eprintln!(
                "{}/{all} {}, student {}: {} requests; {:.0} s so far, about {:.0} s left",
                done + 1,
                kind.name(),
                student + 1,
                requests.len(),
                start.elapsed().as_secs_f64(),
                pace * left as f64,
            );
            observed.push(Observed {
                kind,
                #[cfg(test)]
                student,
                requests,
            });
        }
        Ok(observed)
    }

    /// What is seen of one kind in the place of one student; `None` where there is no model to play it.
    fn observe(
        &self,
        kind: Kind,
        index: usize,
        computed: &mut u32,
    ) -> Result<Option<Vec<Vec<TokenObservation>>>, ObserveError> {
        let student = &self.students[index];
        let Some(server) = self.model_of(kind, index) else {
            return Ok(None);
        };
        let all = match kind {
            Kind::Honest(_) => self.args.requests,
            Kind::Forger(_) => self.args.forged,
        };
        let count = all.div_ceil(self.students.len() as u32);
        let what = format!(
            "observations 1: {}; student {}; model {}; {count} requests; seed {}; replayed on {}; {:?} {:?}",
            kind.name(),
            hex(student),
            hex(server),
            self.args.seed,
            self.args.device,
            self.spec.round,
            self.spec.limits,
        );
        if let Some(known) = self.records.get(&what)? {
            return Ok(Some(known));
        }
        let salt = *blake3::hash(what.as_bytes()).as_bytes();
        let asks = self.asks(&salt, count, kind);
        let mut rng = ChaCha8Rng::from_seed(salt);
        let requests = match kind {
            Kind::Honest(honest) => {
                let answers =
                    self.generate(student, &asks, honest.device, honest.weights, honest.slots)?;
                self.replay(student, &asks, &answers, (honest.noise, &mut rng))?
            }
            Kind::Forger(forger) => {
                let answers = self.forge(forger, student, server, &asks)?;
                self.replay(student, &asks, &answers, (0.0, &mut rng))?
            }
        };
        self.records.put(&what, &requests)?;
        *computed += 1;
        Ok(Some(requests))
    }

    /// The model that answers.
    fn model_of(&self, kind: Kind, index: usize) -> Option<&Checkpoint> {
        let student = &self.students[index];
        let size = |model: &Checkpoint| model.config.parameters();
        // From the next one on, so that not all are measured against the same.
        let after = || {
            let others = (1..self.students.len()).map(|step| (index + step) % self.students.len());
            others.map(|other| &self.students[other])
        };
        match kind {
            Kind::Forger(Forger::Teacher) => Some(&self.teacher),
            Kind::Forger(Forger::Sibling) => after().find(|other| size(other) == size(student)),
            Kind::Forger(Forger::Smaller) => after().find(|other| size(other) < size(student)),
            _ => Some(student),
        }
    }

    /// Asks drawn as in a round, from a salt of their own: no two kinds and no two students share one.
    fn asks(&self, salt: &[u8; 32], count: u32, kind: Kind) -> Vec<Ask> {
        let mut spec = self.spec.clone();
        spec.round.shared_share = 0.0;
        // Greedy answers carry no seed evidence.
        spec.round.temperatures_milli.retain(|t| *t > 0);
        let encode = |text: &str| self.tokenizer.encode(text).unwrap_or_default();
        let miners: Vec<PlannedMiner> = (0..count.div_ceil(ASKS))
            .map(|index| PlannedMiner {
                hotkey: Hotkey([index as u8; 32]),
                uid: Uid(index as u16),
                asks: ASKS.min(count - index * ASKS),
            })
            .collect();
        let planned = plan::plan(salt, &miners, &spec, 1, encode);
        let mut asks: Vec<Ask> = planned.into_iter().map(|planned| planned.ask).collect();
        if let Kind::Honest(Honest {
            context: Context::Long,
            ..
        }) = kind
        {
            let mut rng = ChaCha8Rng::from_seed(*salt);
            asks.iter_mut()
                .for_each(|ask| self.lengthen(ask, &mut rng, encode));
        }
        asks
    }

    /// Puts text before the prompt until it is long.
    fn lengthen(&self, ask: &mut Ask, rng: &mut ChaCha8Rng, encode: impl Fn(&str) -> Vec<u32>) {
        let most = self.spec.limits.max_prompt_tokens as usize;
        let wanted = rng.random_range(most * 3 / 4..=most);
        while ask.prompt.len() < wanted {
            let before = encode(corpus::passage(rng, 6 * most));
            let room = wanted - ask.prompt.len();
            let kept = before.len().min(room);
            if kept == 0 {
                break;
            }
            ask.prompt.splice(..0, before[..kept].iter().copied());
        }
        ask.max_new_tokens = u16::try_from(self.spec.limits.max_new_tokens).unwrap_or(u16::MAX);
    }

    /// The answers of a forger.
    fn forge(
        &self,
        forger: Forger,
        student: &Checkpoint,
        server: &Checkpoint,
        asks: &[Ask],
    ) -> Result<Vec<Vec<u32>>, ObserveError> {
        let changed = |change: &dyn Fn(&mut Ask)| {
            let mut asks = asks.to_vec();
            asks.iter_mut().for_each(change);
            asks
        };
        let plainly = |model: &Checkpoint, asks: &[Ask]| {
            self.generate(model, asks, self.args.device, WeightFormat::F32, SLOTS)
        };
        let tenth = |ask: &Ask| ask.temperature_milli / 10;
        match forger {
            Forger::IgnoredSeed => plainly(server, &changed(&|ask| ask.seed = !ask.seed)),
            Forger::Greedy => plainly(server, &changed(&|ask| ask.temperature_milli = 0)),
            Forger::Hotter => plainly(server, &changed(&|ask| ask.temperature_milli += tenth(ask))),
            Forger::Colder => plainly(server, &changed(&|ask| ask.temperature_milli -= tenth(ask))),
            Forger::Sibling | Forger::Smaller | Forger::Teacher => plainly(server, asks),
            Forger::EightBit => {
                self.generate(server, asks, DeviceChoice::Cpu, WeightFormat::Int8, SLOTS)
            }
            Forger::FourBit => {
                let folder = tempfile::tempdir().map_err(ObserveError::Temporary)?;
                plainly(&self.in_4_bits(student, folder.path())?, asks)
            }
            Forger::Constant => {
                let said = plainly(server, &asks[..asks.len().min(SAMPLE)])?;
                let mut counts = std::collections::BTreeMap::<u32, u32>::new();
                for token in said.into_iter().flatten() {
                    *counts.entry(token).or_default() += 1;
                }
                let most = counts.iter().max_by_key(|(_, count)| **count);
                let token = most.map_or(0, |(token, _)| *token);
                let constant = |ask: &Ask| vec![token; ask.max_new_tokens.into()];
                Ok(asks.iter().map(constant).collect())
            }
        }
    }

    fn in_4_bits(&self, model: &Checkpoint, dir: &Path) -> Result<Checkpoint, ObserveError> {
        let failed = |source| ObserveError::Checkpoint {
            path: model.dir.clone(),
            source,
        };
        let tensors = rounding::rounded(&model.tensors().map_err(failed)?, 4);
        let tokenizer = model.tokenizer_json().map_err(failed)?;
        let provenance = Provenance::default();
        Checkpoint::write(
            dir,
            &model.config,
            &tensors,
            &tokenizer,
            &provenance,
            Precision::F32,
        )
        .map_err(failed)
    }

    /// Answers by batched decode, as a miner's engine gives them.
    fn generate(
        &self,
        model: &Checkpoint,
        asks: &[Ask],
        device: DeviceChoice,
        weights: WeightFormat,
        slots: usize,
    ) -> Result<Vec<Vec<u32>>, ObserveError> {
        let limits = &self.spec.limits;
        let engine = engine::spawn(
            model,
            EngineConfig {
                slots,
                queue: asks.len(),
                device,
                weights,
                max_context: (limits.max_prompt_tokens + limits.max_new_tokens) as usize,
            },
        )?;
        let (reply, answers) = mpsc::channel();
        for (index, ask) in asks.iter().enumerate() {
            let reply = reply.clone();
            let request = GenerateRequest {
                prompt: ask.prompt.clone(),
                max_new_tokens: ask.max_new_tokens.into(),
                temperature: ask.temperature(),
                seed: ask.seed,
                stop: self.ends.clone(),
            };
            engine.generate(request, move |generation| {
                drop(reply.send((index, generation)))
            })?;
        }
        drop(reply);
        let mut all = vec![Vec::new(); asks.len()];
        for (index, generation) in answers {
            all[index] = generation.map_err(|_| ObserveError::EngineStopped)?.tokens;
        }
        Ok(all)
    }

    /// What a validator would see of the answers, were they given to `asks`, on a backend whose logits differ by `noise`.
    fn replay(
        &self,
        student: &Checkpoint,
        asks: &[Ask],
        answers: &[Vec<u32>],
        (noise, rng): (f32, &mut ChaCha8Rng),
    ) -> Result<Vec<Vec<TokenObservation>>, ObserveError> {
        let scorer = Scorer::load(student, self.args.device)?;
        let mut all = Vec::with_capacity(asks.len());
        for (asks, answers) in asks.chunks(CHUNK).zip(answers.chunks(CHUNK)) {
            let trees: Vec<Tree<'_>> = asks
                .iter()
                .zip(answers)
                .map(|(ask, tokens)| Tree {
                    prompt: &ask.prompt,
                    branches: vec![tokens],
                })
                .collect();
            let logits = scorer.logits_of_trees(&trees)?;
            for ((ask, tokens), mut logits) in asks.iter().zip(answers).zip(logits) {
                let Some(mut logits) = logits.pop() else {
                    continue;
                };
                synthetic::add_noise(&mut logits.data, noise, rng);
                all.push(observe(&logits, tokens, ask.temperature(), ask.seed));
            }
        }
        Ok(all)
    }
}

fn hex(model: &Checkpoint) -> String {
    Digest(model.digest()).to_string()
}

#[cfg(test)]
mod tests;
