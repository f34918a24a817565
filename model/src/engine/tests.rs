//! What the engine promises: answers, bounds, swaps and survival.

mod sharing;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::checkpoint::tests::write;
use crate::decode::scripted::Scripted;
use crate::tensors::Precision;

fn config(slots: usize, queue: usize) -> EngineConfig {
    EngineConfig {
        slots,
        queue,
        device: DeviceChoice::Cpu,
        weights: WeightFormat::F32,
        max_context: 64,
    }
}

fn request(prompt: &[u32], max_new_tokens: usize) -> GenerateRequest {
    GenerateRequest {
        prompt: prompt.to_vec(),
        max_new_tokens,
        temperature: 0.0,
        seed: 1,
        stop: None.into(),
    }
}

type Answer = Result<Generation, GenerateError>;

fn submit(engine: &Engine, request: GenerateRequest) -> Result<Receiver<Answer>, SubmitError> {
    let (reply, answer) = channel();
    engine.generate(request, move |result| drop(reply.send(result)))?;
    Ok(answer)
}

fn tokens(engine: &Engine, request: GenerateRequest) -> Generation {
    submit(engine, request).unwrap().recv().unwrap().unwrap()
}

fn scripted(decoder: Scripted, slots: usize, queue: usize) -> Engine {
    spawn_decoder(Box::new(decoder), [9; 32], config(slots, queue)).unwrap()
}

/// A mixture of prompts, lengths, temperatures and seeds.
fn mixture(n: u32) -> Vec<GenerateRequest> {
    (0..n)
        .map(|i| GenerateRequest {
            prompt: (0..1 + i * 5 % 23).map(|t| (t * 3 + i) % 50).collect(),
            max_new_tokens: 1 + (i as usize * 7) % 29,
            temperature: [0.0, 0.7, 1.0][i as usize % 3],
            seed: u64::from(i) << 20,
            stop: (i % 2 == 0).then_some(0).into(),
        })
        .collect()
}

#[test]
fn answers_end_at_the_stop_token_or_at_the_limit() {
    let engine = scripted(Scripted::counting(64), 2, 2);
    let answer = tokens(
        &engine,
        GenerateRequest {
            stop: [9, 6].into_iter().collect(),
            ..request(&[2, 3], 10)
        },
    );
    assert_eq!(
        (answer.tokens, answer.finish),
        (vec![4, 5, 6], Finish::Stop)
    );
    let answer = tokens(&engine, request(&[2, 3], 4));
    assert_eq!(
        (answer.tokens, answer.finish),
        (vec![4, 5, 6, 7], Finish::Length)
    );
    assert_eq!(answer.checkpoint, [9; 32]);
}

#[test]
fn requests_that_cannot_be_served_are_refused_at_once_and_say_why() {
    let engine = scripted(Scripted::counting(20), 1, 1);
    let check = |request: GenerateRequest, expected: SubmitError| {
        assert_eq!(submit(&engine, request).err(), Some(expected));
        assert_eq!(engine.in_flight(), 0);
    };
    check(request(&[], 4), SubmitError::Empty);
    check(request(&[1], 0), SubmitError::Empty);
    check(
        request(&[1; 10], 11),
        SubmitError::TooLong {
            tokens: 21,
            limit: 20,
        },
    );
    check(
        request(&[1], usize::MAX),
        SubmitError::TooLong {
            tokens: usize::MAX,
            limit: 20,
        },
    );
    check(
        request(&[16], 4),
        SubmitError::UnknownToken {
            token: 16,
            vocab: 16,
        },
    );
    check(
        GenerateRequest {
            temperature: -1.0,
            ..request(&[1], 4)
        },
        SubmitError::Temperature { found: -1.0 },
    );
    assert_eq!(tokens(&engine, request(&[1; 10], 10)).tokens.len(), 10);
}

#[test]
fn one_request_more_than_the_engine_holds_is_refused_as_overloaded() {
    let (decoder, gate) = Scripted::gated();
    let engine = scripted(decoder, 2, 3);
    let answers: Vec<_> = (0..5)
        .map(|_| submit(&engine, request(&[1], 3)).unwrap())
        .collect();
    assert_eq!(
        submit(&engine, request(&[1], 3)).err(),
        Some(SubmitError::Overloaded { in_flight: 5 })
    );
    drop(gate);
    for answer in answers {
        assert_eq!(answer.recv().unwrap().unwrap().tokens, [2, 3, 4]);
    }
    // The permit is returned before the answer is sent, so there is room at once.
    assert_eq!(engine.in_flight(), 0);
    assert_eq!(tokens(&engine, request(&[1], 3)).tokens, [2, 3, 4]);
}

#[test]
fn sequences_share_turns() {
    let (decoder, gate) = Scripted::gated();
    let turns = decoder.turns.clone();
    let engine = scripted(decoder, 4, 4);
    let answers: Vec<_> = (0..4)
        .map(|_| submit(&engine, request(&[1], 6)).unwrap())
        .collect();
    drop(gate);
    answers
        .iter()
        .for_each(|answer| drop(answer.recv().unwrap()));
    let turns = turns.lock().unwrap();
    assert!(turns.len() <= 7 && turns.contains(&4), "{turns:?}");
}

#[test]
fn a_panic_answers_everyone_in_flight_and_the_engine_lives_on() {
    let engine = scripted(Scripted::panics_at(0), 1, 8);
    let answer = submit(&engine, request(&[1], 6)).unwrap().recv().unwrap();
    let failed = GenerateError::Failed {
        message: "scripted panic".into(),
    };
    assert_eq!(answer, Err(failed));
    assert_eq!(engine.in_flight(), 0);
    assert_eq!(tokens(&engine, request(&[1], 3)).tokens, [2, 3, 4]);
}

#[test]
fn a_reply_that_panics_or_is_gone_harms_nobody_else() {
    let engine = scripted(Scripted::counting(64), 2, 8);
    engine
        .generate(request(&[1], 3), |_| panic!("a caller's own fault"))
        .unwrap();
    drop(submit(&engine, request(&[1], 3)).unwrap());
    assert_eq!(tokens(&engine, request(&[1], 3)).tokens, [2, 3, 4]);
}

#[test]
fn the_thread_ends_when_the_last_handle_is_gone_and_in_flight_work_is_answered() {
    let (decoder, gate) = Scripted::gated();
    let turns = decoder.turns.clone();
    let engine = scripted(decoder, 1, 4);
    let answers: Vec<_> = (0..3)
        .map(|_| submit(&engine, request(&[1], 2)).unwrap())
        .collect();
    drop(engine);
    drop(gate);
    for answer in answers {
        assert_eq!(answer.recv().unwrap().unwrap().tokens, [2, 3]);
    }
    // The decoder, and with it this clone, goes when the thread ends.
    while std::sync::Arc::strong_count(&turns) > 1 {
        std::thread::yield_now();
    }
}

#[test]
fn batched_answers_equal_solo_answers_token_for_token() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = write(dir.path(), 1, Precision::F32);
    let requests = mixture(40);
    let solo = spawn(&checkpoint, config(1, 1)).unwrap();
    let expected: Vec<_> = requests
        .iter()
        .map(|r| tokens(&solo, r.clone()).tokens)
        .collect();
    assert!(
        expected.iter().flatten().any(|&t| t != expected[0][0]),
        "answers vary"
    );
    for slots in [2, 7, 40] {
        let engine = spawn(&checkpoint, config(slots, 40)).unwrap();
        let answers: Vec<_> = requests
            .iter()
            .map(|r| submit(&engine, r.clone()).unwrap())
            .collect();
        for (answer, expected) in answers.iter().zip(&expected) {
            assert_eq!(
                &answer.recv().unwrap().unwrap().tokens,
                expected,
                "{slots} slots"
            );
        }
    }
}

#[test]
fn an_honest_answer_replays_with_no_margin_and_another_seed_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = write(dir.path(), 1, Precision::F32);
    let engine = spawn(&checkpoint, config(4, 40)).unwrap();
    let scorer = crate::scorer::Scorer::load(&checkpoint, DeviceChoice::Cpu).unwrap();
    let mut largest = 0.0f32;
    for request in mixture(20) {
        let answer = tokens(&engine, request.clone()).tokens;
        let all = [request.prompt.clone(), answer.clone()].concat();
        let logits = scorer.logits(&all, request.prompt.len()).unwrap();
        assert_eq!(logits.rows(), answer.len() + 1);
        for (t, &token) in answer.iter().enumerate() {
            let observe = |seed| {
                let t32 = t as u32;
                crate::sampler::observe(logits.row(t), token, request.temperature, seed, t32)
            };
            assert_eq!(observe(request.seed).margin, 0.0);
            largest = largest.max(observe(request.seed ^ 1).margin);
        }
    }
    assert!(largest > 0.5, "another seed must show: {largest}");
}

#[test]
fn a_swap_under_load_loses_no_request_and_no_answer_mixes_models() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let old = write(dirs[0].path(), 1, Precision::F32);
    let new = write(dirs[1].path(), 2, Precision::F32);
    let requests = mixture(30);
    let expected: BTreeMap<[u8; 32], Vec<Vec<u32>>> = [&old, &new]
        .map(|checkpoint| {
            let engine = spawn(checkpoint, config(1, 1)).unwrap();
            let answers = requests.iter().map(|r| tokens(&engine, r.clone()).tokens);
            (checkpoint.digest(), answers.collect())
        })
        .into();
    let engine = spawn(&old, config(3, 200)).unwrap();
    let mut seen = BTreeMap::new();
    let swapper = {
        let (engine, old, new) = (engine.clone(), old.clone(), new.clone());
        std::thread::spawn(move || {
            for round in 0..6 {
                let to = if round % 2 == 0 { &new } else { &old };
                engine.swap(to).unwrap();
                assert_eq!(engine.checkpoint(), to.digest());
            }
        })
    };
    let mut swapped = false;
    while !swapped {
        swapped = swapper.is_finished();
        let answers: Vec<_> = requests
            .iter()
            .map(|r| submit(&engine, r.clone()).unwrap())
            .collect();
        for (index, answer) in answers.iter().enumerate() {
            let answer = answer.recv().unwrap().unwrap();
            assert_eq!(answer.tokens, expected[&answer.checkpoint][index]);
            *seen.entry(answer.checkpoint).or_insert(0) += 1;
        }
    }
    swapper.join().unwrap();
    assert_eq!(seen.len(), 2, "both models answered: {seen:?}");
    assert_eq!(engine.in_flight(), 0);
}

#[test]
fn a_swap_to_a_broken_checkpoint_is_an_error_and_the_old_one_serves_on() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let old = write(dirs[0].path(), 1, Precision::F32);
    let new = write(dirs[1].path(), 2, Precision::F32);
    std::fs::write(dirs[1].path().join("model.safetensors"), b"gone").unwrap();
    let engine = spawn(&old, config(1, 1)).unwrap();
    let error = engine.swap(&new).unwrap_err();
    assert!(error.to_string().contains("model.safetensors"), "{error}");
    assert_eq!(tokens(&engine, request(&[1], 3)).checkpoint, old.digest());
}
