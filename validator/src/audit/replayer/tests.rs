//! Tests of the replays on small models with random weights.

use std::path::Path;

use athanor_scoring::{ledger::Load, transcript::Times};
use athanor_spec::{Answer, Ask, Digest, Hotkey, Uid};

use super::*;
use crate::random_models::{VOCAB, write};

const MEMORY: u64 = 64 << 20;

struct Models {
    folder: tempfile::TempDir,
    teacher: Checkpoint,
    students: Vec<Arc<Checkpoint>>,
}

fn models() -> Models {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, seed, layers| write(&folder.path().join(name), seed, layers);
    Models {
        teacher: of("teacher", 1, 3),
        students: (0..3)
            .map(|index| Arc::new(of(&index.to_string(), 2 + index, 2)))
            .collect(),
        folder,
    }
}

fn replayer(models: &Models, memory: u64) -> Replayer {
    let mut spec = SubnetSpec::local();
    spec.subnet.vocab_size = VOCAB as u32;
    let tokenizer = Tokenizer::open(&models.teacher.dir).unwrap();
    let device = (DeviceChoice::Cpu, memory);
    let calibration = Calibration::shipped();
    Replayer::new(&models.teacher, tokenizer, device, spec, calibration).unwrap()
}

fn tokens(len: usize, salt: usize) -> Vec<u32> {
    (0..len)
        .map(|i| ((i * 7 + salt * 13 + i * i * salt) % VOCAB) as u32)
        .collect()
}

/// An answer of one of the students to one of the prompts.
fn replay(models: &Models, student: usize, prompt: usize) -> Replay {
    let ask = Ask {
        prompt: tokens(5 + prompt, prompt),
        max_new_tokens: 40,
        temperature_milli: 1000,
        seed: (student * 100 + prompt) as u64,
    };
    let checkpoint = models.students[student].clone();
    Replay {
        answer: Answer {
            request: ask.hash(),
            checkpoint: Digest(checkpoint.digest()),
            tokens: tokens(3 + 2 * student, student + prompt),
            finish: Finish::Length,
        },
        planned: PlannedAsk {
            miner: Hotkey([student as u8; 32]),
            uid: Uid(student as u16),
            index: prompt as u32,
            shared: Some(prompt as u32),
            load: None,
            block_offset: 0,
            reference_seed: prompt as u64,
            opened: true,
            content: Content::Continuation,
            ask,
        },
        times: Times {
            first_token_ms: 10,
            elapsed_ms: 20,
            own_ms: 0,
        },
        load: Load::Alone,
        checkpoint,
        reference: TeacherText {
            tokens: tokens(4 + prompt, 9 + prompt),
            finish: Finish::Stop,
        },
    }
}

fn all(models: &Models) -> Vec<Replay> {
    (0..3)
        .flat_map(|student| (0..4).map(move |prompt| (student, prompt)))
        .map(|(student, prompt)| replay(models, student, prompt))
        .collect()
}

#[test]
fn replayed_together_each_answer_counts_as_it_does_alone() {
    let models = models();
    let replays = all(&models);
    let together = replayer(&models, MEMORY).replay_all(&replays);
    // Again, when the teacher's readings are remembered.
    let mut warm = replayer(&models, MEMORY);
    drop(warm.replay_all(&replays));
    for (index, (one, found)) in replays.iter().zip(together).enumerate() {
        let alone = replayer(&models, MEMORY).replay(one).unwrap();
        assert_eq!(found.unwrap(), alone, "replay {index}");
        assert_eq!(warm.replay(one).unwrap(), alone, "replay {index}, warm");
    }
}

#[test]
fn memory_for_one_student_is_enough_for_any_number_one_after_the_other() {
    let models = models();
    let one = Scorer::bytes(&models.students[0].config);
    let mut replayer = replayer(&models, one * REMEMBERED_SHARE / (REMEMBERED_SHARE - 1) + 8);
    assert!(replayer.students.limit() < 2 * one);
    for outcome in replayer.replay_all(&all(&models)) {
        outcome.unwrap();
    }
}

#[test]
fn a_student_that_is_too_large_is_this_validator_s_trouble_and_nobody_else_s() {
    let models = models();
    let mut replays = vec![replay(&models, 0, 1), replay(&models, 1, 1)];
    let large = write(&models.folder.path().join("large"), 9, 40);
    let limit = Scorer::bytes(&large.config) - 1;
    replays[1].checkpoint = Arc::new(large);
    let mut replayer = replayer(&models, limit);
    let [good, refused] = replayer.replay_all(&replays).try_into().unwrap();
    good.unwrap();
    assert!(
        matches!(refused, Err(AuditError::TooLarge { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_answer_that_cannot_be_replayed_spoils_no_other() {
    let models = models();
    let mut replays = all(&models);
    replays[5].answer.tokens[0] = VOCAB as u32;
    let missing = models.folder.path().join("2");
    std::fs::remove_file(missing.join("model.safetensors")).unwrap();
    let is_lost = |dir: &Path| dir == missing;
    let outcomes = replayer(&models, MEMORY).replay_all(&replays);
    for (index, (one, outcome)) in replays.iter().zip(&outcomes).enumerate() {
        let fails = index == 5 || is_lost(&one.checkpoint.dir);
        assert_eq!(outcome.is_err(), fails, "replay {index}: {outcome:?}");
    }
}

#[test]
fn after_a_panic_the_next_replay_is_what_it_would_have_been() {
    let models = models();
    let one = replay(&models, 0, 2);
    let expected = replayer(&models, MEMORY).replay(&one).unwrap();
    let mut replayer = replayer(&models, MEMORY);
    replayer.replay(&one).unwrap();
    let failed = replayer.guard::<()>(|_| panic!("{} out of memory", "cuda:0"));
    assert!(
        matches!(&failed, Err(AuditError::Panicked { message }) if message.contains("cuda:0")),
        "{failed:?}"
    );
    assert!(replayer.students.get(&one.checkpoint.dir).is_none());
    assert_eq!(replayer.replay(&one).unwrap(), expected);
}
