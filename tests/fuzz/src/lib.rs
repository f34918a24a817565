//! One function per decoder: it must take any bytes without a panic, within bounds, and give back what it took.
//!
//! The fuzz targets call these, and so does the ordinary test that replays the corpus.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use athanor_chain::TimelockedWeights;
use athanor_distill::shard::Shard;
use athanor_model::{
    Config, Manifest, Tensors, Tokenizer,
    checkpoint::delta,
    text::{ChatTemplate, Conversation},
};
use athanor_node::{
    SubnetArgs, WalletArgs,
    backup::{BackupArgs, DataKind},
    signer::policy::Policy,
};
use athanor_scoring::{
    evidence::Calibration, ledger::Record, round::Ledger, transcript::Transcript,
};
use athanor_spec::{
    Ask, Commitment, Digest, Hotkey, NetUid, Receipt, Signed, SigningContext, SubnetSpec,
    wire::{
        AskFrame, BlobRequest, BlobResponse, SpecQuery, SpecResponse, StatusQuery, StatusResponse,
        TranscriptQuery, TranscriptResponse,
    },
};
use athanor_tui::{
    State,
    source::{Lines, recording::Recording},
};
use athanor_validator::gateway::api::{MAX_CHOICES, Prompts, Request, Shape, Surface};
use codec::{Decode, Encode};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};

/// Takes whatever bytes there are.
pub type Decoder = fn(&[u8]);

/// Every decoder by the name of its target and of its part of the corpus.
pub const DECODERS: [(&str, Decoder); 21] = [
    ("backup", backup),
    ("calibration", calibration),
    ("commitment", commitment),
    ("completion", completion),
    ("config", config),
    ("conversation", conversation),
    ("delta", delta),
    ("feed", feed),
    ("manifest", manifest),
    ("message", message),
    ("receipt", receipt),
    ("record", record),
    ("recording", recording),
    ("safetensors", safetensors),
    ("shard", shard),
    ("signing", signing),
    ("spec", spec),
    ("template", template),
    ("timelock", timelock),
    ("tokenizer", tokenizer),
    ("transcript", transcript),
];

/// The limits by which everything is decoded.
static SPEC: LazyLock<SubnetSpec> = LazyLock::new(SubnetSpec::local);

/// What was decoded encodes to bytes that decode to the same.
fn round_trip<M: Decode + Encode + PartialEq + std::fmt::Debug>(mut bytes: &[u8]) {
    if let Ok(message) = M::decode(&mut bytes) {
        assert_eq!(M::decode(&mut &*message.encode()).as_ref(), Ok(&message));
    }
}

/// What peers say to each other: the content of a frame, in whichever protocol.
pub fn message(bytes: &[u8]) {
    round_trip::<Signed<Ask>>(bytes);
    round_trip::<AskFrame>(bytes);
    round_trip::<BlobRequest>(bytes);
    round_trip::<BlobResponse>(bytes);
    round_trip::<StatusQuery>(bytes);
    round_trip::<StatusResponse>(bytes);
    round_trip::<SpecQuery>(bytes);
    round_trip::<SpecResponse>(bytes);
    round_trip::<TranscriptQuery>(bytes);
    round_trip::<TranscriptResponse>(bytes);
}

/// What anybody may have written on chain.
pub fn commitment(bytes: &[u8]) {
    if let Ok(commitment) = Commitment::from_bytes(bytes) {
        assert_eq!(commitment.to_bytes(), bytes);
    }
    if let Ok(record) = athanor_spec::commitment::Record::from_bytes(bytes) {
        assert_eq!(record.to_bytes(), bytes);
    }
}

/// A validator's own records, from a disk that may be damaged.
pub fn record(bytes: &[u8]) {
    if let Ok(record) = Record::from_bytes(bytes) {
        assert!(Record::from_bytes(&record.to_bytes()).is_ok());
    }
}

/// What two hotkeys have signed, from a file that anybody may have written.
pub fn receipt(bytes: &[u8]) {
    if let Ok(receipt) = Receipt::from_bytes(bytes, &SPEC.limits) {
        assert_eq!(receipt.to_bytes(), bytes);
    }
}

/// A validator's round, or the ledger that it began with, from the network.
pub fn transcript(bytes: &[u8]) {
    if let Ok(transcript) = Transcript::from_bytes(bytes, &SPEC.limits) {
        assert_eq!(transcript.to_bytes(), bytes);
        for index in 0..transcript.leaves.len() {
            assert!(transcript.inclusion(index).is_some());
        }
        // Whatever it says can be closed, and leaves a ledger behind it.
        let closed = transcript.close(Ledger::default(), &SPEC);
        assert!(Ledger::from_bytes(&closed.ledger.to_bytes()).is_ok());
    }
    if let Ok(ledger) = Ledger::from_bytes(bytes) {
        assert!(Ledger::from_bytes(&ledger.to_bytes()).is_ok());
    }
}

/// A calibration that somebody was given.
pub fn calibration(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Calibration::from_json(text);
    }
}

/// A subnet's spec.
pub fn spec(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = SubnetSpec::from_toml(text);
    }
}

/// What a daemon, or somebody in its place, says to who watches it. However the stream is cut, it means the same, and a terminal
/// shows it.
pub fn feed(bytes: &[u8]) {
    let whole = Lines::default().push(bytes);
    let (begin, end) = bytes.split_at(bytes.len() / 2);
    let mut cut = Lines::default();
    let parts = cut.push(begin).and_then(|mut said| {
        said.extend(cut.push(end)?);
        Ok(said)
    });
    assert_eq!(whole, parts);
    let mut state = State::new("fuzz".to_owned(), NetUid(1), Default::default(), None);
    for said in whole.unwrap_or_default() {
        state.update(said.update(), std::time::Duration::ZERO);
    }
}

/// Weights that a validator has hidden, from the chain, and what its beacon said.
pub fn timelock(bytes: &[u8]) {
    let (ciphertext, signature) = bytes.split_at(bytes.len().saturating_sub(48));
    let _ = TimelockedWeights::open(ciphertext, signature, &Hotkey([1; 32]));
}

/// `config.json` of a miner's checkpoint.
pub fn config(bytes: &[u8]) {
    if let Ok(config) = Config::parse(bytes) {
        assert!(config.check().is_ok());
    }
}

/// `manifest.json` of a miner's checkpoint: one encoding only.
pub fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(manifest.to_bytes(), bytes);
    }
}

/// The weights of a miner's checkpoint.
pub fn safetensors(bytes: &[u8]) {
    let _ = Tensors::from_safetensors(bytes);
}

/// The longest file that a delta is asked to give, in bytes.
const RESTORED: usize = 1 << 12;

/// What changed between two files of weights. The first half of the input is the file before; the second is the delta's
/// inside, which no mutation would get through the compression, and then the delta as it comes.
pub fn delta(bytes: &[u8]) {
    let (base, inside) = bytes.split_at(bytes.len() / 2);
    let mut packed = ZlibEncoder::new(b"athdelt1".to_vec(), Compression::fast());
    let packed = packed.write_all(inside).and_then(|()| packed.finish());
    for length in [inside.len().min(RESTORED), RESTORED] {
        let _ = delta::apply(base, packed.as_deref().unwrap_or_default(), length);
        let _ = delta::apply(base, inside, length);
    }
    if let Ok(made) = delta::encode(base, inside) {
        let restored = delta::apply(base, &made, inside.len());
        assert_eq!(restored.ok().as_deref(), Some(inside));
    }
}

/// A record of what a teacher said. Its hash is set right, or nothing behind it would be reached.
pub fn shard(bytes: &[u8]) {
    let _ = Shard::from_bytes(bytes);
    let hashed = [bytes, blake3::hash(bytes).as_bytes()].concat();
    if let Ok(shard) = Shard::from_bytes(&hashed) {
        assert_eq!(shard.to_bytes(), hashed);
    }
}

/// `tokenizer.json` of a miner's checkpoint.
pub fn tokenizer(bytes: &[u8]) {
    if let Ok(tokenizer) = Tokenizer::from_json(bytes) {
        let ids = tokenizer.encode("The furnace keeps a steady heat.\n");
        let _ = ids.map(|ids| tokenizer.decode(&ids));
    }
}

/// A request to a chat API.
pub fn conversation(bytes: &[u8]) {
    let _ = Conversation::from_json(bytes);
}

/// The chat template of somebody's model.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(template) = ChatTemplate::parse(text, Default::default())
        && let Ok(conversation) = Conversation::from_json(
            br#"{"messages": [{"role": "user", "content": "What is an athanor?"}]}"#,
        )
    {
        let _ = template.render(&conversation, true, std::time::UNIX_EPOCH);
    }
}

/// A request to a gateway, before it is known who asks. What is taken keeps to the spec's limits.
pub fn completion(bytes: &[u8]) {
    let shape = Shape::of(&SPEC);
    for surface in [Surface::Chat, Surface::Completions] {
        if let Ok(request) = Request::parse(surface, bytes, &shape) {
            let prompts = match &request.prompts {
                Prompts::Chat(_) => 1,
                Prompts::Texts(texts) => texts.len(),
            };
            assert!((1..=MAX_CHOICES).contains(&(prompts * request.n)));
            assert!((1..=shape.most_tokens).contains(&request.max_tokens));
            assert!(
                shape
                    .temperatures_milli
                    .contains(&request.temperature_milli)
            );
        }
    }
}

/// Whose signer it is that [`signing`] asks.
const POLICY: Policy = Policy {
    hotkey: Hotkey([5; 32]),
    context: SigningContext {
        genesis: Digest([7; 32]),
        netuid: NetUid(3),
    },
};

/// What a daemon, or somebody who has its token, wants signed. Nothing is taken for a message and for an extrinsic both.
pub fn signing(bytes: &[u8]) {
    let message = POLICY.message(bytes, 1_700_000_000_000);
    // The pallets' numbers are the chain's: any might be that of a call which is signed.
    let name = |_, _| Some(("SubtensorModule".to_owned(), "set_weights".to_owned()));
    let extrinsic = POLICY.extrinsic(bytes, name, |_| Some(0));
    assert!(message.is_err() || extrinsic.is_err());
}

/// A recording that somebody was given, zipped or plain. A terminal shows it to its end.
pub fn recording(bytes: &[u8]) {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    let zipped = zipped.write_all(bytes).and_then(|()| zipped.finish());
    let parse = |bytes: &[u8]| Recording::parse(Path::new("fuzz"), bytes).ok();
    let plain = parse(bytes);
    // What begins like gzip is unzipped once.
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let zipped = parse(zipped.as_deref().unwrap_or_default());
        let entries = |it: &Option<Recording>| it.as_ref().map(|it| it.entries.clone());
        assert_eq!(entries(&plain), entries(&zipped));
    }
    if let Some(recording) = plain {
        recording.state_at(recording.length());
    }
}

/// The name of the data directory that a backup is unpacked into.
const RESTORED_TO: &str = "data";

/// A backup that somebody has changed: unpacked whole, or nothing is left of it. The input is the archive inside the
/// compression.
pub fn backup(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let file = folder.path().join("backup.tar.gz");
    let mut zipped = GzEncoder::new(Vec::new(), Compression::none());
    let zipped = zipped.write_all(bytes).and_then(|()| zipped.finish());
    if fs::write(&file, zipped.unwrap_or_default()).is_err() {
        return;
    }
    let arguments = BackupArgs {
        file,
        wallet: WalletArgs {
            name: "w".to_owned(),
            hotkey: "h".to_owned(),
            path: folder.path().join("wallets"),
        },
        subnet: SubnetArgs::default(),
        data_dir: Some(folder.path().join(RESTORED_TO)),
        with_hotkey: false,
        force: false,
        json: true,
    };
    let restored = arguments.restore(DataKind {
        daemon: "miner",
        caches: &[],
        usual: |_, _| PathBuf::new(),
    });
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    left.sort();
    let expected: &[&str] = match restored {
        Ok(_) => &["backup.tar.gz", RESTORED_TO],
        Err(_) => &["backup.tar.gz"],
    };
    assert_eq!(left, expected);
}
