//! Prefixes, scores, streams and cancellation: what requests share, and what they do not notice of each other.

use super::*;
use crate::scorer::Scorer;

/// Prompts that begin alike, in groups of three.
fn families(groups: u32) -> Vec<GenerateRequest> {
    (0..groups * 3)
        .map(|i| {
            let (group, member) = (i / 3, i % 3);
            let shared = (0..33).map(|t| (t * 7 + group) % 50);
            let own = (0..member * 4).map(|t| (t + 3 * member) % 50);
            GenerateRequest {
                prompt: shared.chain(own).collect(),
                max_new_tokens: 9,
                temperature: 0.8,
                seed: u64::from(i),
                stop: None.into(),
            }
        })
        .collect()
}

#[test]
fn a_prefix_that_is_taken_over_changes_no_bit_of_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = write(dir.path(), 1, Precision::F32);
    let requests = families(4);
    let alone = |request: &GenerateRequest| {
        let engine = spawn(&checkpoint, config(1, 1)).unwrap();
        let answer = tokens(&engine, request.clone());
        assert_eq!(answer.reused, 0, "nothing was there to take over");
        answer.tokens
    };
    let expected: Vec<_> = requests.iter().map(alone).collect();
    for slots in [1, 2, 5] {
        let engine = spawn(&checkpoint, config(slots, requests.len())).unwrap();
        let mut reused = 0;
        // All at once, so that a slot in use is copied from, then one by one, so that a free one is used again.
        let answers: Vec<_> = requests
            .iter()
            .map(|request| submit(&engine, request.clone()).unwrap())
            .collect();
        for (answer, expected) in answers.iter().zip(&expected) {
            let answer = answer.recv().unwrap().unwrap();
            assert_eq!(&answer.tokens, expected, "{slots} slots");
            reused += answer.reused;
        }
        for (request, expected) in requests.iter().zip(&expected) {
            let answer = tokens(&engine, request.clone());
            assert_eq!(&answer.tokens, expected, "{slots} slots");
            reused += answer.reused;
        }
        assert!(reused > 10 * 33, "{slots} slots took over {reused} tokens");
    }
}

#[test]
fn another_model_takes_nothing_over() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let old = write(dirs[0].path(), 1, Precision::F32);
    let new = write(dirs[1].path(), 2, Precision::F32);
    let request = families(1).remove(0);
    let engine = spawn(&old, config(1, 1)).unwrap();
    tokens(&engine, request.clone());
    engine.swap(&new).unwrap();
    let answer = tokens(&engine, request.clone());
    assert_eq!(answer.reused, 0);
    let alone = spawn(&new, config(1, 1)).unwrap();
    assert_eq!(answer.tokens, tokens(&alone, request).tokens);
}

#[test]
fn scores_are_those_of_a_replay_whatever_runs_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = write(dir.path(), 1, Precision::F32);
    let engine = spawn(&checkpoint, config(3, 40)).unwrap();
    let scorer = Scorer::load(&checkpoint, DeviceChoice::Cpu).unwrap();
    let beside: Vec<_> = mixture(10)
        .into_iter()
        .map(|request| submit(&engine, request).unwrap())
        .collect();
    for (from, len) in [(1, 2), (1, 40), (20, 21), (7, 64), (33, 50)] {
        let text: Vec<u32> = (0..len).map(|t| (t * t + 5) % 50).collect();
        let request = ScoreRequest {
            tokens: text.clone(),
            from,
            temperature: 0.7,
            seed: 5,
        };
        // Twice, the second time with the first one's prefix.
        for _ in 0..2 {
            let (reply, scores) = channel();
            engine
                .score(request.clone(), move |result| drop(reply.send(result)))
                .unwrap();
            let scores = scores.recv().unwrap().unwrap();
            let logits = scorer.logits(&text, from).unwrap();
            assert_eq!(scores.len(), text.len() - from);
            for (row, scored) in scores.iter().enumerate() {
                let (logits, token) = (logits.row(row), text[from + row]);
                let margin = crate::sampler::observe(logits, token, 0.7, 5, row as u32);
                assert_eq!((scored.token, scored.margin), (token, margin));
                let sum: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
                let expected = f64::from(logits[token as usize]) - sum.ln();
                assert!((f64::from(scored.log_probability) - expected).abs() < 1e-4);
            }
        }
    }
    drop(beside);
    let wrong = |tokens: Vec<u32>, from| ScoreRequest {
        tokens,
        from,
        temperature: 0.7,
        seed: 5,
    };
    for (request, expected) in [
        (
            wrong(vec![1, 2], 0),
            SubmitError::From { from: 0, tokens: 2 },
        ),
        (
            wrong(vec![1, 2], 2),
            SubmitError::From { from: 2, tokens: 2 },
        ),
        (
            wrong(vec![1; 65], 1),
            SubmitError::TooLong {
                tokens: 65,
                limit: 64,
            },
        ),
        (
            wrong(vec![1, 50], 1),
            SubmitError::UnknownToken {
                token: 50,
                vocab: 50,
            },
        ),
    ] {
        let found = engine.score(request, |_| {}).err();
        assert_eq!(found, Some(expected));
    }
}

#[test]
fn a_stream_gives_every_token_and_then_the_answer() {
    let engine = scripted(Scripted::counting(64), 2, 8);
    let (send, events) = channel();
    engine
        .stream(request(&[2], 3), move |event| drop(send.send(event)))
        .unwrap();
    let events: Vec<Event> = events.iter().collect();
    let [
        Event::Token(3),
        Event::Token(4),
        Event::Token(5),
        Event::End(Ok(answer)),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(answer.tokens, [3, 4, 5]);
}

#[test]
fn a_cancelled_request_leaves_and_the_others_go_on() {
    let (decoder, gate) = Scripted::gated();
    let turns = decoder.turns.clone();
    let engine = scripted(decoder, 1, 8);
    let asked = |count| {
        let (send, events) = channel();
        let events_of = move |event| drop(send.send(event));
        (
            engine.stream(request(&[1], count), events_of).unwrap(),
            events,
        )
    };
    let (running, first) = asked(30);
    let (waiting, second) = asked(30);
    let (_kept, third) = asked(2);
    gate.send(()).unwrap();
    assert_eq!(first.recv().unwrap(), Event::Token(2));
    running.cancel();
    waiting.cancel();
    drop(gate);
    let end = |events: Receiver<Event>| events.iter().last().unwrap();
    assert_eq!(end(first), Event::End(Err(GenerateError::Cancelled)));
    assert_eq!(end(second), Event::End(Err(GenerateError::Cancelled)));
    let Event::End(Ok(answer)) = end(third) else {
        panic!("the third request was answered");
    };
    assert_eq!(answer.tokens, [2, 3]);
    assert_eq!(engine.in_flight(), 0);
    // One turn that was let through, perhaps one that was waiting at the gate, and the third request's two.
    assert!(turns.lock().unwrap().len() <= 4);
}

#[test]
fn a_long_prompt_stalls_no_answer_that_is_being_drawn() {
    let (decoder, gate) = Scripted::gated_up_to(4096);
    let turns = decoder.turns.clone();
    let config = EngineConfig {
        max_context: 4096,
        ..config(2, 2)
    };
    let engine = spawn_decoder(Box::new(decoder), [9; 32], config).unwrap();
    let (send, drawn) = channel();
    let short = request(&[1], 12);
    engine
        .stream(short, move |event| drop(send.send(event)))
        .unwrap();
    gate.send(()).unwrap();
    assert_eq!(drawn.recv().unwrap(), Event::Token(2));
    // A prompt of a thousand tokens joins: as many turns as the short answer needs must go on giving it a token each.
    let long = submit(&engine, request(&vec![1; 1000], 1)).unwrap();
    drop(gate);
    let last = drawn.iter().last().unwrap();
    assert!(matches!(last, Event::End(Ok(_))));
    assert_eq!(long.recv().unwrap().unwrap().tokens.len(), 1);
    let turns = turns.lock().unwrap();
    // Twelve tokens took twelve turns, and the prompt was spread over at least eight.
    let together = turns.iter().filter(|&&pieces| pieces == 2).count();
    assert!(together >= 7, "{turns:?}");
    assert!(
        turns[..12].iter().all(|&pieces| pieces >= 1) && turns.len() <= 14,
        "{turns:?}"
    );
}

#[test]
fn exhausted_memory_is_an_error_of_its_own_and_the_engine_serves_on() {
    let engine = scripted(
        Scripted::panics_with("CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        2,
        2,
    );
    let answer = submit(&engine, request(&[1], 3)).unwrap().recv().unwrap();
    assert!(
        matches!(&answer, Err(GenerateError::OutOfMemory { message }) if message.contains("CUDA")),
        "{answer:?}"
    );
    assert_eq!(tokens(&engine, request(&[1], 3)).tokens, [2, 3, 4]);
}
