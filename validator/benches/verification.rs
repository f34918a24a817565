//! What verifying costs beside generating, in processor time of one process.
//!
//! `cargo bench -p athanor-validator --bench verification --profile dev` first prints what verifying costs beside what
//! generating did, for several shares of the asks that are opened (`round.opening_share`): the replays on student and
//! teacher, and the teacher's own continuation of each opened prompt. Prompts are opened for all miners that share them,
//! as in a round. Generation and verification are repeated in turns: printed are the medians, and the median of the ratios of
//! each turn with the least and the most of them. Then come the times of generation and of replays, alone.

use std::{fs, path::Path, sync::Arc, sync::mpsc};

use athanor_model::{
    Checkpoint, Config, DeviceChoice, Precision, Tensors, Tokenizer, WeightFormat,
    checkpoint::Provenance,
    engine::{self, Engine, EngineConfig, GenerateRequest},
};
use athanor_scoring::{evidence::Calibration, ledger::Load, transcript::Times};
use athanor_spec::{Answer, Ask, Digest, Finish, Hotkey, SubnetSpec, Uid};
use athanor_validator::{
    audit::{Replay, Replayer, TeacherText},
    plan::{Content, PlannedAsk},
};
use divan::Bencher;

/// Sequences that a miner computes at once.
const SLOTS: usize = 8;
/// Miners that are asked.
const MINERS: usize = 4;
/// Asks of each miner: enough for one in fifty to be two.
const ASKS: usize = 96;
/// Of its asks, those that are opened: a quarter, a tenth, a twentieth, one in fifty, one in a hundred.
const OPENED: [usize; 5] = [24, 10, 4, 2, 1];
/// How often everything is repeated.
const TURNS: usize = 5;
/// Bytes that replays may take.
const MEMORY: u64 = 1 << 30;
/// What replays may cost of what generation did.
const GOAL: f64 = 0.05;

/// What is served, and how it is asked.
#[derive(Clone, Copy)]
struct Scene {
    name: &'static str,
    hidden: usize,
    teacher_layers: usize,
    student_layers: usize,
    vocab: usize,
    prompt: usize,
    answer: usize,
    /// Whether all miners get the same prompts.
    shared: bool,
}

const SCENES: [Scene; 3] = [
    Scene {
        name: "local subnet, prompts of their own",
        ..LOCAL
    },
    Scene {
        name: "local subnet, shared prompts",
        shared: true,
        ..LOCAL
    },
    Scene {
        name: "7M student of a 14M teacher, shared prompts",
        shared: true,
        ..LARGER
    },
];

const LOCAL: Scene = Scene {
    name: "",
    hidden: 128,
    teacher_layers: 4,
    student_layers: 3,
    vocab: 1024,
    prompt: 32,
    answer: 32,
    shared: false,
};

const LARGER: Scene = Scene {
    name: "",
    hidden: 256,
    teacher_layers: 12,
    student_layers: 6,
    vocab: 4096,
    prompt: 64,
    answer: 64,
    shared: false,
};

fn main() {
    println!(
        "processor time of {MINERS} miners' answers to {ASKS} asks each, and of verifying those that are opened, in {TURNS} \
         turns; the spec that ships opens {:.3} of them",
        SubnetSpec::shipped().round.opening_share
    );
    println!(
        "{:46} {:>10} {:>10} {:>10} {:>12} {:>8}",
        "", "opened", "generation", "replays", "continuation", "ratio"
    );
    for scene in SCENES {
        let mut bench = Stage::set(scene);
        let replays = bench.replays(ASKS);
        let mut generation = Vec::new();
        let mut costs = OPENED.map(|_| Vec::new());
        for _ in 0..TURNS {
            generation.push(cpu_seconds(|| drop(bench.generate(ASKS))));
            for (opened, costs) in OPENED.iter().zip(&mut costs) {
                costs.push(bench.verify(&replays, *opened));
            }
        }
        for (opened, costs) in OPENED.iter().zip(&costs) {
            let turns = costs.iter().zip(&generation);
            let ratios = turns.map(|(cost, made)| (cost.replays + cost.continuations) / made);
            let [least, ratio, most] = spread(ratios);
            let verdict = if most <= GOAL { ", within 5 %" } else { "" };
            println!(
                "{:46} {:>8.1} % {:>8.3} s {:>8.3} s {:>10.3} s {ratio:>8.4} [{least:.4}, {most:.4}]{verdict}",
                scene.name,
                100.0 * *opened as f64 / ASKS as f64,
                spread(generation.iter().copied())[1],
                spread(costs.iter().map(|cost| cost.replays))[1],
                spread(costs.iter().map(|cost| cost.continuations))[1],
            );
        }
    }
    divan::main();
}

/// The least of some numbers, their median, and the most.
fn spread(numbers: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    [
        numbers[0],
        numbers[numbers.len() / 2],
        numbers[numbers.len() - 1],
    ]
}

/// What verifying took, in seconds of processor time.
struct Cost {
    replays: f64,
    continuations: f64,
}

/// All that a round of one scene needs.
struct Stage {
    scene: Scene,
    students: Vec<Arc<Checkpoint>>,
    engines: Vec<Engine>,
    teacher: Checkpoint,
    continuing: Engine,
    replayer: Replayer,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn set(scene: Scene) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, layers, seed| {
            let dir = folder.path().join(name);
            checkpoint(&dir, scene, layers, seed)
        };
        let teacher = write("teacher", scene.teacher_layers, 1);
        let students: Vec<_> = (0..MINERS)
            .map(|miner| {
                Arc::new(write(
                    &miner.to_string(),
                    scene.student_layers,
                    2 + miner as u64,
                ))
            })
            .collect();
        let engines = students
            .iter()
            .map(|student| start(student, scene))
            .collect();
        Self {
            replayer: replayer(&teacher, scene),
            continuing: start(&teacher, scene),
            teacher,
            students,
            engines,
            scene,
            _folder: folder,
        }
    }

    /// Verifies the first `opened` asks of each miner, with nothing remembered of their prompts.
    fn verify(&mut self, replays: &[Replay], opened: usize) -> Cost {
        let prompts = match self.scene.shared {
            true => 1,
            false => MINERS,
        };
        let references: Vec<Ask> = (0..prompts)
            .flat_map(|miner| self.references(miner, opened))
            .collect();
        let continuations = cpu_seconds(|| drop(generate(&self.continuing, &references)));
        let mut some = Vec::new();
        for of_miner in replays.chunks(replays.len() / MINERS) {
            some.extend_from_slice(&of_miner[..opened]);
        }
        self.forget();
        Cost {
            replays: cpu_seconds(|| drop(self.replayer.replay_all(&some))),
            continuations,
        }
    }

    /// The teacher's asks for its own continuations of a miner's prompts, the same for all where they are shared.
    fn references(&self, miner: usize, asks: usize) -> Vec<Ask> {
        let reference = |index| {
            let ask = self.ask(miner, index);
            let seed = match self.scene.shared {
                true => index as u64,
                false => !ask.seed,
            };
            Ask { seed, ..ask }
        };
        (0..asks).map(reference).collect()
    }

    /// Forgets what is remembered of the teacher, and loads the students again.
    fn forget(&mut self) {
        self.replayer = replayer(&self.teacher, self.scene);
        for student in &self.students {
            let loaded = self.replayer.load(student);
            loaded.expect("a student of this size has room");
        }
    }

    fn ask(&self, miner: usize, index: usize) -> Ask {
        let prompt = if self.scene.shared { 0 } else { miner };
        let token = |i: usize| ((i * 7919 + index * 31 + prompt * 977) % self.scene.vocab) as u32;
        Ask {
            prompt: (0..self.scene.prompt).map(token).collect(),
            max_new_tokens: self.scene.answer as u16,
            temperature_milli: 1000,
            seed: (miner * ASKS + index) as u64,
        }
    }

    /// Every miner's answers to so many asks, each miner's batch after batch.
    fn generate(&self, asks: usize) -> Vec<Vec<Vec<u32>>> {
        let answers = |(miner, engine): (usize, &Engine)| {
            let asks: Vec<Ask> = (0..asks).map(|index| self.ask(miner, index)).collect();
            generate(engine, &asks)
        };
        self.engines.iter().enumerate().map(answers).collect()
    }

    fn replays(&self, count: usize) -> Vec<Replay> {
        let mut replays = Vec::new();
        let mut references = Vec::new();
        for (miner, answers) in self.generate(count).into_iter().enumerate() {
            let asks: Vec<Ask> = (0..count).map(|index| self.ask(miner, index)).collect();
            if miner == 0 || !self.scene.shared {
                references = generate(&self.continuing, &self.references(miner, count));
            }
            for ((ask, tokens), reference) in asks.into_iter().zip(answers).zip(references.clone())
            {
                replays.push(Replay {
                    planned: PlannedAsk {
                        miner: Hotkey([miner as u8; 32]),
                        uid: Uid(miner as u16),
                        index: 0,
                        shared: None,
                        load: None,
                        block_offset: 0,
                        reference_seed: 0,
                        opened: true,
                        content: Content::Continuation,
                        ask: ask.clone(),
                    },
                    answer: Answer {
                        request: ask.hash(),
                        checkpoint: Digest(self.students[miner].digest()),
                        tokens,
                        finish: Finish::Length,
                    },
                    times: Times {
                        first_token_ms: 5,
                        elapsed_ms: 10,
                        own_ms: 0,
                    },
                    load: Load::Alone,
                    checkpoint: self.students[miner].clone(),
                    reference: TeacherText {
                        tokens: reference,
                        finish: Finish::Length,
                    },
                });
            }
        }
        replays
    }
}

fn checkpoint(dir: &Path, scene: Scene, layers: usize, seed: u64) -> Checkpoint {
    let config = Config {
        hidden_size: scene.hidden,
        intermediate_size: 3 * scene.hidden,
        num_hidden_layers: layers,
        num_attention_heads: scene.hidden / 32,
        num_key_value_heads: scene.hidden / 64,
        head_dim: 32,
        vocab_size: scene.vocab,
        max_position_embeddings: 512,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
        bos_token_id: None,
        eos_token_id: Default::default(),
        variant: Default::default(),
    };
    let tokenizer = br#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"WhitespaceSplit"},"post_processor":null,"decoder":null,"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}"#;
    let tensors = Tensors::random(&config, seed);
    let provenance = Provenance::default();
    Checkpoint::write(
        dir,
        &config,
        &tensors,
        tokenizer,
        &provenance,
        Precision::F16,
    )
    .expect("a temporary directory takes a checkpoint")
}

fn start(model: &Checkpoint, scene: Scene) -> Engine {
    let settings = EngineConfig {
        slots: SLOTS,
        queue: MINERS * ASKS,
        device: DeviceChoice::Cpu,
        weights: WeightFormat::F32,
        max_context: scene.prompt + scene.answer,
    };
    engine::spawn(model, settings).expect("it was just written")
}

fn replayer(teacher: &Checkpoint, scene: Scene) -> Replayer {
    let mut spec = SubnetSpec::local();
    spec.subnet.vocab_size = scene.vocab as u32;
    let tokenizer = Tokenizer::open(&teacher.dir).expect("it was just written");
    let device = (DeviceChoice::Cpu, MEMORY);
    Replayer::new(teacher, tokenizer, device, spec, Calibration::shipped())
        .expect("it was just written")
}

fn generate(engine: &Engine, asks: &[Ask]) -> Vec<Vec<u32>> {
    let (reply, answers) = mpsc::channel();
    for (index, ask) in asks.iter().enumerate() {
        let reply = reply.clone();
        let request = GenerateRequest {
            prompt: ask.prompt.clone(),
            max_new_tokens: ask.max_new_tokens.into(),
            temperature: ask.temperature(),
            seed: ask.seed,
            stop: Default::default(),
        };
        engine
            .generate(request, move |answer| drop(reply.send((index, answer))))
            .expect("the engine has room");
    }
    drop(reply);
    let mut all = vec![Vec::new(); asks.len()];
    for (index, answer) in answers {
        all[index] = answer.expect("the engine answers").tokens;
    }
    all
}

/// Processor time of all threads of this process, which all outlive the work, as Linux counts it in nanoseconds.
fn cpu_seconds(work: impl FnOnce()) -> f64 {
    let of_thread = |thread: fs::DirEntry| {
        let times = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse::<f64>().ok()
    };
    let now = || -> f64 {
        let threads = fs::read_dir("/proc/self/task").expect("this bench runs on Linux");
        threads.flatten().filter_map(of_thread).sum()
    };
    let before = now();
    work();
    (now() - before) / 1e9
}

/// Asks of each miner in the benches below.
const FEW: usize = 16;

/// Four miners' answers to sixteen asks each.
#[divan::bench(args = [0, 1, 2], sample_count = 3, sample_size = 1)]
fn generation(bencher: Bencher, scene: usize) {
    let stage = Stage::set(SCENES[scene]);
    bencher.bench_local(|| stage.generate(FEW));
}

/// The replays of all of them.
#[divan::bench(args = [0, 1, 2], sample_count = 3, sample_size = 1)]
fn replays(bencher: Bencher, scene: usize) {
    let mut stage = Stage::set(SCENES[scene]);
    let replays = stage.replays(FEW);
    bencher.bench_local(|| stage.replayer.replay_all(&replays));
}
