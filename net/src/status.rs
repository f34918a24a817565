//! What a node says about itself to anybody, and asking it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use athanor_spec::{
    Digest, PROTOCOL_VERSION, Refusal, Round, SubnetSpec,
    params::Limits,
    wire::{
        self, NodeKind, SpecQuery, SpecResponse, Status, StatusQuery, StatusResponse,
        TranscriptOffer, TranscriptQuery, TranscriptResponse,
    },
};
use tokio::sync::watch;

use crate::{
    AskError, Client, CodecError, Identity, NetConfig, PeerAddress, client::Bounds, clock,
};

/// How long a peer may take to send a spec, where several are asked for it.
const SPEC_WITHIN: Duration = Duration::from_secs(5);

/// The changing part of a node's status, which its server keeps true through [`crate::NetHandle::serving`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// Manifest digest of the checkpoint that answers come from.
    pub checkpoint: Option<Digest>,
    /// Asks that would be taken up at once.
    pub free_slots: u32,
}

/// What the network needs to describe its node without asking anybody.
pub(crate) struct About {
    pub(crate) kind: NodeKind,
    /// Digest of the spec that this node follows, if it says so.
    pub(crate) spec: Option<Digest>,
    pub(crate) specs: watch::Receiver<Specs>,
    pub(crate) serving: watch::Receiver<Serving>,
    pub(crate) transcripts: watch::Receiver<Transcripts>,
}

/// The transcripts that a node keeps, which it changes through [`crate::NetHandle::transcripts`].
pub type Transcripts = BTreeMap<Round, TranscriptOffer>;

/// The texts of the specs that a node shows, by digest: the one that it follows, and others that it holds, such as one that
/// is announced. It changes them through [`crate::NetHandle::specs`].
pub type Specs = BTreeMap<Digest, Arc<str>>;

impl About {
    pub(crate) fn status(&self) -> Status {
        let serving = *self.serving.borrow();
        Status {
            kind: self.kind,
            version: PROTOCOL_VERSION,
            spec: self.spec,
            checkpoint: serving.checkpoint,
            free_slots: serving.free_slots,
            time_ms: clock::now_ms(),
        }
    }

    /// Where the transcript of a round is, or of the last, if it is kept here.
    pub(crate) fn transcript(&self, round: Option<Round>) -> Option<TranscriptOffer> {
        let transcripts = self.transcripts.borrow();
        match round {
            Some(round) => transcripts.get(&round).copied(),
            None => transcripts.last_key_value().map(|(_, offer)| *offer),
        }
    }

    /// The text of the spec with a digest, if this node shows it.
    pub(crate) fn spec(&self, digest: &Digest) -> Option<String> {
        self.specs.borrow().get(digest).map(|text| text.to_string())
    }
}

impl Client {
    /// What a peer says about itself: its checkpoint, its free capacity, its clock. Unsigned: the connection proves who
    /// says it, and nothing that carries pay may rest on it. Cheap for both sides, and rate-limited by the peer.
    pub async fn status(&self, peer: &PeerAddress, within: Duration) -> Result<Status, AskError> {
        let bounds = Bounds {
            request: wire::MAX_STATUS_BYTES,
            response: wire::MAX_STATUS_BYTES,
        };
        let query = StatusQuery {
            time_ms: clock::now_ms(),
        };
        let response = self
            .exchange(peer, wire::STATUS_PROTOCOL, &query, bounds, within)
            .await?;
        match response {
            StatusResponse::Status(status) => {
                self.hear_clock(peer, status.time_ms);
                Ok(status)
            }
            StatusResponse::Refused(refusal) => Err(self.refused(peer, refusal)),
        }
    }

    /// The subnet's spec with a digest, from a peer that has it; what it sends is held against the digest.
    pub async fn spec(
        &self,
        peer: &PeerAddress,
        digest: Digest,
        within: Duration,
    ) -> Result<SubnetSpec, AskError> {
        let bounds = Bounds {
            request: wire::MAX_STATUS_BYTES,
            response: wire::MAX_SPEC_BYTES,
        };
        let query = SpecQuery { digest };
        let response = self
            .exchange(peer, wire::SPEC_PROTOCOL, &query, bounds, within)
            .await?;
        match response {
            SpecResponse::Toml(text) => checked(&text, &digest).map_err(AskError::Malformed),
            SpecResponse::Refused(refusal) => Err(self.refused(peer, refusal)),
        }
    }

    /// As [`Client::spec`], from the first of several peers that has it; `None` if none of them does. From then on others
    /// can have it from here, if `shown` is this node's table.
    pub async fn learn_spec(
        &self,
        peers: &[PeerAddress],
        digest: Digest,
        shown: &watch::Sender<Specs>,
    ) -> Option<SubnetSpec> {
        for peer in peers {
            match self.spec(peer, digest, SPEC_WITHIN).await {
                Ok(spec) => {
                    shown.send_modify(|specs| {
                        specs.insert(digest, spec.to_toml().into());
                    });
                    return Some(spec);
                }
                Err(error) => tracing::debug!(%error, peer = %peer.addr, "has not the spec"),
            }
        }
        None
    }
}

/// As [`Client::learn_spec`], by a node that is started for nothing else: for who holds no spec by which it could start.
/// `None` also where there is no network.
pub async fn fetch_spec(
    limits: &Limits,
    peers: Vec<(Digest, SocketAddr)>,
    digest: Digest,
) -> Option<SubnetSpec> {
    let peers: Vec<PeerAddress> = peers.into_iter().map(PeerAddress::from).collect();
    let config = NetConfig::new(Identity::random(), limits.clone());
    let (client, _inbound, net) = match crate::start(config).await {
        Ok(started) => started,
        Err(error) => {
            tracing::warn!(%error, "peers cannot be asked for the spec in force");
            return None;
        }
    };
    let spec = client.learn_spec(&peers, digest, &net.specs()).await;
    net.shutdown().await;
    spec
}

impl Client {
    /// Where a validator keeps the transcript of a round, or of the last one that it closed; `None` when it keeps none.
    /// A claim: what is fetched by it is held against the root on chain.
    pub async fn transcript(
        &self,
        peer: &PeerAddress,
        round: Option<Round>,
        within: Duration,
    ) -> Result<Option<TranscriptOffer>, AskError> {
        let bounds = Bounds {
            request: wire::MAX_TRANSCRIPT_OFFER_BYTES,
            response: wire::MAX_TRANSCRIPT_OFFER_BYTES,
        };
        let query = TranscriptQuery { round };
        let response = self
            .exchange(peer, wire::TRANSCRIPT_PROTOCOL, &query, bounds, within)
            .await?;
        match response {
            TranscriptResponse::Offer(offer) if round.is_none_or(|round| round == offer.round) => {
                Ok(Some(offer))
            }
            TranscriptResponse::Offer(_) => Err(AskError::WrongKind),
            TranscriptResponse::Refused(Refusal::UnknownBlob) => Ok(None),
            TranscriptResponse::Refused(refusal) => Err(self.refused(peer, refusal)),
        }
    }
}

/// The spec that a text is, if it has the digest.
pub(crate) fn checked(text: &str, digest: &Digest) -> Result<SubnetSpec, CodecError> {
    SubnetSpec::from_toml(text)
        .ok()
        .filter(|spec| spec.digest() == *digest)
        .ok_or(CodecError::OtherSpec)
}
