//! What an API tells is recorded as the teacher's own words would be; what it does not tell is not invented.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::*;
use crate::tests::{source, teacher};

/// Answers each request by what `respond` says of its number and body: a status, and a body.
fn serve(
    respond: impl Fn(usize, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, respond) = (asked.clone(), Arc::new(respond));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (seen, respond) = (seen.clone(), respond.clone());
            thread::spawn(move || converse(stream.unwrap(), &seen, respond.as_ref()));
        }
    });
    (url, asked)
}

fn converse(
    stream: TcpStream,
    seen: &Mutex<Vec<Value>>,
    respond: &dyn Fn(usize, &Value) -> (u16, Value),
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return;
        }
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    assert!(head.starts_with("POST /v1/completions "), "{head}");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    body["authorization"] = json!(head.to_lowercase().contains("authorization: bearer secret"));
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(body.clone());
        seen.len() - 1
    };
    let (status, answer) = respond(number, &body);
    let answer = answer.to_string();
    let response = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    (&stream).write_all(response.as_bytes()).unwrap();
}

fn plan(count: usize) -> EndpointPlan {
    EndpointPlan {
        shard: ShardPlan {
            seed: 3,
            items: count,
            passages: 0,
            continuations: count,
        },
        max_new_tokens: 4,
        temperature: 1.0,
    }
}

fn record(url: &str, count: usize) -> Result<Shard, EndpointError> {
    let endpoint = Endpoint {
        url: url.to_owned(),
        model: "large".into(),
        key: Some("secret".into()),
        parallel: 3,
    };
    let source = source();
    endpoint.record(
        &source.training,
        teacher().config.vocab_size,
        &plan(count),
        |_| {},
    )
}

/// An answer of three tokens that depends on the prompt, with the two likeliest at each.
fn told(body: &Value) -> Value {
    let token = body["prompt"][0].as_u64().unwrap();
    let row = json!({format!("token_id:{token}"): -0.5, "token_id:9": -1.5, "no such token": -3.0});
    let tokens = vec![format!("token_id:{token}"); 3];
    let logprobs = json!({"tokens": tokens, "top_logprobs": [row, row, row]});
    json!({"choices": [{"text": "?", "finish_reason": "length", "logprobs": logprobs}]})
}

#[test]
fn what_an_api_tells_is_recorded_in_the_order_of_the_prompts() {
    let (url, asked) = serve(|_, body| (200, told(body)));
    let shard = record(&url, 6).unwrap();
    assert_eq!(shard, record(&url, 6).unwrap(), "whoever answers first");
    assert_eq!(shard.examples.len(), 12);
    for Recorded { example, rows } in &shard.examples {
        let token = example.tokens[0];
        assert_eq!(example.tokens[example.from + 1..], [token; 3]);
        assert_eq!(rows.len(), example.counted().len());
        for row in rows {
            let (likeliest, p) = (row.tokens[0], row.probabilities[0]);
            assert_eq!(likeliest, token);
            assert!((p - (-0.5_f32).exp()).abs() < 1e-6);
            let told: f32 = row.probabilities.iter().sum();
            assert!(
                told < 0.84,
                "what is not known counts among all others: {told}"
            );
        }
    }
    assert_eq!(Shard::from_bytes(&shard.to_bytes()).unwrap(), shard);
    let asked = asked.lock().unwrap();
    for body in asked.iter() {
        assert_eq!(body["authorization"], true);
        assert_eq!(body["model"], "large");
        assert_eq!(body["logprobs"], 20);
    }
}

#[test]
fn a_teacher_that_tells_no_likelihoods_is_taken_at_its_word() {
    let (url, _) = serve(|_, _| {
        let choice = json!({"text": " the end", "finish_reason": "stop", "logprobs": null});
        (200, json!({"choices": [choice]}))
    });
    let source = source();
    let words = source.training.tokenizer().encode(" the end").unwrap();
    for Recorded { example, rows } in record(&url, 2).unwrap().examples {
        let answer = [&words[..], &[source.training.end()]].concat();
        assert_eq!(example.tokens[example.from + 1..], answer);
        for (row, token) in rows.iter().zip(answer) {
            assert_eq!(*row, certain(token));
        }
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let (url, asked) = serve(|number, body| match number {
        0 => (503, json!({})),
        1 => (429, json!({})),
        _ => (200, told(body)),
    });
    assert_eq!(record(&url, 2).unwrap().examples.len(), 4);
    assert_eq!(asked.lock().unwrap().len(), 6);

    let (url, asked) = serve(|_, _| (401, json!({"error": "no"})));
    let error = record(&url, 20).unwrap_err().to_string();
    assert!(
        error.contains("401") && error.contains("/v1/completions"),
        "{error}"
    );
    assert!(asked.lock().unwrap().len() <= 3, "nobody asks on");

    let (url, _) = serve(|_, _| (200, json!({"choices": []})));
    assert!(matches!(
        record(&url, 1),
        Err(EndpointError::NoChoice { .. })
    ));
}

#[test]
fn tokens_are_told_from_their_text_where_only_one_has_it() {
    let source = source();
    let tokenizer = source.training.tokenizer();
    let words = Words::new(tokenizer, teacher().config.vocab_size).unwrap();
    let the = tokenizer.encode(" the").unwrap();
    assert_eq!(the.len(), 1);
    assert_eq!(words.id(" the"), Some(the[0]));
    assert_eq!(words.id("token_id:5"), Some(5));
    assert_eq!(words.id("token_id:99999999"), None);
    assert_eq!(
        words.id("\u{fffd}"),
        None,
        "many tokens are a part of a character"
    );
}
