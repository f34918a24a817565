//! Fits `grade.fidelity_scale` (d0) to real students, and prints each student's divergence with its confidence bounds.
//!
//! Fidelity is exp(-d / d0), with d the worse of the divergence on the student's own rollouts and on the teacher's
//! continuations. A relative change of d moves it by (d / d0) exp(-d / d0), which is greatest at d = d0: so the d0 that
//! tells a population of students apart best is the middle of its divergences, their geometric mean.
//!
//!     cargo run --release -p athanor-validator --example fidelity-scale -- TEACHER STUDENT [STUDENT...] [--asks N]

use std::{error::Error, path::Path};

use athanor_model::{Checkpoint, DeviceChoice, Tokenizer, scorer::Scorer};
use athanor_scoring::fidelity::{self, Ending, FidelitySums, TokenDivergence};
use athanor_spec::{Finish, Hotkey, SubnetSpec, Uid, params::GradeParams};
use athanor_validator::{
    audit::TeacherText,
    plan::{PlannedAsk, PlannedMiner, plan},
    teacher::Teacher,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const RESAMPLES: usize = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let asks = match arguments.iter().position(|argument| argument == "--asks") {
        Some(at) => {
            let count = arguments
                .get(at + 1)
                .ok_or("--asks needs a number")?
                .parse()?;
            arguments.drain(at..at + 2);
            count
        }
        None => 300,
    };
    let [teacher, students @ ..] = arguments.as_slice() else {
        return Err("give the directory of the teacher and those of its students".into());
    };
    if students.is_empty() {
        return Err("give the directory of at least one student".into());
    }
    let spec = SubnetSpec::local();
    let teacher = Checkpoint::open(Path::new(teacher))?;
    let tokenizer = teacher.tokenizer()?;
    let asks = draw(asks, &spec, &tokenizer);
    let references = say(&teacher, &asks, &spec, |ask| ask.reference_seed, Some(1000)).await?;
    let scorer = Scorer::load(&teacher, DeviceChoice::Cpu)?;

    let mut middles = Vec::new();
    println!(
        "{:40} {:>8} {:>8} {:>26}",
        "student", "d_own", "d_forced", "d, 95 % over prompts"
    );
    for dir in students {
        let student = Checkpoint::open(Path::new(dir))?;
        let answers = say(&student, &asks, &spec, |ask| ask.ask.seed, None).await?;
        let student = Scorer::load(&student, DeviceChoice::Cpu)?;
        let sums = asks
            .iter()
            .zip(&answers)
            .zip(&references)
            .map(|((ask, own), forced)| compare(ask, own, forced, &student, &scorer, &spec.grade))
            .collect::<Result<Vec<_>, _>>()?;
        let all = total(sums.iter());
        let (own, forced) = (all.own_divergence(), all.forced_divergence());
        let resampled = bootstrap(&sums);
        let name = Path::new(dir)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        println!(
            "{name:40} {:>8.4} {:>8.4} {:>8.4} [{:.4}, {:.4}]",
            own.unwrap_or(f64::NAN),
            forced.unwrap_or(f64::NAN),
            worst(&all),
            quantile(&resampled, 0.025),
            quantile(&resampled, 0.975),
        );
        middles.push(resampled);
    }
    // One resampling of prompts for each student, combined draw by draw.
    let combined: Vec<f64> = (0..RESAMPLES)
        .map(|draw| {
            let logs = middles.iter().map(|student| student[draw].ln());
            (logs.sum::<f64>() / middles.len() as f64).exp()
        })
        .collect();
    println!(
        "d0 = {:.3} [{:.3}, {:.3}], the geometric mean over {} students and {} prompts; the spec has {}",
        quantile(&combined, 0.5),
        quantile(&combined, 0.025),
        quantile(&combined, 0.975),
        students.len(),
        asks.len(),
        spec.grade.fidelity_scale,
    );
    Ok(())
}

/// Asks as a round has them.
fn draw(count: u32, spec: &SubnetSpec, tokenizer: &Tokenizer) -> Vec<PlannedAsk> {
    let miner = PlannedMiner {
        hotkey: Hotkey([0; 32]),
        uid: Uid(0),
        asks: count,
    };
    plan(&[7; 32], &[miner], spec, 1, |text| {
        tokenizer.encode(text).unwrap_or_default()
    })
}

/// What a model answers, eight asks at a time.
async fn say(
    model: &Checkpoint,
    asks: &[PlannedAsk],
    spec: &SubnetSpec,
    seed: impl Fn(&PlannedAsk) -> u64,
    temperature_milli: Option<u16>,
) -> Result<Vec<TeacherText>, Box<dyn Error>> {
    let engine = Teacher::start(model, model.stop_tokens()?, spec, DeviceChoice::Cpu)?;
    let mut said = Vec::with_capacity(asks.len());
    for batch in asks.chunks(8) {
        let answers = batch.iter().map(|planned| {
            let mut ask = planned.ask.clone();
            ask.seed = seed(planned);
            ask.temperature_milli = temperature_milli.unwrap_or(ask.temperature_milli);
            engine.say(ask)
        });
        for answer in futures::future::join_all(answers).await {
            said.push(answer.ok_or("the engine dropped a request: is the machine out of memory?")?);
        }
    }
    Ok(said)
}

fn compare(
    planned: &PlannedAsk,
    own: &TeacherText,
    forced: &TeacherText,
    student: &Scorer,
    teacher: &Scorer,
    grade: &GradeParams,
) -> Result<FidelitySums, Box<dyn Error>> {
    let prompt = &planned.ask.prompt;
    let divergences = |tokens: &[u32]| -> Result<(Vec<TokenDivergence>, f64), Box<dyn Error>> {
        let all = [prompt.as_slice(), tokens].concat();
        let (q, p) = (
            student.logits(&all, prompt.len())?,
            teacher.logits(&all, prompt.len())?,
        );
        let found = (0..tokens.len())
            .map(|t| fidelity::divergence(q.row(t), p.row(t), grade))
            .collect();
        let end = match tokens.split_last() {
            Some((end, before)) => fidelity::probability(p.row(before.len()), *end),
            None => 0.0,
        };
        Ok((found, end))
    };
    let (rollout, teacher_probability) = divergences(&own.tokens)?;
    let (continuation, _) = divergences(&forced.tokens)?;
    let ending = match own.finish {
        Finish::Stop => Ending::Stopped {
            teacher_probability,
        },
        Finish::Length => Ending::Limit,
    };
    Ok(FidelitySums::of_answer(
        &rollout,
        ending,
        &continuation,
        grade,
    ))
}

fn total<'a>(sums: impl Iterator<Item = &'a FidelitySums>) -> FidelitySums {
    let mut all = FidelitySums::ZERO;
    sums.for_each(|sum| all.merge(sum));
    all
}

/// The divergence that fidelity is made of: the worse of the two.
fn worst(sums: &FidelitySums) -> f64 {
    let own = sums.own_divergence().unwrap_or(0.0);
    own.max(sums.forced_divergence().unwrap_or(0.0))
}

/// The divergence over prompts drawn with replacement.
fn bootstrap(sums: &[FidelitySums]) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    (0..RESAMPLES)
        .map(|_| {
            worst(&total(
                (0..sums.len()).map(|_| &sums[rng.random_range(0..sums.len())]),
            ))
        })
        .collect()
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
