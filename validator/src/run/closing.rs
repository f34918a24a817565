//! Closing a round: the pure fold, with everything durable around it.

use athanor_scoring::{
    readiness::Readiness,
    round::Closed,
    transcript::{Head, Transcript},
};
use athanor_spec::{
    Digest, Epoch,
    telemetry::{Event, FaultSummary},
};
use futures::future::Shared;

use super::{Loop, asks};
use crate::{
    book::ClosedRound,
    config::{CloseError, RunError, Submission},
    status::Became,
    watch,
};

/// A ledger is kept beside the transcript of every so many rounds: whoever checks begins at most this far back.
const LEDGER_EVERY: u64 = 32;

impl Loop {
    /// What is due at the end of the round: it is closed, then weights are set.
    pub(super) async fn submit(&mut self, epoch: Epoch) -> Result<(), RunError> {
        let Some(active) = self.round.as_ref() else {
            return Ok(());
        };
        let (head, known) = (active.head.clone(), active.closed.clone());
        let closed = match &known {
            Some(closed) => closed.clone(),
            None => self.close(head.clone()).await?,
        };
        if let Some(active) = self.round.as_mut() {
            active.closed = Some(closed.clone());
        }
        // Before the weights: whoever sees them can check them.
        self.restock().await;
        let readiness = self.readiness(&head).await?;
        match known {
            None => self.board.learnt(head.round, readiness),
            Some(_) => self.board.knows(readiness),
        }
        let submitted = match (self.config.submission, readiness.is_enough()) {
            (Submission::Dry(show), _) => {
                self.show_weights(show, epoch, closed.weights, &readiness);
                true
            }
            (Submission::Chain, true) => self.set_weights(epoch, closed.weights).await,
            (Submission::Chain, false) => {
                let became = format!("none in epoch {epoch}: {readiness}");
                self.board.weights(Became::None(became));
                true
            }
        };
        if let Some(active) = self.round.as_mut() {
            active.submitted = submitted;
        }
        if known.is_none() {
            self.watch(&head).await;
        }
        Ok(())
    }

    /// Says what the rounds so far show of collusion. After the weights, which do not wait for it and do not depend on it.
    async fn watch(&self, head: &Head) {
        let (book, seed) = (self.book.clone(), head.seed);
        let seen = tokio::task::spawn_blocking(move || watch::summary(&book, &seed)).await;
        let seen = match seen {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => return tracing::error!(%error, "cannot look for collusion"),
            Err(error) => return tracing::error!(%error, "cannot look for collusion"),
        };
        for line in watch::lines(&seen, None) {
            tracing::info!(round = %head.round, "{line}");
        }
        self.board.collusion(seen.clone());
        self.config.feed.send(Event::Collusion {
            validator: self.signer.hotkey(),
            round: head.round,
            seen,
        });
    }

    /// What the ledger knows of a round's miners.
    pub(super) async fn readiness(&self, head: &Head) -> Result<Readiness, CloseError> {
        let book = self.book.clone();
        let ledger = tokio::task::spawn_blocking(move || book.ledger()).await??;
        let miners = head.miners.iter().map(|miner| &miner.account);
        Ok(Readiness::of_miners(&ledger, miners, &self.config.spec))
    }

    /// Closes a round with the leaves that are on disk. The transcript is on disk before the ledger moves on.
    pub(super) async fn close(&self, mut head: Head) -> Result<ClosedRound, CloseError> {
        let fetched: Vec<_> = head
            .miners
            .iter()
            .map(|miner| self.fetched.get(&(miner.account, miner.checkpoint)))
            .map(|shared| shared.and_then(Shared::peek).map(asks::artifact))
            .collect();
        let (book, archive) = (self.book.clone(), self.archive.clone());
        let spec = self.spec_of(&head.spec);
        let weighed = self.weighed.as_ref().filter(|(of, _)| *of == head.round);
        let weights = weighed.map(|(_, seen)| seen.clone());
        let work = move || {
            let round = head.round;
            let seen = book.seen(round)?;
            for (miner, fetched) in head.miners.iter_mut().zip(fetched) {
                let noted = seen.get(&miner.account).cloned();
                miner.artifact = noted.or(fetched).unwrap_or_default();
            }
            let transcript = Transcript::new(head, book.leaves(round)?);
            let before = book.ledger()?;
            if transcript.head.previous.is_none() || round.0.is_multiple_of(LEDGER_EVERY) {
                archive.keep_ledger(round, &before.to_bytes())?;
            }
            let closed = transcript.close(before.clone(), &spec);
            let bytes = transcript.to_bytes();
            archive.keep_transcript(round, &bytes)?;
            let row = ClosedRound {
                root: transcript.root(),
                blob: Digest::of(&bytes),
                weights: closed.weights.clone(),
                ledger: closed.ledger.digest(),
            };
            book.close(round, (&before, &closed.ledger), &row)?;
            // After the ledger, which does not wait for what is shown.
            if let Err(error) = book.watch(round, &watch::watched(&transcript, &spec, weights)) {
                tracing::error!(%error, %round, "what the round shows of collusion is not kept");
            }
            Ok::<_, CloseError>((transcript.head, closed, row))
        };
        let (head, closed, row) = tokio::task::spawn_blocking(work).await??;
        tracing::info!(round = %head.round, root = %row.root, "round closed");
        self.tell(&head, closed);
        Ok(row)
    }

    fn tell(&self, head: &Head, closed: Closed) {
        for graded in closed.graded {
            if let Some(record) = closed.ledger.records().get(&graded.account) {
                let measured = record.measured(&self.config.spec);
                self.config.feed.send(Event::Measured {
                    validator: self.signer.hotkey(),
                    miner: graded.account.hotkey,
                    round: head.round,
                    record: measured.telemetry(),
                });
            }
            if let Some(FaultSummary { kind, evidence }) = &graded.grade.fault {
                let hotkey = graded.account.hotkey;
                tracing::info!(uid = %graded.uid, %hotkey, kind, evidence, "fault");
            }
            self.config.feed.send(Event::Graded {
                validator: self.signer.hotkey(),
                miner: graded.account.hotkey,
                uid: graded.uid,
                round: head.round,
                grade: graded.grade,
            });
        }
    }
}
