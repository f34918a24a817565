//! What is read of a request, what is refused, and how answers and errors look on the wire.

use athanor_spec::SubnetSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn shape() -> Shape {
    Shape::of(&SubnetSpec::local())
}

fn read(surface: Surface, body: &Value) -> Result<Request, ApiError> {
    Request::parse(surface, body.to_string().as_bytes(), &shape())
}

/// A chat request with some more fields.
fn chat(more: Value) -> Result<Request, ApiError> {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]});
    merge(&mut body, more);
    read(Surface::Chat, &body)
}

fn completion(more: Value) -> Result<Request, ApiError> {
    let mut body = json!({"model": "m", "prompt": "hello"});
    merge(&mut body, more);
    read(Surface::Completions, &body)
}

fn merge(body: &mut Value, more: Value) {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
}

/// The error's code, parameter and status.
fn refusal(result: Result<Request, ApiError>) -> (String, Option<String>, u16) {
    let error = result.unwrap_err();
    let body = error.body();
    let text = |field: &str| body["error"][field].as_str().map(str::to_owned);
    assert!(text("message").is_some_and(|message| !message.is_empty()));
    (
        text("code").unwrap_or_default(),
        text("param"),
        error.status().as_u16(),
    )
}

#[track_caller]
fn check(result: Result<Request, ApiError>, code: &str, param: &str) {
    assert_eq!(
        refusal(result),
        (code.to_owned(), Some(param.to_owned()), 400)
    );
}

#[test]
fn what_is_left_out_is_as_with_openai() {
    let request = chat(json!({})).unwrap();
    assert_eq!((request.n, request.temperature_milli), (1, 1000));
    assert_eq!(request.max_tokens, shape().most_tokens);
    assert!(!request.stream && !request.include_usage && request.keep);
    assert_eq!(
        (request.seed, request.audit, request.logprobs),
        (None, None, None)
    );
    assert_eq!(completion(json!({})).unwrap().max_tokens, 16);
    // A null is as good as nothing.
    let nulls = json!({"n": null, "stop": null, "seed": null, "logit_bias": null, "audio": null});
    assert_eq!(chat(nulls).unwrap(), request);
}

#[test]
fn everything_that_is_supported_is_read() {
    let request = chat(json!({
        "n": 2, "max_completion_tokens": 20, "max_tokens": 30, "temperature": 0.6, "seed": -7, "stop": ["a", "b"],
        "stream": true, "stream_options": {"include_usage": true}, "logprobs": true, "top_logprobs": 20,
        "return_tokens_as_token_ids": true, "athanor": {"audit": true, "logprobs_of": "teacher"}, "store": false,
        "user": "me", "metadata": {"a": "b"}, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0.0,
        "logit_bias": {}, "tools": [], "response_format": {"type": "text"},
    }))
    .unwrap();
    assert_eq!(
        (request.n, request.max_tokens, request.temperature_milli),
        (2, 20, 600)
    );
    assert_eq!(request.seed, Some(-7));
    assert_eq!(request.stop, ["a", "b"]);
    assert!(request.stream && request.include_usage && request.token_ids && !request.keep);
    assert_eq!(request.logprobs, Some(20));
    assert_eq!(
        (request.audit, request.reference),
        (Some(true), Reference::Teacher)
    );
    let seed = chat(json!({"seed": u64::MAX})).unwrap().seed;
    assert_eq!(seed, Some(-1), "seeds of 64 bits are taken whole");
}

#[test]
fn what_audits_never_use_is_refused_by_name() {
    for (name, value) in [
        ("top_p", json!(0.9)),
        ("presence_penalty", json!(0.1)),
        ("frequency_penalty", json!(-1)),
        ("logit_bias", json!({"5": 100})),
        ("tools", json!([{"type": "function"}])),
        ("response_format", json!({"type": "json_object"})),
        ("reasoning_effort", json!("high")),
        ("modalities", json!(["text", "audio"])),
        ("best_of", json!(3)),
        ("echo", json!(true)),
    ] {
        check(chat(json!({name: value})), "unsupported_parameter", name);
    }
    // A temperature that no audit has would tell users' traffic from audits.
    check(
        chat(json!({"temperature": 0.7})),
        "invalid_value",
        "temperature",
    );
    check(
        chat(json!({"temperature": 0})),
        "invalid_value",
        "temperature",
    );
}

#[test]
fn what_is_wrong_is_named() {
    check(
        chat(json!({"temprature": 1})),
        "unknown_parameter",
        "temprature",
    );
    check(
        chat(json!({"athanor": {"audits": true}})),
        "unknown_parameter",
        "athanor.audits",
    );
    check(chat(json!({"n": 0})), "invalid_value", "n");
    check(chat(json!({"n": 17})), "invalid_value", "n");
    check(
        chat(json!({"max_tokens": 33})),
        "invalid_value",
        "max_tokens",
    );
    check(
        chat(json!({"max_completion_tokens": 0})),
        "invalid_value",
        "max_completion_tokens",
    );
    check(
        chat(json!({"top_logprobs": 5})),
        "invalid_value",
        "top_logprobs",
    );
    check(
        chat(json!({"logprobs": true, "top_logprobs": 21})),
        "invalid_value",
        "top_logprobs",
    );
    check(
        chat(json!({"stop": ["a", "b", "c", "d", "e"]})),
        "invalid_value",
        "stop",
    );
    check(chat(json!({"stop": ""})), "invalid_value", "stop");
    check(
        chat(json!({"stream_options": {"include_usage": true}})),
        "invalid_value",
        "stream_options",
    );
    check(chat(json!({"messages": []})), "invalid_value", "messages");
    check(
        chat(json!({"messages": [{"role": "robot", "content": ""}]})),
        "invalid_value",
        "messages[0].role",
    );
    let image =
        json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]);
    check(
        chat(json!({"messages": image})),
        "invalid_value",
        "messages[0].content",
    );
    check(
        completion(json!({"prompt": [1, 2000]})),
        "invalid_value",
        "prompt",
    );
    check(
        completion(json!({"prompt": vec!["a"; 9], "n": 2})),
        "invalid_value",
        "n",
    );
    let missing = read(Surface::Chat, &json!({"model": "m"}));
    check(missing, "missing_required_parameter", "messages");
    let missing = read(Surface::Completions, &json!({"prompt": "x"}));
    check(missing, "missing_required_parameter", "model");
    let broken = Request::parse(Surface::Chat, b"{\"model\": ", &shape()).unwrap_err();
    assert!(matches!(broken, ApiError::NotJson { .. }));
}

#[test]
fn prompts_come_in_all_four_ways_and_contents_in_parts() {
    let prompts = |prompt: Value| completion(json!({"prompt": prompt})).unwrap().prompts;
    let text = |text: &str| Prompt::Text(text.to_owned());
    assert_eq!(prompts(json!("a")), Prompts::Texts(vec![text("a")]));
    assert_eq!(
        prompts(json!(["a", "b"])),
        Prompts::Texts(vec![text("a"), text("b")])
    );
    let tokens = |tokens: &[u32]| Prompt::Tokens(tokens.to_vec());
    assert_eq!(
        prompts(json!([1, 2])),
        Prompts::Texts(vec![tokens(&[1, 2])])
    );
    assert_eq!(
        prompts(json!([[1], [2]])),
        Prompts::Texts(vec![tokens(&[1]), tokens(&[2])])
    );
    let parts = json!([{"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]);
    let Prompts::Chat(messages) = chat(json!({"messages": parts})).unwrap().prompts else {
        panic!("a conversation");
    };
    assert_eq!(
        (messages[0].role.as_str(), messages[0].content.as_str()),
        ("system", "ab")
    );
}

fn writer(surface: Surface) -> Writer {
    Writer::new(surface, 7, 99, "m".to_owned())
}

fn shown() -> Vec<Shown> {
    vec![Shown {
        token: "hé".to_owned(),
        logprob: -0.5,
        top: vec![("hé".to_owned(), -0.5), ("\u{fffd}".to_owned(), -1.5)],
        offset: 0,
    }]
}

/// Golden: what the official client parses, field by field.
#[test]
fn answers_look_as_openai_s_do() {
    let usage = Usage {
        prompt: 3,
        completion: 2,
    };
    let chat = writer(Surface::Chat);
    let choice = chat.choice(0, "hé", Ended::Stop, Some(&shown()));
    assert_eq!(
        chat.whole(vec![choice], usage, Some("fp_1"), json!({"receipts": []})),
        json!({
            "id": "chatcmpl-00000000000000000000000000000007", "object": "chat.completion", "created": 99, "model": "m",
            "system_fingerprint": "fp_1",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": "hé", "refusal": null},
                "logprobs": {"refusal": null, "content": [{
                    "token": "hé", "logprob": -0.5, "bytes": [104, 195, 169],
                    "top_logprobs": [
                        {"token": "hé", "logprob": -0.5, "bytes": [104, 195, 169]},
                        {"token": "\u{fffd}", "logprob": -1.5, "bytes": null},
                    ],
                }]},
                "finish_reason": "stop",
            }],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            "athanor": {"receipts": []},
        })
    );
    let text = writer(Surface::Completions);
    assert_eq!(
        text.choice(1, "hé", Ended::Length, Some(&shown())),
        json!({
            "index": 1, "text": "hé", "finish_reason": "length",
            "logprobs": {
                "tokens": ["hé"], "token_logprobs": [-0.5], "text_offset": [0],
                "top_logprobs": [{"hé": -0.5, "\u{fffd}": -1.5}],
            },
        })
    );
}

#[test]
fn a_stream_opens_goes_on_and_closes() {
    let chat = writer(Surface::Chat);
    let opening = chat.opening(0).unwrap();
    assert_eq!(opening["object"], "chat.completion.chunk");
    assert_eq!(opening["choices"][0]["delta"]["role"], "assistant");
    let piece = chat.piece(0, "x", None);
    assert_eq!(piece["choices"][0]["delta"], json!({"content": "x"}));
    assert_eq!(piece["choices"][0]["finish_reason"], Value::Null);
    let closing = chat.closing(0, Ended::Length, Some("fp"), json!({"id": "r"}));
    assert_eq!(closing["choices"][0]["delta"], json!({}));
    assert_eq!(closing["choices"][0]["finish_reason"], "length");
    assert_eq!(closing["athanor"]["id"], "r");
    let usage = chat.usage(Usage::default());
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["total_tokens"], 0);
    assert_eq!(writer(Surface::Completions).opening(0), None);
    assert_eq!(
        writer(Surface::Completions).piece(1, "x", None)["choices"][0]["text"],
        "x"
    );
}

proptest! {
    #[test]
    fn no_body_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Request::parse(Surface::Chat, &bytes, &shape());
        let _ = Request::parse(Surface::Completions, &bytes, &shape());
    }

    #[test]
    fn no_value_of_any_parameter_makes_it_panic(
        name in prop::sample::select(vec![
            "model", "messages", "prompt", "n", "max_tokens", "max_completion_tokens", "temperature", "seed", "stop",
            "stream", "stream_options", "logprobs", "top_logprobs", "athanor", "top_p", "modalities", "store",
        ]),
        value in prop_oneof![
            any::<i64>().prop_map(|it| json!(it)),
            any::<f64>().prop_map(|it| json!(it)),
            ".{0,8}".prop_map(|it| json!(it)),
            prop::collection::vec(any::<u32>(), 0..4).prop_map(|it| json!(it)),
            Just(json!({})), Just(json!([{}])), Just(json!({"include_usage": 3})), Just(json!([[]])),
        ],
    ) {
        let _ = chat(json!({name: value.clone()}));
        let _ = completion(json!({name: value}));
    }
}
