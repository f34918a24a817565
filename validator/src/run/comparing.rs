//! Having the round's new models held against those before, beside its asks.

use std::collections::BTreeSet;

use athanor_scoring::round::Artifact;
use athanor_spec::{BlockNumber, Round};
use futures::future::Shared;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::Loop;
use crate::{
    battery::{Member, Population},
    book::{Account, BookError},
    config::RunError,
};

/// A round whose models are being compared, and where what is found of them comes.
pub(super) type Comparing = (Round, oneshot::Receiver<Vec<(Account, Artifact)>>);

impl Loop {
    /// Hands the models of the running round over as soon as all have come, or the asks are out; later notes what was found.
    pub(super) async fn compare(&mut self, block: BlockNumber) -> Result<(), RunError> {
        let Some(active) = self.round.as_mut().filter(|active| !active.compared) else {
            return Ok(());
        };
        if self.battery.is_none() || active.closed.is_some() {
            active.compared = true;
            return Ok(());
        }
        let round = active.round;
        let found = match &mut self.comparing {
            Some((of, receiver)) if *of == round => match receiver.try_recv() {
                Ok(found) => found,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Closed) => {
                    active.compared = true;
                    return Ok(());
                }
            },
            _ => return self.hand_over(round, block).await,
        };
        active.compared = true;
        let book = self.book.clone();
        tokio::task::spawn_blocking(move || {
            for (account, artifact) in found {
                book.saw(round, &account, &artifact)?;
            }
            Ok::<_, BookError>(())
        })
        .await??;
        Ok(())
    }

    async fn hand_over(&mut self, round: Round, block: BlockNumber) -> Result<(), RunError> {
        let (Some(active), Some(battery)) = (&self.round, &self.battery) else {
            return Ok(());
        };
        let transfer = |account, checkpoint| {
            let shared = self.fetched.get(&(account, checkpoint));
            shared.and_then(Shared::peek)
        };
        let mut came = active.miners.iter();
        let all_came = came.all(|miner| transfer(miner.account, miner.checkpoint).is_some());
        if !all_came && block < active.timetable.submit_from {
            return Ok(());
        }
        let book = self.book.clone();
        let ledger = tokio::task::spawn_blocking(move || book.ledger()).await??;
        let members: Vec<Member> = active
            .miners
            .iter()
            .filter_map(|miner| {
                let fetched = transfer(miner.account, miner.checkpoint)?;
                Some(Member {
                    account: miner.account,
                    uid: miner.uid,
                    committed_at: miner.committed_at,
                    checkpoint: fetched.as_ref().ok()?.clone(),
                })
            })
            .collect();
        let before = members
            .iter()
            .filter_map(|member| Some(ledger.chain(&member.account)?.manifest));
        let before: BTreeSet<_> = before.collect();
        let earlier = before
            .into_iter()
            .filter_map(|digest| Some((digest, self.artifacts.home(digest)?)));
        let (found, receiver) = oneshot::channel();
        let population = Population {
            validator: self.signer.hotkey(),
            round,
            seed: active.head.seed,
            earlier: earlier.collect(),
            ledger,
            members,
            found,
        };
        // The thread may be at the end of the round before: with the next block again.
        if battery.observe(population) {
            self.comparing = Some((round, receiver));
        }
        Ok(())
    }
}
