//! `athanor-validator siblings`: measure how near independently distilled students come to each other, how often the copy
//! test takes one for a copy, and which copies it finds.

mod disguise;

use std::path::{Path, PathBuf};

use athanor_model::{
    Checkpoint, DeviceChoice, Tensors, Tokenizer, checkpoint::CheckpointError,
    tokenizer::TokenizerError,
};
use athanor_scoring::similarity::{
    copies::{ALPHA, ALPHA_ALONE, CopyTest, Measured, Resemblance},
    null::{Kind, MIN_MODELS, NullError, NullSample, SiblingPair},
};
use athanor_spec::Digest;
use clap::Args;
use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF};
use thiserror::Error;

use crate::likeness::{self, Lens, Likeness, LikenessError};
use disguise::Disguise;

/// Later models, each with as many earlier ones, in the population that verdicts are corrected for.
const POPULATION: usize = 255;

/// Means of siblings that a copier may publish: of how many, and with how much noise on each matrix.
const SOUPS: [(usize, f32); 7] = [
    (2, 0.0),
    (2, 0.1),
    (4, 0.0),
    (4, 0.1),
    (8, 0.0),
    (8, 0.1),
    (16, 0.1),
];

/// Settings of `siblings`.
#[derive(Clone, Debug, Args)]
pub struct SiblingsArgs {
    /// Directory of a student of the null, distilled independently of the others; give 21 or more for a tail.
    #[arg(long = "sibling", value_name = "DIR", required = true, num_args = 3..)]
    pub siblings: Vec<PathBuf>,
    /// Directory of the teacher that they are students of.
    #[arg(long, value_name = "DIR")]
    pub teacher: PathBuf,
    /// Directory of an honest student that is not in the null, to measure false positives on.
    #[arg(long = "honest", value_name = "DIR", num_args = 1..)]
    pub honest: Vec<PathBuf>,
    /// A real copy and its original, both directories: what was trained on from a sibling.
    #[arg(long = "copy", value_name = "ORIGINAL COPY", num_args = 2)]
    pub copies: Vec<PathBuf>,
    /// Null sample (JSON) to judge by [default: that of the siblings given]
    #[arg(long, value_name = "FILE")]
    pub null: Option<PathBuf>,
    /// Siblings that are disguised in every way, to measure the power on.
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub disguised: usize,
    /// Seed of the probe texts and of the disguises.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Where to write the null sample (JSON).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How the siblings were made, for the null sample's provenance.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "students given on the command line"
    )]
    pub source: String,
    /// Where the models run: auto, cpu, or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Print the study as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Why the study failed.
#[derive(Debug, Error)]
pub enum SiblingsError {
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
    /// A model does not run.
    #[error("the model {} cannot be compared: {source}", path.display())]
    Likeness {
        /// Its directory.
        path: PathBuf,
        /// Cause.
        source: LikenessError,
    },
    /// Two siblings are one model.
    #[error("{} and {} have the same tensors: give each sibling once", a.display(), b.display())]
    Twice {
        /// Directory of the one.
        a: PathBuf,
        /// Directory of the other.
        b: PathBuf,
    },
    /// Too little to compare on.
    #[error("{} says too little on the probe texts to be compared", .0.display())]
    Silent(PathBuf),
    /// A null sample cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A null sample is none.
    #[error("{} is no null sample: {source}", path.display())]
    Null {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: NullError,
    },
    /// The result does not encode.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The null cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

/// What the study measured.
#[derive(Clone, Debug, Serialize)]
struct Study {
    siblings: usize,
    pairs: usize,
    null: Vec<Distances>,
    verdicts: Vec<Verdicts>,
}

/// The null of one distance.
#[derive(Clone, Debug, Serialize)]
struct Distances {
    distance: &'static str,
    smallest: f64,
    median: f64,
    largest: f64,
    /// Nearest distances of the siblings, smallest and median.
    nearest: (f64, f64),
    /// The smallest conformal p-value against as many earlier models as the null has, and against 255.
    smallest_p: (f64, f64),
    /// Mean and deviation of ln(distance), Kolmogorov-Smirnov distance; `None` with too few siblings.
    tail: Option<(f64, f64, f64)>,
    /// Below which a distance is beyond the tail in a population of 256.
    threshold: Option<f64>,
}

/// How one kind of later model was judged in a population of 256.
#[derive(Clone, Debug, Serialize)]
struct Verdicts {
    kind: String,
    models: u64,
    /// Median distance of behaviour to the nearest earlier model, nats.
    behaviour: f64,
    /// Median distance of the weights to the same.
    weights: Option<f64>,
    /// Share of its innovation that the same has as well: median and largest.
    shared: Option<(f64, f64)>,
    /// What a disguise costs on the probe texts, in nats a token, median.
    loses: Option<f64>,
    /// Share judged similar or more, with its 95 % bounds (Clopper-Pearson over models).
    similar: (f64, f64, f64),
    /// Share judged of the same class, likewise.
    same_class: (f64, f64, f64),
}

struct Sibling {
    path: PathBuf,
    checkpoint: Checkpoint,
    likeness: Likeness,
}

/// Runs the study and prints it.
pub fn run(args: &SiblingsArgs) -> Result<(), SiblingsError> {
    let first = &args.siblings[0];
    let tokenizer = Tokenizer::open(first).map_err(|source| SiblingsError::Tokenizer {
        path: first.clone(),
        source,
    })?;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&args.seed.to_le_bytes());
    let teacher = Checkpoint::open(&args.teacher).map_err(|source| SiblingsError::Checkpoint {
        path: args.teacher.clone(),
        source,
    })?;
    let failed = |source| SiblingsError::Likeness {
        path: args.teacher.clone(),
        source,
    };
    let bench = Bench {
        probes: likeness::probes(seed, &tokenizer),
        lens: Lens::new(&teacher, args.device, args.seed)
            .map_err(|source| failed(source.into()))?,
    };
    let siblings = bench.open(&args.siblings)?;
    let null = null(args, &teacher, &siblings)?;
    if let Some(path) = &args.out {
        std::fs::write(path, null.to_json()?).map_err(|source| SiblingsError::Write {
            path: path.clone(),
            source,
        })?;
    }
    let by = match &args.null {
        None => null.clone(),
        Some(path) => read_null(path)?,
    };
    let test = CopyTest::new(by, args.seed);
    let mut verdicts = vec![left_out(&null, args.seed)];
    let honest = bench.open(&args.honest)?;
    if !honest.is_empty() {
        verdicts.push(bench.honest(&test, &siblings, &honest));
    }
    let from = teacher.tensors().map_err(|source| failed(source.into()))?;
    for disguise in Disguise::ALL {
        verdicts.push(bench.disguised(&test, &siblings, &from, disguise, args.disguised)?);
    }
    for (of, noise) in SOUPS {
        if let Some(of) = siblings.get(..of) {
            verdicts.push(bench.soup(&test, of, noise, args.seed)?);
        }
    }
    let mut trained = Vec::new();
    for pair in args.copies.chunks_exact(2) {
        let opened = bench.open(pair)?;
        let [original, copy] = &opened[..] else {
            continue;
        };
        trained.push(measure(&test, &copy.likeness, &original.likeness));
    }
    if !trained.is_empty() {
        verdicts.push(judged(
            &test,
            "trained on from the original".into(),
            &trained,
        ));
    }
    let study = Study {
        siblings: siblings.len(),
        pairs: null.pairs.len(),
        null: [
            ("behaviour", Kind::Behaviour),
            ("weights", Kind::Weights),
            ("1 - shared", Kind::Innovation),
        ]
        .into_iter()
        .filter_map(|(name, kind)| describe(&test, name, kind))
        .collect(),
        verdicts,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&study)?);
    } else {
        print(&study);
    }
    Ok(())
}

/// What all models of a study are looked at with.
struct Bench {
    probes: Vec<Vec<u32>>,
    lens: Lens,
}

impl Bench {
    fn open(&self, paths: &[PathBuf]) -> Result<Vec<Sibling>, SiblingsError> {
        paths.iter().map(|path| self.open_one(path)).collect()
    }

    fn open_one(&self, path: &Path) -> Result<Sibling, SiblingsError> {
        let checkpoint = Checkpoint::open(path).map_err(|source| SiblingsError::Checkpoint {
            path: path.to_owned(),
            source,
        })?;
        let likeness = Likeness::of(&checkpoint, &self.lens, &self.probes);
        let likeness = likeness.map_err(|source| SiblingsError::Likeness {
            path: path.to_owned(),
            source,
        })?;
        eprintln!("looked at {}", path.display());
        Ok(Sibling {
            path: path.to_owned(),
            checkpoint,
            likeness,
        })
    }

    /// Honest students against the null's siblings and against each other, each against the one that it is most like.
    fn honest(&self, test: &CopyTest, siblings: &[Sibling], honest: &[Sibling]) -> Verdicts {
        let nothing = Measured {
            behaviour: f64::INFINITY,
            weights: None,
            shared: None,
            expected: 0.0,
        };
        let measured: Vec<_> = honest
            .iter()
            .enumerate()
            .map(|(index, later)| {
                let earlier = siblings.iter().chain(&honest[..index]);
                let all = earlier.map(|earlier| measure(test, &later.likeness, &earlier.likeness));
                all.fold(nothing, nearest_by_each)
            })
            .collect();
        judged(test, "honest, not in the null".into(), &measured)
    }

    fn disguised(
        &self,
        test: &CopyTest,
        siblings: &[Sibling],
        teacher: &Tensors,
        disguise: Disguise,
        count: usize,
    ) -> Result<Verdicts, SiblingsError> {
        let measured = siblings
            .iter()
            .take(count)
            .enumerate()
            .map(|(index, original)| {
                let failed = |source| SiblingsError::Likeness {
                    path: original.path.clone(),
                    source,
                };
                let tensors = original.tensors()?;
                let seed = self.lens.seed.wrapping_add(index as u64);
                let (config, copy) =
                    disguise.of(&original.checkpoint.config, &tensors, teacher, seed);
                let copy = Likeness::of_tensors(&config, &copy, &self.lens, &self.probes);
                let copy = copy.map_err(failed)?;
                let lost = loss(&copy) - loss(&original.likeness);
                Ok((measure(test, &copy, &original.likeness), lost))
            })
            .collect::<Result<Vec<_>, SiblingsError>>()?;
        let (measured, lost): (Vec<_>, Vec<f64>) = measured.into_iter().unzip();
        Ok(Verdicts {
            loses: Some(quantile(lost, 0.5)),
            ..judged(test, disguise.name(), &measured)
        })
    }

    /// The mean of several siblings' weights with noise, against each of them.
    fn soup(
        &self,
        test: &CopyTest,
        of: &[Sibling],
        noise: f32,
        seed: u64,
    ) -> Result<Verdicts, SiblingsError> {
        let [first, ..] = of else {
            return Ok(judged(test, "of none".into(), &[]));
        };
        let tensors = of.iter().map(Sibling::tensors);
        let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
        let soup = disguise::soup(&tensors, noise, seed);
        let config = &first.checkpoint.config;
        let soup = Likeness::of_tensors(config, &soup, &self.lens, &self.probes);
        let soup = soup.map_err(|source| SiblingsError::Likeness {
            path: first.path.clone(),
            source,
        })?;
        let measured: Vec<_> = of
            .iter()
            .map(|original| measure(test, &soup, &original.likeness))
            .collect();
        let losses = of.iter().map(|original| loss(&original.likeness)).collect();
        Ok(Verdicts {
            loses: Some(loss(&soup) - quantile(losses, 0.5)),
            ..judged(
                test,
                format!("mean of {} siblings, noise of {noise} sd", of.len()),
                &measured,
            )
        })
    }
}

impl Sibling {
    fn tensors(&self) -> Result<Tensors, SiblingsError> {
        self.checkpoint
            .tensors()
            .map_err(|source| SiblingsError::Checkpoint {
                path: self.path.clone(),
                source,
            })
    }
}

/// Mean negative log-probability of the probe texts' tokens, in nats.
fn loss(of: &Likeness) -> f64 {
    let said = of.model().log_probabilities;
    let finite = said.iter().copied().filter(|log| log.is_finite());
    -finite.map(f64::from).sum::<f64>() / said.len().max(1) as f64
}

/// How near two models are. What two siblings share is not taken off, which makes the verdict on honest ones stricter.
fn measure(test: &CopyTest, later: &Likeness, earlier: &Likeness) -> Measured {
    Measured {
        expected: 0.0,
        ..test.measure(&later.model(), &earlier.model(), &mut Vec::new())
    }
}

/// The nearest of two by each measure for itself: no verdict on either is stricter.
fn nearest_by_each(a: Measured, b: Measured) -> Measured {
    let both = |a: Option<f64>, b: Option<f64>, of: fn(f64, f64) -> f64| match (a, b) {
        (Some(a), Some(b)) => Some(of(a, b)),
        (a, b) => a.or(b),
    };
    Measured {
        behaviour: a.behaviour.min(b.behaviour),
        weights: both(a.weights, b.weights, f64::min),
        shared: both(a.shared, b.shared, f64::max),
        expected: 0.0,
    }
}

fn read_null(path: &Path) -> Result<NullSample, SiblingsError> {
    let text = std::fs::read_to_string(path).map_err(|source| SiblingsError::Read {
        path: path.to_owned(),
        source,
    })?;
    NullSample::from_json(&text).map_err(|source| SiblingsError::Null {
        path: path.to_owned(),
        source,
    })
}

fn null(
    args: &SiblingsArgs,
    teacher: &Checkpoint,
    siblings: &[Sibling],
) -> Result<NullSample, SiblingsError> {
    let mut null = NullSample {
        source: args.source.clone(),
        teacher: Digest(teacher.manifest.tensors_digest()).to_string(),
        command: format!(
            "athanor-validator siblings --teacher .. --sibling .. --seed {} --out ..",
            args.seed
        ),
        seed: args.seed,
        models: siblings
            .iter()
            .map(|sibling| Digest(sibling.checkpoint.manifest.tensors_digest()).to_string())
            .collect(),
        pairs: Vec::new(),
    };
    // What is measured of a pair does not depend on the pairs that are known.
    let test = CopyTest::new(null.clone(), args.seed);
    let mut pairs = Vec::new();
    for (b, later) in siblings.iter().enumerate() {
        for (a, earlier) in siblings[..b].iter().enumerate() {
            let tensors = |sibling: &Sibling| sibling.checkpoint.manifest.tensors_digest();
            if tensors(later) == tensors(earlier) {
                return Err(SiblingsError::Twice {
                    a: earlier.path.clone(),
                    b: later.path.clone(),
                });
            }
            let measured = measure(&test, &later.likeness, &earlier.likeness);
            if !measured.behaviour.is_finite() {
                return Err(SiblingsError::Silent(later.path.clone()));
            }
            // Six digits are more than the probes are good for, and keep the file small.
            let short = |value: f64| (value * 1e6).round() / 1e6;
            pairs.push(SiblingPair {
                a: a as u32,
                b: b as u32,
                behaviour: short(measured.behaviour),
                weights: measured.weights.map(short),
                shared: measured.shared.map(short),
            });
        }
    }
    null.pairs = pairs;
    Ok(null)
}

/// Every sibling against a null of the others.
fn left_out(null: &NullSample, seed: u64) -> Verdicts {
    let mut kept = Vec::new();
    for out in 0..null.siblings() as u32 {
        let mut others = null.clone();
        others.pairs.retain(|pair| pair.a != out && pair.b != out);
        // The one that is left out has no pairs any more; its place stays, so that indices do.
        let test = CopyTest::new(others, seed);
        let of = |pair: &&SiblingPair| pair.a == out || pair.b == out;
        let measured = null.pairs.iter().filter(of).map(|pair| Measured {
            behaviour: pair.behaviour,
            weights: pair.weights,
            shared: pair.shared,
            expected: 0.0,
        });
        if let Some(seen) = measured.reduce(nearest_by_each) {
            kept.push((seen, verdict(&test, seen)));
        }
    }
    summary("siblings, each against a null of the others".into(), &kept)
}

fn verdict(test: &CopyTest, measured: Measured) -> Resemblance {
    let judged = test.judge(1, 0, measured, POPULATION, POPULATION);
    judged.resemblance
}

fn judged(test: &CopyTest, kind: String, measured: &[Measured]) -> Verdicts {
    let seen: Vec<_> = measured
        .iter()
        .map(|seen| (*seen, verdict(test, *seen)))
        .collect();
    summary(kind, &seen)
}

fn summary(kind: String, seen: &[(Measured, Resemblance)]) -> Verdicts {
    let share = |least: Resemblance| {
        let count = seen.iter().filter(|(_, verdict)| *verdict >= least).count();
        bounds(count as u64, seen.len() as u64)
    };
    let all = |of: fn(&Measured) -> Option<f64>| -> Vec<f64> {
        seen.iter()
            .filter_map(|(measured, _)| of(measured))
            .collect()
    };
    let (weights, shared) = (all(|it| it.weights), all(|it| it.shared));
    Verdicts {
        kind,
        models: seen.len() as u64,
        behaviour: quantile(all(|it| Some(it.behaviour)), 0.5),
        weights: (!weights.is_empty()).then(|| quantile(weights, 0.5)),
        shared: (!shared.is_empty())
            .then(|| (quantile(shared.clone(), 0.5), quantile(shared, 1.0))),
        loses: None,
        similar: share(Resemblance::Similar),
        same_class: share(Resemblance::SameClass),
    }
}

/// A rate with its Clopper-Pearson bounds at 95 %.
fn bounds(count: u64, of: u64) -> (f64, f64, f64) {
    let (k, n) = (count as f64, of as f64);
    let at = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
    let low = if count == 0 {
        0.0
    } else {
        at(k, n - k + 1.0, 0.025)
    };
    let high = if count == of {
        1.0
    } else {
        at(k + 1.0, n - k, 0.975)
    };
    (k / n.max(1.0), low, high)
}

fn quantile(mut values: Vec<f64>, at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (at * values.len() as f64) as usize;
    values
        .get(rank.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

fn describe(test: &CopyTest, name: &'static str, kind: Kind) -> Option<Distances> {
    let null = test.null();
    let all: Vec<f64> = null.pairs.iter().filter_map(|pair| kind.of(pair)).collect();
    let nearest = null.nearest(kind);
    if all.is_empty() {
        return None;
    }
    let tail = test.tail(kind);
    Some(Distances {
        distance: name,
        smallest: quantile(all.clone(), 0.0),
        median: quantile(all.clone(), 0.5),
        largest: quantile(all, 1.0),
        nearest: (quantile(nearest.clone(), 0.0), quantile(nearest, 0.5)),
        smallest_p: (
            null.smallest_p(kind, null.siblings() - 1),
            null.smallest_p(kind, POPULATION),
        ),
        tail: tail.map(|tail| (tail.mean, tail.sd, tail.ks)),
        threshold: tail.map(|tail| {
            let alpha = match kind {
                Kind::Behaviour | Kind::Weights => ALPHA,
                Kind::Innovation => ALPHA_ALONE,
            };
            tail.threshold(alpha / POPULATION as f64, POPULATION)
        }),
    })
}

fn print(study: &Study) {
    println!(
        "null: {} siblings, {} pairs (dependent: they share siblings)",
        study.siblings, study.pairs
    );
    for null in &study.null {
        println!(
            "  {:10} from {:.4} over {:.4} to {:.4}; nearest sibling {:.4} at least, {:.4} in the median",
            null.distance, null.smallest, null.median, null.largest, null.nearest.0, null.nearest.1
        );
        println!(
            "            smallest conformal p {:.3}, against 255 earlier models {:.3}",
            null.smallest_p.0, null.smallest_p.1
        );
        match (null.tail, null.threshold) {
            (Some((mean, sd, ks)), Some(threshold)) => println!(
                "            ln(distance) normal with mean {mean:.3}, sd {sd:.3}, Kolmogorov-Smirnov {ks:.3}; \
                 beyond the tail below {threshold:.4}"
            ),
            _ => println!("            no tail: it takes {MIN_MODELS} siblings"),
        }
    }
    println!(
        "\nverdicts in a population of 256                  behaviour  weights  shared (largest)  loses  similar or more       same class"
    );
    for seen in &study.verdicts {
        let rate =
            |(rate, low, high): (f64, f64, f64)| format!("{rate:.2} ({low:.2} to {high:.2})");
        println!(
            "{:44} {:>3}  {:>8.4}  {:>7}  {:>16}  {:>5}  {:>20}  {:>20}",
            seen.kind,
            seen.models,
            seen.behaviour,
            seen.weights
                .map_or("-".into(), |weights| format!("{weights:.4}")),
            seen.shared.map_or("-".into(), |(median, largest)| format!(
                "{median:.3} ({largest:.3})"
            )),
            seen.loses.map_or("-".into(), |nats| format!("{nats:.2}")),
            rate(seen.similar),
            rate(seen.same_class),
        );
    }
}
