//! A node that holds a slot, commits to something and answers whatever its adversary tells it to, with real keys,
//! signatures and network: what it costs is what a miner with bad intentions costs.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use athanor_chain::Client;
use athanor_model::{
    Checkpoint,
    checkpoint::{FileEntry, MANIFEST, Manifest, TrainingSummary, WEIGHTS},
};
use athanor_net::{BlobStore, Identity, NetConfig, NetHandle};
use athanor_spec::{
    Answer, Ask, Commitment, Digest, Fetch, Finish, Refusal, Signed, SubnetSpec,
    wire::{Request, Response},
};
use athanor_validator::signer::now_ms;
use sp_core::{Pair as _, sr25519};

use super::{AttackError, forge};

/// The files of a checkpoint by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// What a misfit does with a slice that is asked for.
pub(super) type Tamper = fn(Vec<u8>) -> Vec<u8>;

/// What a misfit answers an ask with; the impostor signs it, whatever it is.
pub(super) type Answers = Arc<dyn Fn(&Ask, &Digest) -> Answer + Send + Sync>;

/// How long an answer's signature is fresh, in milliseconds.
const ANSWER_WINDOW_MS: u64 = 30_000;
/// Requests that may wait.
const INBOUND: usize = 64;

/// What an impostor commits to, serves and says.
pub struct Misfit {
    /// What it is called.
    pub name: &'static str,
    /// The kind of fault that it must be accused of.
    pub fault: &'static str,
    /// Words that the evidence must have.
    pub evidence: &'static str,
    /// The manifest that it commits to.
    pub checkpoint: Digest,
    pub(super) blobs: BlobStore,
    /// Time that it takes for every slice.
    pub(super) pause: Duration,
    pub(super) tamper: Tamper,
    pub(super) answers: Answers,
}

/// Where misfits make what they serve.
#[derive(Clone, Copy)]
pub struct Workshop<'a> {
    /// Where to put it.
    pub directory: &'a Path,
    /// A student that an honest miner could serve.
    pub honest: &'a Checkpoint,
    /// The rules.
    pub spec: &'a SubnetSpec,
}

impl Workshop<'_> {
    /// A misfit that serves the honest student with some files changed; the manifest names the changed ones, so that every
    /// byte verifies. What it does beyond is changed afterwards.
    pub(super) fn misfit(
        &self,
        name: &'static str,
        told: (&'static str, &'static str),
        change: impl FnOnce(&mut Files) -> Result<(), AttackError>,
    ) -> Result<Misfit, AttackError> {
        let mut files = files_of(self.honest)?;
        change(&mut files)?;
        let entries = files.iter().map(entry).collect();
        self.with_manifest(name, told, entries, &files)
    }

    /// A misfit that serves a checkpoint of its own.
    pub(super) fn of_checkpoint(
        &self,
        name: &'static str,
        told: (&'static str, &'static str),
        made: &Checkpoint,
    ) -> Result<Misfit, AttackError> {
        let files = files_of(made)?;
        let entries = files.iter().map(entry).collect();
        self.commit(
            name,
            told,
            (entries, made.manifest.tensors_digest()),
            &files,
        )
    }

    /// A misfit whose manifest lists these files, whatever it has.
    pub(super) fn with_manifest(
        &self,
        name: &'static str,
        told: (&'static str, &'static str),
        entries: Vec<FileEntry>,
        files: &Files,
    ) -> Result<Misfit, AttackError> {
        let tensors = self.honest.manifest.tensors_digest();
        self.commit(name, told, (entries, tensors), files)
    }

    fn commit(
        &self,
        name: &'static str,
        (fault, evidence): (&'static str, &'static str),
        (entries, tensors): (Vec<FileEntry>, [u8; 32]),
        files: &Files,
    ) -> Result<Misfit, AttackError> {
        let dir = self.directory.join(name);
        fs::create_dir_all(&dir).map_err(|source| AttackError::File {
            path: dir.clone(),
            source,
        })?;
        // A history of its own, so that no two misfits commit to one manifest.
        let [a, b, c, d, ..] = *blake3::hash(name.as_bytes()).as_bytes();
        let training = TrainingSummary {
            steps: u32::from_le_bytes([a, b, c, d]).into(),
            ..TrainingSummary::default()
        };
        let manifest = Manifest::new(entries, tensors, None, training)?;
        forge::write(&dir.join(MANIFEST), &manifest.to_bytes())?;
        for (name, bytes) in files {
            forge::write(&dir.join(name), bytes)?;
        }
        let blobs = BlobStore::open(&dir.join(".trees"), self.spec.limits.max_chunk_bytes)?;
        let checkpoint = blobs.add(&dir.join(MANIFEST))?;
        for name in files.keys() {
            blobs.add(&dir.join(name))?;
        }
        Ok(Misfit {
            name,
            fault,
            evidence,
            checkpoint,
            blobs,
            pause: Duration::ZERO,
            tamper: |slice| slice,
            answers: Arc::new(plausible),
        })
    }
}

fn files_of(checkpoint: &Checkpoint) -> Result<Files, AttackError> {
    checkpoint
        .manifest
        .files
        .iter()
        .map(|entry| {
            let path = checkpoint.dir.join(&entry.name);
            match fs::read(&path) {
                Ok(bytes) => Ok((entry.name.clone(), bytes)),
                Err(source) => Err(AttackError::File { path, source }),
            }
        })
        .collect()
}

fn entry((name, bytes): (&String, &Vec<u8>)) -> FileEntry {
    FileEntry {
        name: name.clone(),
        bytes: bytes.len() as u64,
        blake3: blake3::hash(bytes).to_hex().to_string(),
    }
}

/// The file of that name, which every student has.
pub(super) fn file<'a>(
    files: &'a mut Files,
    name: &'static str,
) -> Result<&'a mut Vec<u8>, AttackError> {
    files.get_mut(name).ok_or(AttackError::NoFile { name })
}

/// The file of weights.
pub(super) fn weights_of(files: &mut Files) -> Result<&mut Vec<u8>, AttackError> {
    file(files, WEIGHTS)
}

/// The configuration, changed and written back.
pub(super) fn with_config(
    files: &mut Files,
    change: impl FnOnce(&mut athanor_model::Config),
) -> Result<(), AttackError> {
    let bytes = file(files, athanor_model::checkpoint::CONFIG)?;
    let mut config = athanor_model::Config::parse(bytes)?;
    change(&mut config);
    *bytes = config.to_json();
    Ok(())
}

/// An answer of the right form, drawn from nothing.
pub(super) fn plausible(ask: &Ask, checkpoint: &Digest) -> Answer {
    Answer {
        request: ask.hash(),
        checkpoint: *checkpoint,
        tokens: (0..u32::from(ask.max_new_tokens))
            .map(|at| 40 + at % 7)
            .collect(),
        finish: Finish::Length,
    }
}

/// A running misfit; dropping it ends its network.
pub struct Impostor {
    _network: NetHandle,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Impostor {
    /// Listens, announces where, and commits. Its peer key is made from `seed`.
    pub async fn start(
        misfit: Misfit,
        hotkey: sr25519::Pair,
        seed: [u8; 32],
        spec: &SubnetSpec,
        chain: &Client,
    ) -> Result<Self, AttackError> {
        let netuid = spec.subnet.netuid;
        let identity = Identity::from_seed(seed);
        let peer_key = identity.peer_key();
        let config = NetConfig {
            listen: vec![([127, 0, 0, 1], 0).into()],
            inbound_queue: INBOUND,
            ..NetConfig::new(identity, spec.limits.clone())
        };
        let (_, mut inbound, network) = athanor_net::start(config).await?;
        let record = Commitment {
            checkpoint: misfit.checkpoint,
            peer_key,
            spec: spec.digest(),
            ..Commitment::default()
        };
        chain
            .set_commitment(hotkey.clone(), netuid, &record)
            .await?;
        if let Some(address) = network.local_addr() {
            chain.serve_axon(hotkey.clone(), netuid, address).await?;
        }
        let context = chain.signing_context(netuid);
        let misfit = Arc::new(misfit);
        tracing::debug!(name = misfit.name, hotkey = %athanor_spec::Hotkey(hotkey.public().0), "an impostor is in place");
        let server = tokio::spawn(async move {
            let mut nonce = now_ms() << 20;
            while let Some(asked) = inbound.recv().await {
                match asked.request {
                    Request::Ask(ask) => {
                        nonce += 1;
                        let answer = (misfit.answers)(&ask.payload, &misfit.checkpoint);
                        let signed = Signed::new(
                            &hotkey,
                            &context,
                            answer,
                            now_ms(),
                            ANSWER_WINDOW_MS,
                            nonce,
                        );
                        asked.reply.send(Response::Answer(signed));
                    }
                    Request::Fetch(fetch) => {
                        // One after the other: a slow one is slow for every slice.
                        tokio::time::sleep(misfit.pause).await;
                        asked.reply.send(misfit.slice(&fetch.payload));
                    }
                    _ => asked.reply.send(Response::Refused(Refusal::UnknownBlob)),
                }
            }
        });
        Ok(Self {
            _network: network,
            server,
        })
    }
}

impl Misfit {
    fn slice(&self, fetch: &Fetch) -> Response {
        match self.blobs.slice(fetch) {
            Ok(slice) => Response::Slice((self.tamper)(slice)),
            Err(refusal) => Response::Refused(refusal),
        }
    }
}
