//! Writes what honest peers send into the corpus of tests/fuzz, for the fuzzers to begin with.

use std::{fs, io, path::Path};

use athanor_distill::{
    shard::{KEPT, Recorded, Shard, Top},
    stream::Example,
};
use athanor_model::{HostTensor, Precision, Tensors};
use athanor_scoring::{
    allocate::ChainLimits,
    evidence::TokenObservation,
    fidelity::FidelitySums,
    ledger::{AskOutcome, FaultKind, Load, Pace, Record},
    round::{Artifact, Ledger, Purpose, SeenMiner},
    transcript::{Continuation, Failure, Head, Leaf, Sight, Times, Transcript},
};
use athanor_spec::{
    Account, Answer, Ask, BlockNumber, Commitment, DeltaOffer, DeltaQuery, Digest, Epoch, Fetch,
    Finish, Hotkey, NetUid, Receipt, Refusal, Round, Signed, Uid,
    wire::{AskFrame, BlobRequest, BlobResponse},
};
use codec::Encode;

fn main() -> io::Result<()> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let write = |decoder: &str, name: &str, bytes: &[u8]| {
        let dir = package.join("fuzz/corpus").join(decoder);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(format!("honest-{name}")), bytes)
    };
    write("message", "ask", &signed(ask()).encode())?;
    let (blob, base) = (Digest([2; 32]), Digest([3; 32]));
    let fetch = Fetch {
        blob,
        offset: 1 << 20,
        len: 1 << 18,
    };
    let query = DeltaQuery { file: blob, base };
    let answer = Answer {
        request: ask().hash(),
        checkpoint: blob,
        tokens: vec![7; 12],
        finish: Finish::Stop,
    };
    let refusal = Refusal::Overloaded {
        retry_after_ms: 250,
    };
    for (name, frame) in [
        ("tokens", AskFrame::Tokens(vec![1, 2, 3])),
        ("answer", AskFrame::Done(signed(answer.clone()))),
        ("refusal", AskFrame::Refused(refusal)),
    ] {
        write("message", name, &frame.encode())?;
    }
    for (name, request) in [
        ("fetch", BlobRequest::Fetch(signed(fetch))),
        ("delta", BlobRequest::Delta(signed(query))),
    ] {
        write("message", name, &request.encode())?;
    }
    for (name, response) in [
        ("slice", BlobResponse::Slice(vec![5; 40])),
        ("offer", BlobResponse::Delta(DeltaOffer { blob, bytes: 9 })),
    ] {
        write("message", name, &response.encode())?;
    }
    let commitment = Commitment {
        checkpoint: blob,
        peer_key: base,
        transcript_root: Digest([4; 32]),
        spec: Digest([5; 32]),
    };
    write("commitment", "miner", &commitment.to_bytes())?;
    write("record", "empty", &Record::new(Epoch(7)).to_bytes())?;
    let receipt = Receipt {
        ask: signed(ask()),
        answer: signed(answer.clone()),
    };
    write("receipt", "answered", &receipt.to_bytes())?;
    write("transcript", "round", &transcript(receipt).to_bytes())?;
    write("transcript", "ledger", &Ledger::default().to_bytes())?;
    let (before, after) = (weights(0.5), weights(0.5001));
    write("safetensors", "weights", &before)?;
    write("delta", "weights", &[before, after].concat())?;
    let shard = shard().to_bytes();
    write("shard", "example", &shard[..shard.len() - 32])?;
    for (decoder, name, path) in [
        ("calibration", "shipped", "scoring/data/calibration.json"),
        ("spec", "local", "subnet-spec/subnet.toml"),
        ("config", "teacher", "distill/teacher/config.json"),
        ("manifest", "teacher", "distill/teacher/manifest.json"),
        ("template", "turns", "model/tests/fixtures/chat/turns.jinja"),
        ("template", "tools", "model/tests/fixtures/chat/tools.jinja"),
        (
            "template",
            "thoughts",
            "model/tests/fixtures/chat/thoughts.jinja",
        ),
        (
            "config",
            "qwen3",
            "model/tests/fixtures/families/qwen3/config.json",
        ),
        (
            "config",
            "yarn",
            "model/tests/fixtures/families/llama-yarn/config.json",
        ),
    ] {
        write(decoder, name, &fs::read(package.join("..").join(path))?)?;
    }
    write(
        "conversation",
        "tools",
        br#"{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "chat_template_kwargs": {"think": false}}"#,
    )?;
    write(
        "tokenizer",
        "words",
        br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 0, "content": "</s>", "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": true}], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": null, "decoder": null, "model": {"type": "WordLevel", "vocab": {"</s>": 0, "the": 1, "heat": 2}, "unk_token": "</s>"}}"#,
    )
}

fn ask() -> Ask {
    Ask {
        prompt: vec![1, 2, 3, 400],
        max_new_tokens: 64,
        temperature_milli: 700,
        seed: 42,
    }
}

/// Signed by nobody: what a signature says is for others to check.
fn signed<T>(payload: T) -> Signed<T> {
    Signed {
        payload,
        signer: Hotkey([1; 32]),
        issued_ms: 1_700_000_000_000,
        expires_ms: 1_700_000_010_000,
        nonce: 5,
        signature: [6; 64],
    }
}

/// A round of one miner, with an ask of each kind.
fn transcript(receipt: Receipt) -> Transcript {
    let account = Account {
        hotkey: Hotkey([7; 32]),
        registered_at: BlockNumber(3),
    };
    let head = Head {
        genesis: Digest([1; 32]),
        netuid: NetUid(1),
        spec: Digest([2; 32]),
        calibration: Digest([3; 32]),
        validator: Hotkey([1; 32]),
        round: Round(9),
        first_block: BlockNumber(90),
        block_hash: Digest([4; 32]),
        ask_blocks: 14,
        seed: [5; 32],
        proof: vec![6; 96],
        limits: ChainLimits::NONE,
        previous: Some(Digest([7; 32])),
        ledger: Digest([8; 32]),
        miners: vec![SeenMiner {
            account,
            uid: Uid(2),
            peer_key: Digest([9; 32]),
            checkpoint: Digest([2; 32]),
            committed_at: BlockNumber(80),
            previous: None,
            asks: 3,
            artifact: Artifact::Fetched {
                tensors: Digest([10; 32]),
            },
        }],
    };
    let reference = Continuation {
        tokens: vec![4, 5],
        finish: Finish::Stop,
    };
    let times = Times {
        first_token_ms: 20,
        elapsed_ms: 90,
        own_ms: 0,
    };
    let fidelity = FidelitySums::default();
    let sights = [
        Sight::OwnTrouble {
            reason: "the teacher did not continue the prompt".to_owned(),
            receipt: None,
        },
        Sight::Failed {
            ask: receipt.ask.clone(),
            failure: Failure {
                reason: "the answer is to another ask".to_owned(),
                fault: Some(FaultKind::BadAnswer),
                answer: Some(receipt.answer.clone()),
            },
            times,
            reference: reference.clone(),
            outcome: AskOutcome::Failed {
                fidelity,
                checkable: false,
                load: None,
            },
        },
        Sight::Unopened {
            receipt: receipt.clone(),
            times,
            outcome: AskOutcome::Unopened {
                service: Some(0.5),
                pace: Pace::default(),
            },
        },
        Sight::FailedUnopened {
            ask: receipt.ask.clone(),
            failure: Failure {
                reason: "no answer within 8000 ms".to_owned(),
                fault: None,
                answer: None,
            },
            times,
            outcome: AskOutcome::Unopened {
                service: None,
                pace: Pace::default(),
            },
        },
        Sight::Answered {
            receipt,
            times,
            reference,
            tokens: vec![
                TokenObservation {
                    margin: 0.0,
                    gap: 1.0
                };
                12
            ],
            outcome: AskOutcome::Answered {
                e_value: Some(0.5),
                fidelity,
                credit: Some(1.0),
                liveliness: 1.0,
                service: 1.0,
                pace: Pace {
                    tokens: 12,
                    elapsed_ms: 40,
                    load: Load::Counted {
                        probe: 0,
                        arrived: 12,
                    },
                },
            },
        },
    ];
    let leaves = (0..).zip(sights).map(|(index, sight)| Leaf {
        account,
        purpose: Purpose::Audit,
        index,
        shared: None,
        sight,
    });
    Transcript::new(head, leaves.collect())
}

fn weights(value: f32) -> Vec<u8> {
    let tensor = HostTensor {
        shape: vec![2, 3],
        data: vec![value, -value, 0.0, 1.0, 2.0 * value, -3.0],
    };
    let mut tensors = Tensors::new();
    tensors.insert("model.norm.weight", tensor);
    tensors.to_safetensors(Precision::F16)
}

fn shard() -> Shard {
    let row = Top {
        tokens: [3; KEPT],
        probabilities: [0.25; KEPT],
    };
    let example = Example {
        family: None,
        tokens: vec![1, 2, 3, 4],
        from: 1,
    };
    let rows = example.counted().map(|_| row.clone()).collect();
    Shard {
        teacher: [8; 32],
        vocab: 4096,
        temperature: 1.0,
        examples: vec![Recorded { example, rows }],
    }
}
