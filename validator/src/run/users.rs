//! What the gateway has of the rounds, and the rounds of the gateway.

use athanor_chain::Metagraph;

use super::Loop;
use crate::{
    gateway::{Candidate, Organic},
    plan,
    round::RoundMiner,
};

impl Loop {
    /// Tells the gateway whom users may be served by in this round: all that nothing stands against.
    pub(super) fn announce(&mut self, miners: &[RoundMiner], metagraph: &Metagraph) {
        self.joined.clear();
        if self.gateway.is_none() {
            return;
        }
        let mut candidates = Vec::with_capacity(miners.len());
        for miner in miners {
            let grade = match self.book.record(&miner.account) {
                Ok(record) => record.summary(&self.config.spec),
                Err(error) => {
                    tracing::error!(%error, "cannot read the ledger");
                    continue;
                }
            };
            if grade.fault.is_some() {
                continue;
            }
            let neuron = metagraph.by_hotkey(&miner.account.hotkey);
            candidates.push(Candidate {
                accepted: self.accepted(miner),
                miner: miner.clone(),
                quality: grade.quality_low,
                incentive: neuron.map_or(0, |neuron| neuron.incentive),
            });
        }
        if let Some(gateway) = &self.gateway {
            gateway.announce(candidates);
        }
    }

    /// A user's answer joins the audit of the running round, as evidence only, if the round's coin opens it. A miner gets at most
    /// as many of them as it has asks in a round: more would make transcripts, and the time for replays, a matter of how much
    /// users ask.
    pub(super) fn join_audit(&mut self, organic: Organic) {
        let most = self.config.spec.round.asks_per_miner;
        let Some(active) = self.round.as_ref() else {
            return;
        };
        let (round, account, over) = (active.round, organic.account, active.over.clone());
        let request = &organic.receipt.answer.payload.request;
        let opened = plan::opens(&active.head.seed, request, &self.config.spec.round);
        let miner = active.miner(&account.hotkey).cloned();
        let Some(miner) = miner.filter(|miner| miner.account == account) else {
            return;
        };
        // What users feel decides whether a load probe may go out.
        let first_token = std::time::Duration::from_millis(organic.times.first_token_ms.into());
        self.pressure.begin(account.hotkey).first_token(first_token);
        let joined = self.joined.entry(account).or_default();
        if !opened || *joined >= most || over.is_cancelled() {
            return;
        }
        *joined += 1;
        let (context, findings) = (self.context(round, miner, over), self.findings.clone());
        tokio::spawn(async move {
            let finding = context.recheck(organic.receipt, organic.times).await;
            // Nobody waits for it when the validator shuts down.
            let _ = findings.send(finding).await;
        });
    }
}
