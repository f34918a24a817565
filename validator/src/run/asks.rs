//! From an ask that is due to a leaf on disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use athanor_scoring::{
    goodput,
    round::{Artifact, Purpose},
    transcript::Leaf,
};
use athanor_spec::{Digest, Hotkey, Round};
use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::Loop;
use crate::{
    book::{Account, BookError},
    config::RunError,
    finding::{ArtifactResult, AskContext, Finding, SharedArtifact},
    moment::Moment,
    plan::PlannedAsk,
    round::RoundMiner,
};

impl Loop {
    /// The checkpoint of a miner, fetched once however many asks wait for it.
    pub(super) fn fetch(&mut self, miner: &RoundMiner, digest: Digest) -> SharedArtifact {
        let (artifacts, peer) = (self.artifacts.clone(), miner.peer);
        let entry = self.fetched.entry((miner.account, digest));
        let shared = entry.or_insert_with(|| {
            let fetch = async move {
                artifacts
                    .obtain(&peer, digest)
                    .await
                    .map_err(std::sync::Arc::new)
            };
            let shared = fetch.boxed().shared();
            // Started at once: the first asks should not wait for the transfer.
            drop(tokio::spawn(shared.clone()));
            shared
        });
        shared.clone()
    }

    /// Fetches what a miner committed to, and notes what became of it: who committed first should be on record even if
    /// this process does not live to see the round's end.
    pub(super) fn fetch_committed(&mut self, round: Round, miner: &RoundMiner) {
        let shared = self.fetch(miner, miner.checkpoint);
        let (book, account) = (self.book.clone(), miner.account);
        tokio::spawn(async move {
            let artifact = artifact(&shared.await);
            let noted = tokio::task::spawn_blocking(move || book.saw(round, &account, &artifact));
            if let Ok(Err(error)) = noted.await {
                tracing::error!(%error, "cannot write the ledger");
            }
        });
    }

    /// Sends the asks that are due. A load probe that its miner cannot bear now is not made: its asks go out one by one. The
    /// one of all miners has one moment at which their tokens are counted.
    pub(super) fn dispatch_all(&mut self, mut due: Vec<PlannedAsk>) {
        let params = &self.config.spec.service;
        let loaded: BTreeSet<Hotkey> = due
            .iter()
            .filter(|planned| planned.load.is_some())
            .map(|planned| planned.miner)
            .filter(|miner| !self.pressure.bears_load(miner, params))
            .collect();
        for planned in &mut due {
            if loaded.contains(&planned.miner) {
                planned.load = None;
            }
        }
        let is_joint = |planned: &PlannedAsk| planned.load.is_some_and(goodput::is_joint);
        let window = Duration::from_millis(goodput::window_ms(&self.config.spec).into());
        let moment = due
            .iter()
            .any(is_joint)
            .then(|| Moment::after(window, &self.stalls));
        for planned in due {
            let moment = moment.clone().filter(|_| is_joint(&planned));
            self.dispatch(planned, moment);
        }
    }

    /// Sends an ask.
    fn dispatch(&mut self, planned: PlannedAsk, moment: Option<Moment>) {
        let Some(active) = self.round.as_mut() else {
            return;
        };
        let Some(miner) = active.miner(&planned.miner).cloned() else {
            return;
        };
        active.outstanding += 1;
        self.board.sent();
        let (round, over) = (active.round, active.over.clone());
        let context = self.context(round, miner, over);
        let (findings, feed) = (self.findings.clone(), self.config.feed.clone());
        tokio::spawn(async move {
            let finding = context
                .conduct(planned, moment, |event| feed.send(event))
                .await;
            // The loop ends before its channel only when the validator shuts down: the ask is then asked again.
            let _ = findings.send(finding).await;
        });
    }

    /// What an ask of a miner needs.
    pub(super) fn context(
        &mut self,
        round: Round,
        miner: RoundMiner,
        over: CancellationToken,
    ) -> AskContext {
        let accepted = self.accepted(&miner);
        AskContext {
            net: self.net.clone(),
            signer: self.signer.clone(),
            auditor: self.auditor.clone(),
            teacher: self.teacher.clone(),
            in_flight: self.in_flight.clone(),
            pressure: self.pressure.clone(),
            stalls: self.stalls.clone(),
            vocab_size: self.config.spec.subnet.vocab_size,
            service: self.config.spec.service.clone(),
            deadline: Duration::from_millis(self.config.spec.round.deadline_ms.into()),
            round,
            miner,
            accepted,
            over,
        }
    }

    /// The checkpoints that a miner may answer from in this round, the committed one first.
    pub(super) fn accepted(&mut self, miner: &RoundMiner) -> Vec<(Digest, SharedArtifact)> {
        let mut accepted = vec![(miner.checkpoint, self.fetch(miner, miner.checkpoint))];
        if let Some(previous) = miner.previous.filter(|digest| *digest != miner.checkpoint) {
            accepted.push((previous, self.fetch(miner, previous)));
        }
        accepted
    }

    /// Writes findings down, one transaction per round.
    pub(super) async fn write_down(&mut self, findings: Vec<Finding>) -> Result<(), RunError> {
        let mut by_round = BTreeMap::<Round, Vec<Leaf>>::new();
        let (mut settled, mut own_trouble) = (0, 0);
        for finding in findings {
            let active = self.round.as_ref().map(|active| active.round);
            let leaf = finding.leaf.as_ref();
            // What a user asked is not among the asks that a round waits for.
            let audit = leaf.is_none_or(|leaf| leaf.purpose == Purpose::Audit);
            if active == Some(finding.round) && audit {
                settled += 1;
                own_trouble += u32::from(finding.is_own_trouble());
            }
            if let Some(leaf) = finding.leaf {
                by_round.entry(finding.round).or_default().push(leaf);
            }
        }
        let book = self.book.clone();
        tokio::task::spawn_blocking(move || {
            for (round, leaves) in by_round {
                if book.append(round, &leaves)?.is_none() {
                    let asks = leaves.len();
                    tracing::warn!(%round, asks, "answers came after the round was closed; they count for nothing");
                    continue;
                }
                let mut recorded = BTreeMap::<Account, Vec<u32>>::new();
                for leaf in leaves.iter().filter(|leaf| leaf.outcome().is_some()) {
                    recorded.entry(leaf.account).or_default().push(leaf.index);
                }
                for (account, indices) in recorded {
                    tracing::debug!(hotkey = %account.hotkey, %round, ?indices, "recorded");
                }
            }
            Ok::<_, BookError>(())
        })
        .await??;
        // Only now: a round is settled when everything is on disk.
        if let Some(active) = self.round.as_mut() {
            active.outstanding = active.outstanding.saturating_sub(settled);
            let settled = u32::try_from(settled).unwrap_or(u32::MAX);
            self.board.ended(settled, own_trouble);
        }
        Ok(())
    }
}

/// What a transfer's end means for the round.
pub(super) fn artifact(result: &ArtifactResult) -> Artifact {
    match result {
        Ok(checkpoint) => Artifact::Fetched {
            tensors: Digest(checkpoint.manifest.tensors_digest()),
        },
        Err(error) if error.is_miners_fault() => Artifact::Bad {
            evidence: Leaf::words(error.to_string()),
        },
        Err(_) => Artifact::Missing,
    }
}
