//! What the battery of similarity and collusion tests costs at 256 and at 4,096 members, whole and test by test.
//!
//! Members are miners; every 32nd one (128 at most) is a validator whose rows of weights cover all of them.

use athanor_scoring::{
    collusion::{
        battery::{self, Observed},
        cabal,
        latency::{self, Timing},
        leak,
        population::{self, Gaps, Grading, Latencies, Load},
        shared_backend::{self, LoadBlock},
        weight_copying::{self, WeightEpoch},
    },
    similarity::{
        copies::{CopyTest, Model},
        null::NullSample,
    },
    synthetic::normal,
};
use divan::Bencher;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() {
    divan::main();
}

const MEMBERS: [usize; 3] = [256, 1024, 4096];
/// Positions on which models are compared.
const POSITIONS: usize = 512;
/// Time bins of latencies.
const BINS: usize = 192;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

/// Students of one teacher, half a nat from a common text; one in fifty is a copy of an earlier one.
fn models(members: usize) -> Vec<Vec<f32>> {
    let mut rng = rng();
    let common: Vec<f32> = (0..POSITIONS)
        .map(|_| -0.1 - 4.0 * rng.random::<f32>())
        .collect();
    let mut all: Vec<Vec<f32>> = Vec::with_capacity(members);
    for member in 0..members {
        let model = match member % 50 {
            49 => all[member - 40]
                .iter()
                .map(|p| p + 0.01 * normal(&mut rng))
                .collect(),
            _ => common.iter().map(|p| p + 0.5 * normal(&mut rng)).collect(),
        };
        all.push(model);
    }
    all
}

fn views(models: &[Vec<f32>]) -> Vec<Model<'_>> {
    models
        .iter()
        .map(|model| Model {
            log_probabilities: model,
            signature: None,
            innovation: None,
            is_copy: false,
        })
        .collect()
}

fn test() -> CopyTest {
    CopyTest::new(NullSample::shipped(), 1)
}

fn load(members: usize) -> Vec<LoadBlock> {
    let load = Load {
        miners: members,
        blocks: 60,
        noise: 0.3,
        shared: 4,
        slowdown: 0.69,
    };
    population::load_blocks(&load, &mut rng())
}

fn timings(members: usize) -> Vec<Timing> {
    population::latencies(
        &Latencies {
            coupled: 2,
            coupling: 0.8,
            ..Latencies::honest(members, BINS)
        },
        &mut rng(),
    )
}

fn gaps(members: usize) -> Vec<Vec<f32>> {
    let gaps = Gaps {
        miners: members,
        pairs: 128,
        shift: 0.1,
        noise: 0.3,
        memorisers: 2,
        gain: 0.3,
    };
    population::gaps(&gaps, &mut rng())
}

fn grading(members: usize) -> Grading {
    Grading {
        validators: (members / 32).clamp(16, 128),
        miners: members,
        epochs: 8,
        noise: 0.2,
        drift: 0.15,
        copiers: 1,
        cabal: 0,
        boost: 0.0,
    }
}

fn weights(members: usize) -> Vec<WeightEpoch> {
    population::weights(&grading(members), &mut rng())
}

#[divan::bench(args = MEMBERS, sample_count = 5)]
fn whole_battery(bencher: Bencher, members: usize) {
    let (models, load, timings, gaps) = (
        models(members),
        load(members),
        timings(members),
        gaps(members),
    );
    let (weights, rows) = (
        weights(members),
        population::rows(&grading(members), &mut rng()),
    );
    let (openings, copies) = (vec![(44, 0); grading(members).validators], test());
    let observed = Observed {
        models: views(&models),
        load: &load,
        timings: &timings,
        timed: (members, BINS),
        gaps: gaps.iter().map(Vec::as_slice).collect(),
        weights: &weights,
        rows: Some(&rows),
        openings: &openings,
    };
    bencher.bench_local(|| battery::run(&observed, &copies, 1));
}

#[divan::bench(args = MEMBERS, sample_count = 5)]
fn functional_copies(bencher: Bencher, members: usize) {
    let (models, copies) = (models(members), test());
    let views = views(&models);
    bencher.bench_local(|| copies.run(&views, 1));
}

#[divan::bench(args = MEMBERS, sample_count = 5)]
fn shared_backends(bencher: Bencher, members: usize) {
    let load = load(members);
    bencher.bench_local(|| shared_backend::test(&load, battery::RATE));
}

#[divan::bench(args = MEMBERS, sample_count = 5)]
fn coupled_latency(bencher: Bencher, members: usize) {
    let timings = timings(members);
    bencher.bench_local(|| latency::test(&timings, members, BINS, battery::RATE));
}

#[divan::bench(args = MEMBERS, sample_count = 5)]
fn leaked_prompts(bencher: Bencher, members: usize) {
    let gaps = gaps(members);
    let views: Vec<&[f32]> = gaps.iter().map(Vec::as_slice).collect();
    bencher.bench_local(|| leak::test(&views, battery::RATE, 1));
}

#[divan::bench(args = MEMBERS, sample_count = 5)]
fn copied_weights(bencher: Bencher, members: usize) {
    let (weights, validators) = (weights(members), grading(members).validators);
    bencher.bench_local(|| weight_copying::test(&weights, validators, battery::RATE));
}

#[divan::bench(args = MEMBERS, sample_count = 5)]
fn cabals(bencher: Bencher, members: usize) {
    let rows = population::rows(&grading(members), &mut rng());
    bencher.bench_local(|| cabal::test(&rows, 1));
}
