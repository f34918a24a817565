//! A validator's gateway over a real socket, with real miners behind it: what OpenAI's clients rely on, and what proves it.

pub(crate) mod service;

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use athanor_distill::{
    endpoint::{Endpoint, EndpointPlan},
    shard::ShardPlan,
    source::Source,
};
use athanor_model::{Checkpoint, DeviceChoice, sampler, scorer::Scorer};
use athanor_scoring::{
    ledger::AskOutcome,
    round::Purpose,
    transcript::{Leaf, Sight, Transcript},
};
use athanor_spec::{Receipt, SubnetSpec};
use athanor_validator::{
    archive::Archive,
    book::Book,
    gateway::{HedgeParams, KeyLimits},
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use service::{ENDLESS, MODEL, Response, Service, Terms, merge};

impl Service {
    async fn chat(&self, more: Value) -> Response {
        self.post("/v1/chat/completions", &chat(more)).await
    }

    async fn complete(&self, more: Value) -> Response {
        let mut body = json!({"model": MODEL, "prompt": "add 2 3", "max_tokens": 32});
        merge(&mut body, more);
        self.post("/v1/completions", &body).await
    }

    fn checkpoint(&self, digest: &str) -> &Checkpoint {
        let known = |one: &&Checkpoint| athanor_spec::Digest(one.digest()).to_string() == digest;
        self.checkpoints.iter().find(known).unwrap()
    }

    /// Holds a receipt against the checkpoint that it names: every token is the draw of the ask's seed.
    fn verify(&self, told: &Value) -> Receipt {
        let bytes = hex::decode(told["receipt"].as_str().unwrap()).unwrap();
        let receipt = Receipt::from_bytes(&bytes, &SubnetSpec::local().limits).unwrap();
        receipt.check(&self.context()).unwrap();
        let (ask, answer) = (&receipt.ask.payload, &receipt.answer.payload);
        assert_eq!(told["miner"], receipt.answer.signer.to_string());
        assert_eq!(told["validator"], receipt.ask.signer.to_string());
        assert_eq!(told["checkpoint"], answer.checkpoint.to_string());
        let model = self.checkpoint(&answer.checkpoint.to_string());
        let scorer = Scorer::load(model, DeviceChoice::Cpu).unwrap();
        let tokens = [&ask.prompt[..], &answer.tokens].concat();
        let logits = scorer.logits(&tokens, ask.prompt.len()).unwrap();
        for (step, token) in answer.tokens.iter().enumerate() {
            let seen = sampler::observe(
                logits.row(step),
                *token,
                ask.temperature(),
                ask.seed,
                step as u32,
            );
            assert!(
                seen.margin < 1e-3,
                "token {step} is {} off its draw",
                seen.margin
            );
        }
        receipt
    }
}

fn chat(more: Value) -> Value {
    let mut body = json!({"model": MODEL, "messages": [{"role": "user", "content": "copy a b c"}]});
    merge(&mut body, more);
    body
}

/// The text of a stream's first answer.
fn said(events: &[Value]) -> String {
    let deltas = events.iter().filter_map(|event| {
        let choice = &event["choices"][0];
        choice["delta"]["content"]
            .as_str()
            .or(choice["text"].as_str())
    });
    deltas.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_served_by_miners_and_every_answer_can_be_checked() {
    let _alone = crate::ONE_SUBNET.lock().await;
    // Without hedges, which would outrun the word that a miner is gone where a machine is slow to give it.
    let terms = Terms {
        hedge: Some(HedgeParams {
            quantile: 0.95,
            share: 0.0,
        }),
        ..Terms::default()
    };
    let service = Service::start_on(2, terms).await;
    who_has_no_business_is_told_so(&service).await;
    answers_come_whole_and_in_pieces_and_prove_themselves(&service).await;
    log_probabilities_are_the_checkpoint_s_own(&service).await;
    a_client_that_hangs_up_frees_its_place(&service).await;
    shares_are_kept_to(&service).await;
    a_student_learns_from_it(&service).await;
    let consented = who_consents_joins_the_audit(&service).await;
    let directory = users_do_not_notice_a_miner_that_is_gone(service).await;
    // What was consented to is in the ledger, and nothing else of users is.
    let book = Book::open(&directory.path().join("validator").join("ledger.redb")).unwrap();
    let archive = Archive::open(directory.path().join("validator").join("transcripts")).unwrap();
    let mut leaves = Vec::new();
    for (head, closed) in book.rounds().unwrap() {
        // A closed round is in its transcript.
        leaves.extend(match closed {
            None => book.leaves(head.round).unwrap(),
            Some(_) => {
                let bytes = std::fs::read(archive.transcript(head.round)).unwrap();
                let limits = SubnetSpec::local().limits;
                Transcript::from_bytes(&bytes, &limits).unwrap().leaves
            }
        });
    }
    let organic: Vec<Leaf> = leaves
        .into_iter()
        .filter(|leaf| leaf.purpose == Purpose::Organic)
        .collect();
    let mut judged = 0;
    for leaf in &organic {
        let (receipt, outcome) = match &leaf.sight {
            Sight::Answered {
                receipt, outcome, ..
            } => (receipt, outcome),
            // A round ended before its replay.
            Sight::OwnTrouble {
                reason,
                receipt: Some(receipt),
            } if reason.starts_with("not judged") => {
                assert!(consented.contains(&hex::encode(receipt.to_bytes())));
                continue;
            }
            _ => panic!("not replayed: {leaf:?}"),
        };
        judged += 1;
        assert!(consented.contains(&hex::encode(receipt.to_bytes())));
        let AskOutcome::Answered { e_value, .. } = outcome else {
            panic!("not answered: {outcome:?}");
        };
        assert!(
            e_value.is_some_and(|e_value| e_value < 1.0),
            "an honest miner: {e_value:?}"
        );
    }
    assert!(judged > 0, "{organic:?}");
}

async fn who_has_no_business_is_told_so(service: &Service) {
    let none = service.ask("GET", "/v1/models", None, "", b"").await;
    none.refused(401, "invalid_api_key");
    assert!(none.headers.contains_key("www-authenticate"));
    let wrong = service
        .ask("GET", "/v1/models", Some("ath-guess"), "", b"")
        .await;
    wrong.refused(401, "invalid_api_key");
    service.get("/v1/nothing").await.refused(404, "unknown_url");
    service
        .get("/v1/chat/completions")
        .await
        .refused(405, "method_not_supported");
    service
        .chat(json!({"model": "gpt-4o"}))
        .await
        .refused(404, "model_not_found");
    service
        .chat(json!({"top_p": 0.5}))
        .await
        .refused(400, "unsupported_parameter");
    let long = "copy ".repeat(400);
    service
        .complete(json!({"prompt": long}))
        .await
        .refused(400, "context_length_exceeded");
    let huge = json!({"prompt": "x".repeat(1 << 20)});
    service
        .complete(huge)
        .await
        .refused(413, "request_too_large");
    let broken = service
        .ask("POST", "/v1/completions", Some(&service.key), "", b"{")
        .await;
    assert_eq!(broken.status, 400, "{}", broken.body);
    // No page in a browser may ask, unless the operator said so.
    let origin = "Origin: https://example.org\r\n";
    let page = service
        .ask("GET", "/v1/models", Some(&service.key), origin, b"")
        .await;
    assert!(!page.headers.contains_key("access-control-allow-origin"));
}

async fn answers_come_whole_and_in_pieces_and_prove_themselves(service: &Service) {
    let whole = service.chat(json!({"seed": 7})).await;
    assert_eq!(whole.status, 200, "{}", whole.body);
    let answer = whole.json();
    let text = answer["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    let told = &answer["athanor"]["receipts"][0];
    let receipt = service.verify(told);
    assert_eq!(
        whole.headers["x-athanor-receipt"],
        told["id"].as_str().unwrap()
    );
    let usage = &answer["usage"];
    assert_eq!(usage["prompt_tokens"], receipt.ask.payload.prompt.len());
    assert_eq!(
        usage["completion_tokens"],
        receipt.answer.payload.tokens.len()
    );

    // The receipt is there again, for its own key only.
    let path = format!("/v1/receipts/{}", told["id"].as_str().unwrap());
    assert_eq!(service.get(&path).await.json(), *told);
    let (other, _) = service.keys.create("other", KeyLimits::default()).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let foreign = service.ask("GET", &path, Some(&other), "", b"").await;
    foreign.refused(404, "receipt_not_found");

    // The same seed, the same answer; also in pieces, and by either way of asking.
    let again = service.chat(json!({"seed": 7})).await.json();
    assert_eq!(again["choices"], answer["choices"]);
    assert_eq!(again["system_fingerprint"], answer["system_fingerprint"]);
    let options = json!({"seed": 7, "stream": true, "stream_options": {"include_usage": true}});
    let stream = service.chat(options).await;
    assert!(stream.headers["content-type"].starts_with("text/event-stream"));
    let mut events = stream.events();
    let counted = events.pop().unwrap();
    assert_eq!(counted["usage"], *usage);
    assert_eq!(counted["choices"], json!([]));
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(said(&events), text);
    let closing = events.last().unwrap();
    assert_eq!(
        closing["choices"][0]["finish_reason"],
        answer["choices"][0]["finish_reason"]
    );
    assert_eq!(
        service.verify(&closing["athanor"]).ask.payload,
        receipt.ask.payload
    );
    let texts = service
        .complete(json!({"prompt": "copy a b c", "seed": 7}))
        .await
        .json();
    assert_eq!(texts["choices"][0]["text"], text);

    // Without a seed, another one each time.
    let free = service.verify(&service.chat(json!({})).await.json()["athanor"]["receipts"][0]);
    assert_ne!(free.ask.payload.seed, receipt.ask.payload.seed);

    // Several answers at once, each with a receipt; and fewer tokens than a miner is ever asked for.
    let several = json!({"n": 3, "max_tokens": 2, "prompt": ["add 1 2", "copy x y"]});
    let several = service.complete(several).await.json();
    assert_eq!(several["choices"].as_array().unwrap().len(), 6);
    for told in several["athanor"]["receipts"].as_array().unwrap() {
        let least = SubnetSpec::local().round.continuation_new_tokens.0;
        assert_eq!(
            u32::from(service.verify(told).ask.payload.max_new_tokens),
            least
        );
    }
    assert!(several["usage"]["completion_tokens"].as_u64().unwrap() <= 12);

    // A stop string ends the text before it.
    let stop: String = text.chars().skip(1).take(2).collect();
    let stopped = service.chat(json!({"seed": 7, "stop": stop})).await.json();
    assert_eq!(
        stopped["choices"][0]["message"]["content"],
        text.split(&stop).next().unwrap()
    );
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    let pieces = service
        .chat(json!({"seed": 7, "stop": stop, "stream": true}))
        .await
        .events();
    assert_eq!(said(&pieces), text.split(&stop).next().unwrap());

    // One miner by its name.
    let models = service.get("/v1/models").await.json();
    for model in &models["data"].as_array().unwrap()[2..] {
        let name = model["id"].as_str().unwrap();
        let answer = service.chat(json!({"model": name})).await.json();
        let miner = answer["athanor"]["receipts"][0]["miner"].as_str().unwrap();
        assert!(name.ends_with(miner), "{name} was answered by {miner}");
        assert_eq!(
            service.get(&format!("/v1/models/{name}")).await.json(),
            *model
        );
    }
}

async fn log_probabilities_are_the_checkpoint_s_own(service: &Service) {
    let asked = json!({"seed": 3, "logprobs": true, "top_logprobs": 20});
    let answer = service.chat(asked.clone()).await.json();
    let choice = &answer["choices"][0];
    let content = choice["logprobs"]["content"].as_array().unwrap();
    let spelt: String = content
        .iter()
        .map(|one| one["token"].as_str().unwrap())
        .collect();
    assert_eq!(choice["message"]["content"], spelt);
    let told = &answer["athanor"]["receipts"][0];
    let receipt = service.verify(told);
    let (ask, tokens) = (&receipt.ask.payload, &receipt.answer.payload.tokens);
    let model = service.checkpoint(told["checkpoint"].as_str().unwrap());
    let scorer = Scorer::load(model, DeviceChoice::Cpu).unwrap();
    let logits = scorer
        .logits(&[&ask.prompt[..], tokens].concat(), ask.prompt.len())
        .unwrap();
    for (place, one) in content.iter().enumerate() {
        let row = logits.row(place);
        let sum: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
        let expected = f64::from(row[tokens[place] as usize]) - sum.ln();
        assert!((one["logprob"].as_f64().unwrap() - expected).abs() < 1e-3);
        assert_eq!(one["top_logprobs"].as_array().unwrap().len(), 20);
    }
    let mut streamed = asked;
    streamed["stream"] = json!(true);
    let events = service.chat(streamed).await.events();
    let pieces = events
        .iter()
        .filter_map(|event| event["choices"][0]["logprobs"]["content"].as_array());
    let pieces: Vec<Value> = pieces.flatten().cloned().collect();
    assert_eq!(pieces, *content);
    assert_eq!(said(&events), spelt);
    // The teacher's opinion of the same tokens is another.
    let teacher = json!({"seed": 3, "logprobs": true, "athanor": {"logprobs_of": "teacher"}});
    let teacher = service.chat(teacher).await.json();
    let other = teacher["choices"][0]["logprobs"]["content"]
        .as_array()
        .unwrap();
    assert_eq!(other.len(), content.len());
    assert_ne!(other[0]["logprob"], content[0]["logprob"]);
}

async fn a_client_that_hangs_up_frees_its_place(service: &Service) {
    let limits = KeyLimits {
        in_flight: 1,
        ..KeyLimits::default()
    };
    let (key, entry) = service.keys.create("hasty", limits).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let body = chat(json!({"stream": true, "n": 8})).to_string();
    let begun = Instant::now();
    for _ in 0..20 {
        let mut stream = service
            .send(
                "POST",
                "/v1/chat/completions",
                Some(&key),
                "",
                body.as_bytes(),
            )
            .await;
        let mut some = [0; 64];
        let read = stream.read(&mut some).await.unwrap();
        assert!(
            some[..read].starts_with(b"HTTP/1.1 200") || some[..read].starts_with(b"HTTP/1.1 429")
        );
        drop(stream);
    }
    loop {
        let body = chat(json!({})).to_string();
        let response = service
            .ask(
                "POST",
                "/v1/chat/completions",
                Some(&key),
                "",
                body.as_bytes(),
            )
            .await;
        if response.status == 200 {
            break;
        }
        response.refused(429, "rate_limit_exceeded");
        assert!(begun.elapsed() < ENDLESS);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A key that is revoked is refused a moment later.
    service.keys.revoke(&entry.id).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let revoked = service.ask("GET", "/v1/models", Some(&key), "", b"").await;
    revoked.refused(401, "invalid_api_key");
}

async fn shares_are_kept_to(service: &Service) {
    let limits = KeyLimits {
        tokens_per_minute: 100,
        ..KeyLimits::default()
    };
    let (key, _) = service.keys.create("small", limits).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let ask = async |body: Value| {
        let body = body.to_string();
        service
            .ask(
                "POST",
                "/v1/chat/completions",
                Some(&key),
                "",
                body.as_bytes(),
            )
            .await
    };
    ask(chat(json!({"n": 16})))
        .await
        .refused(400, "tokens_limit_too_low");
    // Sixteen tokens of prompt and answer at least, so that a minute has no room for ten.
    let mut refused = None;
    for _ in 0..10 {
        let response = ask(chat(json!({}))).await;
        if response.status != 200 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.unwrap();
    refused.refused(429, "rate_limit_exceeded");
    assert!(refused.headers["retry-after"].parse::<u64>().unwrap() > 0);
}

async fn a_student_learns_from_it(service: &Service) {
    let teacher = Checkpoint::open(&service.directory.path().join("teacher")).unwrap();
    let endpoint = Endpoint {
        url: format!("http://{}/v1", service.address),
        model: format!("{MODEL}:best"),
        key: Some(service.key.clone()),
        parallel: 2,
    };
    let shard = tokio::task::spawn_blocking(move || {
        let source = Source::open(&teacher).unwrap();
        let plan = EndpointPlan {
            shard: ShardPlan {
                seed: 1,
                items: 4,
                passages: 0,
                continuations: 4,
            },
            max_new_tokens: 16,
            temperature: 1.0,
        };
        endpoint.record(&source.training, teacher.config.vocab_size, &plan, |_| ())
    });
    let shard = shard.await.unwrap().unwrap();
    assert_eq!(shard.examples.len(), 8);
    for recorded in &shard.examples {
        for row in &recorded.rows {
            let known = row.probabilities.iter().filter(|p| **p > 0.0).count();
            let sum: f32 = row.probabilities.iter().sum();
            assert!(
                known > 1 && (0.05..=1.001).contains(&sum),
                "{known} tokens of {sum}"
            );
        }
    }
}

/// Asks with consent for longer than a round lasts, and returns the receipts.
async fn who_consents_joins_the_audit(service: &Service) -> HashSet<String> {
    let mut receipts = HashSet::new();
    for number in 0..24 {
        let body = match number % 2 {
            0 => json!({"athanor": {"audit": true}}),
            _ => json!({"athanor": {"audit": false}}),
        };
        let answer = service.chat(body).await.json();
        let told = &answer["athanor"]["receipts"][0];
        assert_eq!(told["audit"], number % 2 == 0);
        if number % 2 == 0 {
            receipts.insert(told["receipt"].as_str().unwrap().to_owned());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    receipts
}

async fn users_do_not_notice_a_miner_that_is_gone(mut service: Service) -> tempfile::TempDir {
    let gone = service.miners.remove(0);
    gone.shutdown().await;
    let service = Arc::new(service);
    let mut asked = Vec::new();
    for _ in 0..12 {
        let service = service.clone();
        asked.push(tokio::spawn(async move { service.chat(json!({})).await }));
    }
    for one in asked {
        let response = one.await.unwrap();
        assert_eq!(response.status, 200, "{}", response.body);
    }
    let text = service.metrics.text().unwrap();
    for name in [
        "athanor_gateway_requests_total{endpoint=\"chat\",status=\"200\"}",
        "athanor_gateway_asks_total{decision=\"first\"}",
        "athanor_gateway_asks_total{decision=\"fallback\"}",
        "athanor_gateway_first_token_seconds_bucket",
        "athanor_gateway_requests_in_flight 0",
    ] {
        assert!(text.contains(name), "no {name} in\n{text}");
    }
    Arc::into_inner(service).unwrap().end().await
}
