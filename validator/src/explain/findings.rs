//! What follows from chain and ledger: each reason why a miner's pay is what it is, with what would change it.

use athanor_scoring::ledger::Measured;
use athanor_spec::{SubnetSpec, telemetry::FaultSummary};
use serde::{Deserialize, Serialize};

use super::{Held, OnChain, RoundView};

/// A reason, and what would change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable name.
    pub name: String,
    /// The reason, with numbers.
    pub reason: String,
    /// What would change it; empty where nothing has to.
    pub remedy: String,
}

/// The reasons, the most decisive first. `chain` is absent if the chain cannot be read, `held` if this validator holds
/// nothing.
pub fn findings(chain: Option<&OnChain>, held: Option<&Held>, spec: &SubnetSpec) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |name: &str, reason: String, remedy: &str| {
        found.push(Finding {
            name: name.to_owned(),
            reason,
            remedy: remedy.to_owned(),
        });
    };
    if let Some(chain) = chain {
        let Some(slot) = &chain.slot else {
            say(
                "not_registered",
                "the hotkey holds no slot on the subnet".to_owned(),
                "it has to register: `athanor-miner register`",
            );
            return found;
        };
        if slot.axon.is_none() {
            say(
                "no_axon",
                "it has announced no address, so that nobody can ask it".to_owned(),
                "`athanor-miner run` announces one",
            );
        }
        match (slot.committed, slot.spec) {
            (None, _) => say(
                "no_commitment",
                "it has committed to no checkpoint, so that no answer of it can be checked"
                    .to_owned(),
                "`athanor-miner run` commits to one; it counts from the next round on",
            ),
            (Some(_), Some(theirs)) if theirs != spec.digest() => say(
                "other_spec",
                format!(
                    "when it committed, it ran spec {}, and this validator has {}",
                    theirs.short(),
                    spec.digest().short()
                ),
                "both have to run the subnet's; a miner that changed over since says so with its next checkpoint",
            ),
            _ => {}
        }
    }
    if let Some(held) = held {
        of_held(held, spec, &mut say);
    } else {
        say(
            "unknown_here",
            "this validator has no record of it: no round was closed since it registered"
                .to_owned(),
            "it is asked from the first epoch after its registration and its commitment on",
        );
    }
    if let Some(chain) = chain {
        of_weights(chain, held, &mut say);
    }
    found
}

fn of_held(held: &Held, spec: &SubnetSpec, say: &mut impl FnMut(&str, String, &str)) {
    let latest = held.open.as_ref().or(held.last.as_ref());
    if let Some(FaultSummary { kind, evidence }) = &held.fault {
        let reason = format!("accused of {kind}: {evidence}");
        say("fault", reason, lifting(kind));
    }
    if let Some(view) = latest {
        of_artifact(view, held.fault.is_some(), say);
        of_asks(view, say);
    }
    match &held.measured {
        None => say(
            "nothing_measured",
            "nothing is measured of it yet".to_owned(),
            "it is graded at the end of the first round in which it is asked",
        ),
        Some(measured) if measured.asked == 0.0 => say(
            "nothing_measured",
            "no ask to it has counted yet".to_owned(),
            "it is graded at the end of the first round in which it is asked",
        ),
        Some(measured) => of_quality(measured, spec, say),
    }
    if let Some(earlier) = held.earlier.filter(|_| held.fault.is_none()) {
        let reason = format!(
            "{} committed in block {} to the same tensors, or to the model that they go on with: the earliest of a class is paid",
            earlier.hotkey, earlier.committed_at
        );
        say("same_class", reason, "commit to a checkpoint of its own");
    }
}

fn lifting(kind: &str) -> &'static str {
    match kind {
        "wrong_checkpoint" => {
            "it stands for the lifetime of this registration: only a new one starts empty"
        }
        "copy" => "lifted in the first round that it begins with a checkpoint of its own",
        "bad_artifact" => {
            "lifted in the first round in which what it committed to can be had and used: commit to a sound checkpoint"
        }
        "bad_answer" => "lifted at the end of the first round without such an answer",
        "degenerate" => "lifted in the first round without loops and empty answers",
        _ => "lifted in the first round in which it no longer holds",
    }
}

fn of_artifact(view: &RoundView, is_faulty: bool, say: &mut impl FnMut(&str, String, &str)) {
    match view.artifact.as_str() {
        "missing" => say(
            "artifact_missing",
            format!(
                "its checkpoint could not be fetched in round {}, so that no answer was replayed: neutral, and unpaid",
                view.round
            ),
            "it has to be reachable and give its checkpoint: `athanor-miner check` tries that from outside",
        ),
        "under way" => say(
            "artifact_under_way",
            "its checkpoint is being fetched".to_owned(),
            "",
        ),
        "bad" if !is_faulty => {
            let evidence = view.artifact_evidence.clone().unwrap_or_default();
            let reason = format!("what it committed to cannot be used: {evidence}");
            say("artifact_bad", reason, lifting("bad_artifact"));
        }
        _ => {}
    }
}

fn of_asks(view: &RoundView, say: &mut impl FnMut(&str, String, &str)) {
    let failed: u32 = view.failed.values().sum();
    if failed > 0 {
        let (worst, times) = view
            .failed
            .iter()
            .max_by_key(|(_, times)| **times)
            .map_or(("", 0), |(reason, times)| (reason.as_str(), *times));
        let reason = format!(
            "{failed} of {} asks of round {} got no usable answer, {times} of them: {worst}",
            failed + view.answered,
            view.round
        );
        say(
            "unanswered",
            reason,
            "each is graded 0: it has to answer within the deadline",
        );
    }
    let lost: u32 = view.own_trouble.values().sum();
    if lost > 0 {
        let reason = format!(
            "{lost} asks of round {} were lost by this validator's own trouble, and count for nothing",
            view.round
        );
        say("own_trouble", reason, "");
    }
}

fn of_quality(measured: &Measured, spec: &SubnetSpec, say: &mut impl FnMut(&str, String, &str)) {
    let allocation = &spec.allocation;
    if measured.quality_low <= 0.0 {
        let reason = format!(
            "its quality {:.3} is not above what is subtracted for want of evidence: {:.3} = z {} x sd {} / sqrt({:.1} effective \
             opened asks)",
            measured.quality,
            measured.width,
            allocation.confidence_z,
            allocation.pool_sd,
            measured.effective_asks,
        );
        let ratio = allocation.confidence_z * allocation.pool_sd / measured.quality.max(1e-9);
        let needed = ratio * ratio;
        if measured.quality > 0.0 && needed <= allocation.max_effective_asks {
            let remedy = format!("with this quality {} opened asks are enough", needed.ceil());
            say("too_little_evidence", reason, &remedy);
        } else {
            say(
                "too_low_quality",
                reason,
                "it has to be better: see the axes",
            );
        }
    }
    if let Some(liveliness) = measured.liveliness
        && liveliness.value <= measured.quality + 1e-9
        && liveliness.value < 1.0
    {
        let reason = format!(
            "liveliness {:.3} caps its quality: its answers repeat themselves, or run into their limit where the teacher ends",
            liveliness.value
        );
        say("liveliness", reason, "train on the teacher's endings");
    }
}

fn of_weights(chain: &OnChain, held: Option<&Held>, say: &mut impl FnMut(&str, String, &str)) {
    let Some(slot) = &chain.slot else { return };
    if !chain.validator_permit {
        say(
            "no_permit_here",
            "this validator holds no permit, so that its weights move no emission".to_owned(),
            "others' weights decide",
        );
    }
    let given = held.and_then(|held| held.weight);
    let weight = given.and_then(|given| given.weight).unwrap_or(0);
    if weight > 0 && chain.own_weight == 0.0 {
        let reason = format!(
            "this validator's last round gave it weight {weight} of 65535, and the chain does not have it yet"
        );
        let remedy = format!(
            "it counts from the next epoch on ({} blocks), or from the reveal on",
            chain.blocks_to_epoch
        );
        say("weight_not_on_chain", reason, &remedy);
    }
    if slot.incentive == 0.0 && chain.stake_giving > 0.0 {
        let reason = format!(
            "validators with {:.1} % of the stake give it weight, and consensus is {:.4}: what less than half of the stake \
             gives is clipped",
            100.0 * chain.stake_giving,
            slot.consensus
        );
        say(
            "clipped",
            reason,
            "weights that were just set count from the next epoch on",
        );
    }
    if slot.incentive == 0.0 && chain.stake_giving == 0.0 {
        say(
            "no_weights",
            "no validator with a permit gives it weight on chain".to_owned(),
            "",
        );
    }
    if slot.incentive > 0.0 {
        let reason = format!(
            "it is paid: incentive {:.4} of what miners get",
            slot.incentive
        );
        say("paid", reason, "");
    }
}

#[cfg(test)]
mod tests;
