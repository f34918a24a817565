//! A node that holds a slot, commits to something and answers whatever its adversary tells it to, with real keys,
//! signatures and network: what it costs is what a miner with bad intentions costs.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use athanor_chain::Client;
use athanor_devnet::{development_account, development_pair};
use athanor_model::{
    Checkpoint,
    checkpoint::{FileEntry, MANIFEST, Manifest, TrainingSummary},
};
use athanor_net::{BlobStore, Identity, NetConfig, NetHandle};
use athanor_spec::{
    Answer, Ask, Commitment, Digest, Fetch, Finish, Refusal, Signed, SubnetSpec,
    wire::{Request, Response},
};

use crate::miner::{NETUID, now_ms};

/// The files of a checkpoint by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What an adversary does with a slice that is asked for.
pub(crate) type Tamper = fn(Vec<u8>) -> Vec<u8>;

/// What an adversary answers an ask with; the impostor signs it, whatever it is.
pub(crate) type Answers = fn(&Ask, &Digest) -> Answer;

/// A miner with bad intentions.
pub(crate) struct Adversary {
    /// What it is called; also its key.
    pub(crate) name: &'static str,
    /// The kind of fault that it must be accused of.
    pub(crate) fault: &'static str,
    /// Words that the evidence must have.
    pub(crate) evidence: &'static str,
    /// The manifest that it commits to.
    pub(crate) checkpoint: Digest,
    pub(crate) blobs: BlobStore,
    /// Time that it takes for every slice.
    pub(crate) pause: Duration,
    pub(crate) tamper: Tamper,
    pub(crate) answers: Answers,
}

/// Where adversaries make what they serve.
pub(crate) struct Workshop<'a> {
    pub(crate) directory: &'a Path,
    /// A student that an honest miner could serve.
    pub(crate) honest: &'a Checkpoint,
}

impl Workshop<'_> {
    /// An adversary that serves the honest student with some files changed; the manifest names the changed ones, so that
    /// every byte verifies. What it does beyond is changed afterwards.
    pub(crate) fn adversary(
        &self,
        name: &'static str,
        told: (&'static str, &'static str),
        change: impl FnOnce(&mut Files),
    ) -> Adversary {
        let mut files = Files::new();
        for entry in &self.honest.manifest.files {
            let bytes = fs::read(self.honest.dir.join(&entry.name)).unwrap();
            files.insert(entry.name.clone(), bytes);
        }
        change(&mut files);
        let entries = files.iter().map(entry).collect();
        self.with_manifest(name, told, entries, &files)
    }

    /// An adversary that serves a checkpoint of its own.
    pub(crate) fn of_tensors(
        &self,
        name: &'static str,
        told: (&'static str, &'static str),
        tensors: [u8; 32],
        files: &Files,
    ) -> Adversary {
        let entries = files.iter().map(entry).collect();
        self.commit(name, told, (entries, tensors), files)
    }

    /// An adversary whose manifest lists these files, whatever it has.
    pub(crate) fn with_manifest(
        &self,
        name: &'static str,
        told: (&'static str, &'static str),
        entries: Vec<FileEntry>,
        files: &Files,
    ) -> Adversary {
        let tensors = self.honest.manifest.tensors_digest();
        self.commit(name, told, (entries, tensors), files)
    }

    fn commit(
        &self,
        name: &'static str,
        (fault, evidence): (&'static str, &'static str),
        (entries, tensors): (Vec<FileEntry>, [u8; 32]),
        files: &Files,
    ) -> Adversary {
        let dir = self.directory.join(name);
        fs::create_dir_all(&dir).unwrap();
        // A history of its own, so that no two adversaries commit to one manifest.
        let [a, b, c, d, ..] = *blake3::hash(name.as_bytes()).as_bytes();
        let training = TrainingSummary {
            steps: u32::from_le_bytes([a, b, c, d]).into(),
            ..TrainingSummary::default()
        };
        let manifest = Manifest::new(entries, tensors, None, training).unwrap();
        fs::write(dir.join(MANIFEST), manifest.to_bytes()).unwrap();
        for (name, bytes) in files {
            fs::write(dir.join(name), bytes).unwrap();
        }
        let blobs = BlobStore::open(
            &dir.join(".trees"),
            SubnetSpec::local().limits.max_chunk_bytes,
        )
        .unwrap();
        let checkpoint = blobs.add(&dir.join(MANIFEST)).unwrap();
        for name in files.keys() {
            blobs.add(&dir.join(name)).unwrap();
        }
        Adversary {
            name,
            fault,
            evidence,
            checkpoint,
            blobs,
            pause: Duration::ZERO,
            tamper: |slice| slice,
            answers: plausible,
        }
    }
}

fn entry((name, bytes): (&String, &Vec<u8>)) -> FileEntry {
    FileEntry {
        name: name.clone(),
        bytes: bytes.len() as u64,
        blake3: blake3::hash(bytes).to_hex().to_string(),
    }
}

/// An answer of the right form, drawn from nothing.
pub(crate) fn plausible(ask: &Ask, checkpoint: &Digest) -> Answer {
    Answer {
        request: ask.hash(),
        checkpoint: *checkpoint,
        tokens: (0..u32::from(ask.max_new_tokens))
            .map(|i| 40 + i % 7)
            .collect(),
        finish: Finish::Length,
    }
}

/// A running adversary; dropping it ends its network.
pub(crate) struct Impostor {
    _network: NetHandle,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Impostor {
    /// Listens, announces where, and commits.
    pub(crate) async fn start(adversary: Adversary, spec: &SubnetSpec, chain: &Client) -> Self {
        let pair = development_pair(adversary.name);
        let identity = Identity::from_seed(development_account(adversary.name));
        let peer_key = identity.peer_key();
        let config = NetConfig {
            listen: vec![([127, 0, 0, 1], 0).into()],
            inbound_queue: 64,
            ..NetConfig::new(identity, spec.limits.clone())
        };
        let (_, mut inbound, network) = athanor_net::start(config).await.unwrap();
        let record = Commitment {
            checkpoint: adversary.checkpoint,
            peer_key,
            spec: spec.digest(),
            ..Commitment::default()
        };
        chain
            .set_commitment(pair.clone(), NETUID, &record)
            .await
            .unwrap();
        let address = network.local_addr().unwrap();
        chain
            .serve_axon(pair.clone(), NETUID, address)
            .await
            .unwrap();
        let context = chain.signing_context(NETUID);
        let adversary = Arc::new(adversary);
        let server = tokio::spawn(async move {
            let mut nonce = now_ms() << 20;
            while let Some(asked) = inbound.recv().await {
                let adversary = adversary.clone();
                match asked.request {
                    Request::Ask(ask) => {
                        nonce += 1;
                        let answer = (adversary.answers)(&ask.payload, &adversary.checkpoint);
                        let signed = Signed::new(&pair, &context, answer, now_ms(), 30_000, nonce);
                        asked.reply.send(Response::Answer(signed));
                    }
                    Request::Fetch(fetch) => {
                        // One after the other: a slow one is slow for every slice.
                        tokio::time::sleep(adversary.pause).await;
                        asked.reply.send(adversary.slice(&fetch.payload));
                    }
                    _ => asked.reply.send(Response::Refused(Refusal::UnknownBlob)),
                }
            }
        });
        Self {
            _network: network,
            server,
        }
    }
}

impl Adversary {
    fn slice(&self, fetch: &Fetch) -> Response {
        match self.blobs.slice(fetch) {
            Ok(slice) => Response::Slice((self.tamper)(slice)),
            Err(refusal) => Response::Refused(refusal),
        }
    }
}

/// The file of weights.
pub(crate) fn weights_of(files: &mut Files) -> &mut Vec<u8> {
    files
        .get_mut(athanor_model::checkpoint::WEIGHTS)
        .expect("every student has one file of weights")
}
