//! Fits the audit's tables on this machine's own engine: honest decode against prefill, and forgers replayed.

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
};

use athanor_model::{
    Checkpoint, DeviceChoice, StopTokens, Tokenizer,
    checkpoint::CheckpointError,
    engine::{self, EngineConfig, GenerateRequest, LoadError},
    scorer::{ScoreError, Scorer},
    tokenizer::TokenizerError,
};
use athanor_scoring::{
    evidence::{Calibration, FitError, FitInput, ForgerGroup, HonestGroup, TokenObservation},
    synthetic,
};
use athanor_spec::{Ask, Digest, Hotkey, SubnetSpec, Uid};
use clap::Args;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use thiserror::Error;

use crate::{
    audit::observe,
    plan::{self, PlannedMiner},
};

/// Settings of `calibrate`.
#[derive(Clone, Debug, Args)]
pub struct CalibrateArgs {
    /// Directory of the teacher.
    #[arg(long, value_name = "DIR")]
    pub teacher: PathBuf,
    /// Directory of a student; give two or more, so that one can pose as another.
    #[arg(long = "student", value_name = "DIR", required = true, num_args = 1..)]
    pub students: Vec<PathBuf>,
    /// Honest requests per student; half of them fit the table, half the normaliser.
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = clap::value_parser!(u32).range(400..))]
    pub requests: u32,
    /// Deviation in nats of the noise that a second honest group adds to the replayed logits: it stands for backends
    /// that this machine does not have.
    #[arg(long, value_name = "NATS", default_value_t = 0.02)]
    pub noise: f32,
    /// Seed of the prompts and of the draws.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Where to write the calibration (JSON).
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Where the models run: auto, cpu, or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Print the measured power as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Why a calibration failed.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// A model directory cannot be used.
    #[error("the model {} cannot be used: {source}", path.display())]
    Checkpoint {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: CheckpointError,
    },
    /// A tokenizer cannot be used.
    #[error("the tokenizer of {} cannot be used: {source}", path.display())]
    Tokenizer {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: TokenizerError,
    },
    /// A model failed to load or to run.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// A sequence cannot be replayed.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The engine dropped a request.
    #[error("the engine dropped a request: is the device out of memory?")]
    EngineStopped,
    /// Too little was observed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The table does not encode.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The table cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

/// What a forger's requests look like to the fitted table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Power {
    /// `honest`, or the forger's name.
    pub behaviour: String,
    /// Requests replayed.
    pub requests: usize,
    /// Share of tokens that are not the replay's own draw.
    pub mismatched_tokens: f64,
    /// Mean normalised e-value of a request; at most 1 for honest ones.
    pub mean_e_value: f64,
    /// Median number of tokens until the raw e-value over concatenated requests reaches 10^6; `None` when it never did.
    pub tokens_to_million: Option<usize>,
}

/// Calibrates, writes the table, and prints what it can tell apart.
pub fn run(args: &CalibrateArgs) -> Result<(), CalibrateError> {
    let spec = SubnetSpec::local();
    let open = |path: &Path| {
        Checkpoint::open(path).map_err(|source| CalibrateError::Checkpoint {
            path: path.to_owned(),
            source,
        })
    };
    let teacher = open(&args.teacher)?;
    let tokenizer = Tokenizer::open(&args.teacher).map_err(|source| CalibrateError::Tokenizer {
        path: args.teacher.clone(),
        source,
    })?;
    let students = args
        .students
        .iter()
        .map(|path| open(path))
        .collect::<Result<Vec<_>, _>>()?;
    let asks = prompts(args.seed, args.requests, &spec, &tokenizer);
    let ends = teacher
        .stop_tokens()
        .map_err(|source| CalibrateError::Checkpoint {
            path: args.teacher.clone(),
            source,
        })?;
    let generate =
        |model: &Checkpoint, asks: &[Ask]| generate(model, asks, args.device, &spec, &ends);

    let mut honest = Vec::new();
    let mut forgers: Vec<(&str, Vec<Vec<TokenObservation>>)> = Vec::new();
    for (index, student) in students.iter().enumerate() {
        eprintln!(
            "student {}/{}: {}",
            index + 1,
            students.len(),
            student.dir.display()
        );
        let scorer = Scorer::load(student, args.device)?;
        let replay =
            |answers: &[Vec<u32>], noise| replay(&scorer, &asks, answers, noise, args.seed);
        let answers = generate(student, &asks)?;
        for (kind, noise) in [
            ("as computed", 0.0),
            ("with noise on the logits", args.noise),
        ] {
            honest.push(HonestGroup {
                name: format!(
                    "decode against prefill {kind}, {} layers",
                    student.config.num_hidden_layers
                ),
                requests: replay(&answers, noise)?,
            });
        }
        let changed = |change: &dyn Fn(&Ask) -> Ask| asks.iter().map(change).collect::<Vec<_>>();
        let ignored_seed = changed(&|ask| Ask {
            seed: !ask.seed,
            ..ask.clone()
        });
        let greedy = changed(&|ask| Ask {
            temperature_milli: 0,
            ..ask.clone()
        });
        let hotter = changed(&|ask| Ask {
            temperature_milli: ask.temperature_milli + ask.temperature_milli / 10,
            ..ask.clone()
        });
        let sibling = &students[(index + 1) % students.len()];
        for (name, model, forged) in [
            ("ignored_seed", student, &ignored_seed),
            ("greedy", student, &greedy),
            ("temperature_off_by_a_tenth", student, &hotter),
            ("teacher", &teacher, &asks),
            ("sibling", sibling, &asks),
        ] {
            if model.dir == student.dir && name == "sibling" {
                continue;
            }
            let requests = replay(&generate(model, forged)?, args.noise)?;
            match forgers.iter_mut().find(|(known, _)| *known == name) {
                Some((_, all)) => all.extend(requests),
                None => forgers.push((name, requests)),
            }
        }
    }
    let input = FitInput {
        source: format!(
            "students of {} layers of teacher {} on {}, batches of 8, temperatures 0.6 to 1",
            layers(&students),
            Digest(teacher.digest()).short(),
            args.device
        ),
        command: format!(
            "athanor-validator calibrate --requests {} --seed {} --noise {}",
            args.requests, args.seed, args.noise
        ),
        delta: 1e-3,
        honest,
        forgers: forgers
            .iter()
            .map(|(name, requests)| ForgerGroup {
                name: (*name).to_owned(),
                weight: 1.0,
                requests: requests.clone(),
            })
            .collect(),
    };
    let calibration = Calibration::fit(&input)?;
    std::fs::write(&args.out, calibration.to_json()?).map_err(|source| CalibrateError::Write {
        path: args.out.clone(),
        source,
    })?;

    let all_honest: Vec<_> = input
        .honest
        .into_iter()
        .flat_map(|group| group.requests)
        .collect();
    let mut powers = vec![power("honest", &all_honest, &calibration)];
    powers.extend(
        forgers
            .iter()
            .map(|(name, requests)| power(name, requests, &calibration)),
    );
    if args.json {
        println!("{}", serde_json::to_string_pretty(&powers)?);
    } else {
        println!(
            "{:28} {:>8} {:>11} {:>12} {:>16}",
            "behaviour", "requests", "mismatched", "mean e'", "tokens to 1e6"
        );
        for p in &powers {
            let tokens = p
                .tokens_to_million
                .map_or("never".to_owned(), |tokens| tokens.to_string());
            println!(
                "{:28} {:>8} {:>10.3}% {:>12.3} {:>16}",
                p.behaviour,
                p.requests,
                100.0 * p.mismatched_tokens,
                p.mean_e_value,
                tokens
            );
        }
    }
    Ok(())
}

fn layers(students: &[Checkpoint]) -> String {
    let counts: Vec<String> = students
        .iter()
        .map(|student| student.config.num_hidden_layers.to_string())
        .collect();
    counts.join(", ")
}

/// Asks drawn as in a round, each from its own salt.
fn prompts(seed: u64, count: u32, spec: &SubnetSpec, tokenizer: &Tokenizer) -> Vec<Ask> {
    let mut round_seed = [0; 32];
    round_seed[..8].copy_from_slice(&seed.to_le_bytes());
    let encode = |text: &str| tokenizer.encode(text).unwrap_or_default();
    let miner = PlannedMiner {
        hotkey: Hotkey([0; 32]),
        uid: Uid(0),
        asks: count,
    };
    plan::plan(&round_seed, &[miner], spec, 1, encode)
        .into_iter()
        .map(|planned| planned.ask)
        .collect()
}

/// Answers by batched decode, as a miner's engine gives them.
fn generate(
    model: &Checkpoint,
    asks: &[Ask],
    device: DeviceChoice,
    spec: &SubnetSpec,
    ends: &StopTokens,
) -> Result<Vec<Vec<u32>>, CalibrateError> {
    let limits = &spec.limits;
    let engine = engine::spawn(
        model,
        EngineConfig {
            slots: 8,
            queue: asks.len(),
            device,
            weights: athanor_model::WeightFormat::F32,
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
            stop: ends.clone(),
        };
        engine
            .generate(request, move |generation| {
                drop(reply.send((index, generation)))
            })
            .map_err(|_| CalibrateError::EngineStopped)?;
    }
    drop(reply);
    let mut all = vec![Vec::new(); asks.len()];
    for (index, generation) in answers {
        all[index] = generation
            .map_err(|_| CalibrateError::EngineStopped)?
            .tokens;
    }
    Ok(all)
}

/// What a validator would see of the answers, were they given to `asks`, on a backend whose logits differ by `noise`.
fn replay(
    scorer: &Scorer,
    asks: &[Ask],
    answers: &[Vec<u32>],
    noise: f32,
    seed: u64,
) -> Result<Vec<Vec<TokenObservation>>, CalibrateError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    asks.iter()
        .zip(answers)
        .map(|(ask, tokens)| {
            let all = [ask.prompt.as_slice(), tokens].concat();
            let mut logits = scorer.logits(&all, ask.prompt.len())?;
            if noise > 0.0 {
                for logit in &mut logits.data {
                    *logit += noise * synthetic::normal(&mut rng);
                }
            }
            Ok(observe(&logits, tokens, ask.temperature(), ask.seed))
        })
        .collect()
}

fn power(behaviour: &str, requests: &[Vec<TokenObservation>], calibration: &Calibration) -> Power {
    let tokens: Vec<TokenObservation> = requests.iter().flatten().copied().collect();
    let mismatched = tokens.iter().filter(|token| token.margin > 0.0).count();
    let mean = requests
        .iter()
        .map(|request| calibration.request_e_value(request))
        .sum::<f64>()
        / requests.len().max(1) as f64;
    // Each run starts where the last one ended, so the runs are of disjoint tokens.
    let (mut lengths, mut start, mut length) = (Vec::new(), 0, 1);
    while start + length <= tokens.len() && lengths.len() < 200 && length < 20_000 {
        if calibration.log_e_value(&tokens[start..start + length]) >= 1e6_f64.ln() {
            lengths.push(length);
            start += length;
            length = 1;
        } else {
            length += 1;
        }
    }
    lengths.sort_unstable();
    Power {
        behaviour: behaviour.to_owned(),
        requests: requests.len(),
        mismatched_tokens: mismatched as f64 / tokens.len().max(1) as f64,
        mean_e_value: mean,
        tokens_to_million: lengths.get(lengths.len() / 2).copied(),
    }
}
