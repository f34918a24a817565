//! Where transcripts, ledgers and checkpoints come from: files, the validator itself, or its miners.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use athanor_chain::Client as Chain;
use athanor_model::Checkpoint;
use athanor_net::{AskError, Identity, Library, NetConfig, NetHandle, PeerAddress};
use athanor_scoring::{round::Ledger, transcript::Transcript};
use athanor_spec::{
    Digest, Hotkey, NetUid, Receipt, Round, SigningContext, params::Limits, wire::TranscriptOffer,
};
use sp_core::{Pair as _, sr25519};

use super::{Difference, Grounds, Report, VerifyArgs, VerifyError, on_chain, weights};
use crate::{
    archive::Archive,
    artifacts::{Artifacts, Requirements},
    signer::Signer,
};

/// What is verified.
pub(super) enum Exhibit {
    Receipt(Box<Receipt>),
    Transcript {
        transcript: Box<Transcript>,
        /// Whether the root on chain, which is given, anchors the transcript.
        anchored: Option<(bool, Digest)>,
    },
}

/// The ways to what is needed.
pub(super) struct Source {
    limits: Limits,
    netuid: NetUid,
    given: HashMap<Digest, Arc<Checkpoint>>,
    remote: Option<Remote>,
}

/// A validator that can be asked.
struct Remote {
    chain: Chain,
    /// Keeps the network alive.
    _network: NetHandle,
    library: Library,
    artifacts: Artifacts,
    validator: Hotkey,
    root: Digest,
}

impl Source {
    /// Opens the given checkpoints, and finds the validator if one is named.
    pub(super) async fn open(args: &VerifyArgs, grounds: &Grounds) -> Result<Self, VerifyError> {
        let mut given = HashMap::new();
        for path in &args.artifacts {
            let checkpoint = Checkpoint::open(path).map_err(|source| VerifyError::Checkpoint {
                path: path.clone(),
                source,
            })?;
            given.insert(Digest(checkpoint.digest()), Arc::new(checkpoint));
        }
        let netuid = grounds.spec.subnet.netuid;
        let limits = grounds.spec.limits.clone();
        let remote = match args.validator {
            None => None,
            Some(validator) => Some(find(args, grounds, validator).await?),
        };
        Ok(Self {
            limits,
            netuid,
            given,
            remote,
        })
    }

    /// What binds signatures, as far as the chain was asked.
    pub(super) async fn context(&self) -> Result<Option<SigningContext>, VerifyError> {
        Ok(self
            .remote
            .as_ref()
            .map(|remote| remote.chain.signing_context(self.netuid)))
    }

    /// What is to be verified.
    pub(super) async fn exhibit(
        &mut self,
        args: &VerifyArgs,
        _grounds: &Grounds,
    ) -> Result<Exhibit, VerifyError> {
        let Some(path) = &args.file else {
            let (transcript, anchored) = self.fetch_anchored(args.round).await?;
            return Ok(Exhibit::Transcript {
                transcript: Box::new(transcript),
                anchored,
            });
        };
        let bytes = read(path)?;
        let transcript = match Transcript::from_bytes(&bytes, &self.limits) {
            Ok(transcript) => transcript,
            Err(transcript) => {
                return match Receipt::from_bytes(&receipt_bytes(bytes), &self.limits) {
                    Ok(receipt) => Ok(Exhibit::Receipt(Box::new(receipt))),
                    Err(receipt) => Err(VerifyError::Neither {
                        path: path.clone(),
                        transcript,
                        receipt,
                    }),
                };
            }
        };
        let anchored = match &self.remote {
            None => None,
            Some(remote) => {
                let root = remote.root;
                let anchored = self
                    .anchors(transcript.head.round, transcript.root())
                    .await?;
                Some((anchored, root))
            }
        };
        Ok(Exhibit::Transcript {
            transcript: Box::new(transcript),
            anchored,
        })
    }

    /// The checkpoint with a digest: given, cached, or from the validator; `None` if nobody has it.
    pub(super) async fn checkpoint(&mut self, digest: Digest) -> Option<Arc<Checkpoint>> {
        if let Some(checkpoint) = self.given.get(&digest) {
            return Some(checkpoint.clone());
        }
        let remote = self.remote.as_ref()?;
        match remote
            .artifacts
            .obtain(&remote.library.peer(), digest)
            .await
        {
            Ok(checkpoint) => {
                self.given.insert(digest, checkpoint.clone());
                Some(checkpoint)
            }
            Err(error) => {
                tracing::warn!(%digest, %error, "a checkpoint is not to be had");
                None
            }
        }
    }

    /// Derives the weights of every round that is at hand, and compares them with what the chain holds.
    pub(super) async fn weights(
        &mut self,
        args: &VerifyArgs,
        grounds: &Grounds,
    ) -> Result<Report, VerifyError> {
        // Read before the transcripts: those are on the shelf before their weights are on chain.
        let row = match &self.remote {
            None => None,
            Some(remote) => {
                let rows = remote.chain.weights(self.netuid).await?;
                let metagraph = remote.chain.metagraph(self.netuid).await?;
                let uid = metagraph
                    .by_hotkey(&remote.validator)
                    .map(|neuron| neuron.uid);
                rows.into_iter()
                    .find(|(of, _)| Some(*of) == uid)
                    .map(|(_, row)| row)
            }
        };
        let (ledger, transcripts) = match &args.file {
            Some(dir) => self.line_in(dir)?,
            None => self.fetch_line(args.round).await?,
        };
        let mut derived = weights::rederive(ledger, &transcripts, &grounds.spec);
        let mut report = Report {
            kind: "weights",
            validator: transcripts.first().map(|first| first.head.validator),
            ..Report::default()
        };
        for transcript in &transcripts {
            let mut wrong = super::claims::head(&transcript.head, grounds);
            let plan = grounds.plan(transcript);
            for leaf in &transcript.leaves {
                wrong.extend(super::claims::leaf(
                    transcript,
                    leaf,
                    plan.get(&leaf.key()),
                    grounds,
                ));
            }
            let of_round = |round: &&mut weights::Rederived| round.round == transcript.head.round;
            if let Some(round) = derived.iter_mut().find(of_round) {
                round.differences.extend(wrong);
            }
        }
        if let Some(remote) = &self.remote {
            let shown = derived.iter().any(|round| round.root == remote.root);
            if !shown
                && let Some(last) = derived.last()
                && !self.anchors(last.round, last.root).await?
            {
                report.differences.push(Difference::Root {
                    root: last.root,
                    on_chain: remote.root,
                });
            }
            if let Some(row) = row.filter(|row| !row.is_empty()) {
                let same = derived
                    .iter()
                    .rev()
                    .find(|round| weights::same_row(&round.weights, &row));
                report.on_chain = same.map(|round| round.round);
                if report.on_chain.is_none() {
                    report.differences.push(Difference::Weights);
                }
            }
            report.anchored = Some(report.differences.is_empty());
        }
        report.weights = derived.into_iter().map(Into::into).collect();
        Ok(report)
    }

    /// The ledger on which a round was closed, as its transcript names it; `None` if it is not at hand and does not follow
    /// from what is.
    pub(super) async fn ledger_of(
        &mut self,
        args: &VerifyArgs,
        transcript: &Transcript,
        grounds: &Grounds,
    ) -> Option<Ledger> {
        let head = &transcript.head;
        if Ledger::default().digest() == head.ledger {
            return Some(Ledger::default());
        }
        let mut lines = Vec::new();
        // A bare name has an empty parent.
        let dir = args.file.as_ref().and_then(|file| file.parent());
        if let Some(dir) = dir.filter(|dir| !dir.as_os_str().is_empty()) {
            lines.push(self.line_in(dir));
        }
        if self.remote.is_some() {
            lines.push(self.fetch_line(Some(head.round)).await);
        }
        // What leads to another ledger, a line of another spec among it, says nothing of this round.
        lines.into_iter().flatten().find_map(|(first, line)| {
            let before = line.iter().filter(|of| of.head.round < head.round);
            let ledger = before.fold(first, |ledger, of| of.close(ledger, &grounds.spec).ledger);
            (ledger.digest() == head.ledger).then_some(ledger)
        })
    }

    /// The transcripts in a directory, from the oldest that has its ledger beside it, and that ledger.
    fn line_in(&self, dir: &Path) -> Result<(Ledger, Vec<Transcript>), VerifyError> {
        let archive = Archive::open(dir.to_owned()).map_err(|error| VerifyError::File {
            path: error.path,
            source: error.source,
        })?;
        let rounds = archive.rounds().map_err(|error| VerifyError::File {
            path: error.path,
            source: error.source,
        })?;
        let first = rounds.iter().find(|round| archive.ledger(**round).exists());
        let first = *first.ok_or(VerifyError::NoLedger)?;
        let ledger = read_ledger(&archive.ledger(first))?;
        let mut transcripts = Vec::new();
        for round in rounds.into_iter().filter(|round| *round >= first) {
            let path = archive.transcript(round);
            transcripts.push(self.decode(&path)?);
        }
        Ok((ledger, transcripts))
    }

    fn decode(&self, path: &Path) -> Result<Transcript, VerifyError> {
        let bytes = read(path)?;
        Transcript::from_bytes(&bytes, &self.limits).map_err(|transcript| VerifyError::Neither {
            path: path.to_owned(),
            transcript,
            receipt: athanor_spec::receipt::DecodeReceiptError::Malformed,
        })
    }

    /// The transcripts up to a round, from the newest before it that has its ledger kept.
    async fn fetch_line(
        &mut self,
        last: Option<Round>,
    ) -> Result<(Ledger, Vec<Transcript>), VerifyError> {
        let mut line = Vec::new();
        let mut offer = self.offer(last).await?;
        loop {
            line.push(self.fetch(&offer).await?);
            if let Some((digest, bytes)) = offer.ledger {
                let path = self.fetch_blob(digest, bytes).await?;
                line.reverse();
                return Ok((read_ledger(&path)?, line));
            }
            offer = self.earlier(offer).await?.ok_or(VerifyError::NoLedger)?;
        }
    }

    /// The transcript of a round, and whether the root on chain anchors it.
    async fn fetch_anchored(
        &mut self,
        round: Option<Round>,
    ) -> Result<(Transcript, Option<(bool, Digest)>), VerifyError> {
        let offer = self.offer(round).await?;
        let transcript = self.fetch(&offer).await?;
        let anchored = self
            .anchors(transcript.head.round, transcript.root())
            .await?;
        let on_chain = self.remote.as_ref().map(|remote| (anchored, remote.root));
        Ok((transcript, on_chain))
    }

    /// Whether the root on chain is this one, or that of a later transcript whose line leads back to it.
    async fn anchors(&self, round: Round, root: Digest) -> Result<bool, VerifyError> {
        let Some(remote) = &self.remote else {
            return Ok(false);
        };
        if remote.root == root {
            return Ok(true);
        }
        let mut wanted = remote.root;
        let mut offer = self.offer(None).await?;
        while offer.round > round {
            let transcript = self.fetch(&offer).await?;
            // Rounds after the last commitment are not on chain yet.
            if transcript.root() == wanted {
                match transcript.head.previous {
                    Some(previous) if previous == root => return Ok(true),
                    Some(previous) => wanted = previous,
                    None => return Ok(false),
                }
            }
            match self.earlier(offer).await? {
                Some(earlier) => offer = earlier,
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    fn remote(&self) -> Result<&Remote, VerifyError> {
        self.remote.as_ref().ok_or(VerifyError::NoLedger)
    }

    async fn offer(&self, round: Option<Round>) -> Result<TranscriptOffer, VerifyError> {
        let validator = self.remote()?.validator;
        self.ask(round)
            .await?
            .ok_or(VerifyError::NotKept { validator, round })
    }

    async fn ask(&self, round: Option<Round>) -> Result<Option<TranscriptOffer>, VerifyError> {
        let remote = self.remote()?;
        let asked = remote.library.offer(round).await;
        asked.map_err(|source| remote.silent(source))
    }

    /// The newest transcript before another.
    async fn earlier(&self, than: TranscriptOffer) -> Result<Option<TranscriptOffer>, VerifyError> {
        let remote = self.remote()?;
        let asked = remote.library.earlier(&than).await;
        asked.map_err(|source| remote.silent(source))
    }

    async fn fetch(&self, offer: &TranscriptOffer) -> Result<Transcript, VerifyError> {
        let path = self.fetch_blob(offer.blob, offer.bytes).await?;
        let bytes = read(&path)?;
        Transcript::from_bytes(&bytes, &self.limits).map_err(|source| VerifyError::Transcript {
            validator: self
                .remote
                .as_ref()
                .map_or(Hotkey([0; 32]), |remote| remote.validator),
            round: offer.round,
            source,
        })
    }

    async fn fetch_blob(&self, blob: Digest, bytes: u64) -> Result<PathBuf, VerifyError> {
        let bound = bytes.min(Transcript::MAX_BYTES as u64);
        Ok(self.remote()?.library.blob(blob, bound).await?)
    }
}

impl Remote {
    fn silent(&self, source: AskError) -> VerifyError {
        VerifyError::Ask {
            validator: self.validator,
            source,
        }
    }
}

async fn find(
    args: &VerifyArgs,
    grounds: &Grounds,
    validator: Hotkey,
) -> Result<Remote, VerifyError> {
    let netuid = grounds.spec.subnet.netuid;
    let limits = grounds.spec.limits.clone();
    std::fs::create_dir_all(&args.cache).map_err(|source| VerifyError::File {
        path: args.cache.clone(),
        source,
    })?;
    let chain = Chain::open(args.subtensor.endpoints.clone()).await?;
    let not_found = VerifyError::NotFound { validator, netuid };
    let Some((neuron, root)) = on_chain(&chain, netuid, &validator).await? else {
        return Err(not_found);
    };
    let (Some(addr), Some((commitment, _))) = (neuron.axon, neuron.commitment) else {
        return Err(not_found);
    };
    let requirements = Checkpoint::open(&args.teacher)
        .and_then(|teacher| Requirements::of(&grounds.spec, &teacher))
        .map_err(|source| VerifyError::Checkpoint {
            path: args.teacher.clone(),
            source,
        })?;
    // Nobody need be anybody to verify: keys that are made for this, and forgotten.
    let (pair, seed) = sr25519::Pair::generate();
    let mut identity = [0; 32];
    identity.copy_from_slice(&seed[..32]);
    let identity = Identity::from_seed(*blake3::hash(&identity).as_bytes());
    let signer = Signer::new(pair, chain.signing_context(netuid));
    let (net, _, network) = athanor_net::start(NetConfig::new(identity, limits)).await?;
    let artifacts = Artifacts::new(
        args.cache.join("checkpoints"),
        net.clone(),
        signer.clone(),
        requirements,
    )?;
    let peer = PeerAddress {
        peer_key: commitment.peer_key,
        addr,
    };
    let sign = Arc::new(move |fetch| signer.sign(fetch));
    Ok(Remote {
        chain,
        _network: network,
        library: Library::new(net, peer, sign, &args.cache),
        artifacts,
        validator,
        root,
    })
}

fn read_ledger(path: &Path) -> Result<Ledger, VerifyError> {
    Ledger::from_bytes(&read(path)?).map_err(|source| VerifyError::Ledger {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of a receipt as a gateway's client may have kept it: as they are, in hexadecimal digits, or in JSON.
fn receipt_bytes(bytes: Vec<u8>) -> Vec<u8> {
    let json = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    let named = json.as_ref().and_then(|json| json["receipt"].as_str());
    let text = named.or_else(|| std::str::from_utf8(&bytes).ok());
    text.and_then(|text| hex::decode(text.trim()).ok())
        .unwrap_or(bytes)
}

/// A file's bytes.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, VerifyError> {
    std::fs::read(path).map_err(|source| VerifyError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_however_it_was_kept() {
        let check = |kept: &[u8]| assert_eq!(receipt_bytes(kept.to_vec()), [1, 0xab]);
        check(&[1, 0xab]);
        check(b"01ab\n");
        check(br#"{"id": "x", "receipt": "01ab"}"#);
    }
}
