//! Watch for collusion: what a round shows of it, and what many rounds show together. Shown, and no input to pay.

use std::collections::BTreeMap;

use athanor_chain::Metagraph;
use athanor_scoring::{
    collusion::watched::{self, PARTS, Probe, SeenWeights, Timed, Watched},
    goodput,
    ledger::AskOutcome,
    round::Purpose,
    transcript::{Leaf, Sight, Times, Transcript},
};
use athanor_spec::{Account, Hotkey, SubnetSpec, Uid, telemetry::CollusionSummary};

use crate::{
    book::{Book, BookError},
    plan,
};

const MS_PER_HOUR: u64 = 3_600_000;

/// The weights that a block's state holds, of the validators that may set some.
pub(crate) fn weights(
    metagraph: &Metagraph,
    rows: &[(Uid, Vec<(Uid, u16)>)],
    seed: &[u8; 32],
) -> Option<SeenWeights> {
    let miners: Vec<_> = metagraph
        .neurons
        .iter()
        .filter(|neuron| !neuron.validator_permit)
        .collect();
    let mut seen = SeenWeights {
        miners: miners.iter().map(|neuron| neuron.hotkey).collect(),
        consensus: miners.iter().map(|neuron| neuron.consensus).collect(),
        ..SeenWeights::default()
    };
    for (uid, row) in rows {
        let validator = metagraph.by_uid(*uid).filter(|it| it.validator_permit);
        if let Some(validator) = validator {
            let given = |miner: &&athanor_chain::Neuron| {
                let to = row.iter().find(|(to, _)| *to == miner.uid);
                to.map_or(0, |(_, weight)| *weight)
            };
            seen.validators.push((validator.hotkey, validator.stake.0));
            seen.rows.push(miners.iter().map(given).collect());
        }
    }
    (!seen.rows.is_empty()).then(|| seen.screened(number(seed)))
}

/// What a closed round shows.
pub(crate) fn watched(
    transcript: &Transcript,
    spec: &SubnetSpec,
    weights: Option<SeenWeights>,
) -> Watched {
    let head = &transcript.head;
    let miners: Vec<Hotkey> = head.miners.iter().map(|it| it.account.hotkey).collect();
    let audits = || {
        let leaves = transcript.leaves.iter();
        leaves.filter(|leaf| leaf.purpose == Purpose::Audit)
    };
    let mut outcomes = BTreeMap::<&Account, Vec<&AskOutcome>>::new();
    for leaf in audits() {
        let of_miner = outcomes.entry(&leaf.account).or_default();
        of_miner.extend(leaf.outcome());
    }
    let probe = |probe: u32| Probe {
        coins: miners
            .iter()
            .map(|miner| plan::takes_part(&head.seed, miner, probe))
            .collect(),
        log_rates: head
            .miners
            .iter()
            .map(|miner| {
                let of_miner = outcomes.get(&miner.account)?.iter().copied();
                let streams = of_miner.filter(|outcome| outcome.load() == Some(probe));
                let rate = goodput::of_probe(streams, spec.service.load_streams)?;
                (rate > 0.0).then(|| rate.ln() as f32)
            })
            .collect(),
    };
    let sent = || audits().filter_map(|leaf| Some(leaf.ask()?.issued_ms));
    let (first, last) = (sent().min().unwrap_or(0), sent().max().unwrap_or(0));
    let timed = |leaf: &Leaf| {
        let times = times(leaf).filter(|_| leaf.outcome().is_some_and(|it| it.load().is_none()))?;
        let ask = leaf.ask()?;
        let at = u64::from(PARTS) * (ask.issued_ms - first) / (last - first + 1);
        let miner = head
            .miners
            .binary_search_by_key(&leaf.account, |it| it.account);
        Some(Timed {
            miner: u16::try_from(miner.ok()?).ok()?,
            hour: u8::try_from(ask.issued_ms / MS_PER_HOUR % 24).ok()?,
            part: u8::try_from(at).ok()?,
            log_prompt: (ask.payload.prompt.len().max(1) as f32).ln(),
            log_latency: (times.first_token_ms.max(1) as f32 / 1000.0).ln(),
        })
    };
    Watched {
        // Where all are loaded nothing can be told of any two of them.
        probes: (0..spec.service.load_probes)
            .filter(|number| !goodput::is_joint(*number))
            .map(probe)
            .collect(),
        times: audits().filter_map(timed).collect(),
        weights,
        miners,
    }
}

/// How long a usable answer took.
fn times(leaf: &Leaf) -> Option<&Times> {
    match &leaf.sight {
        Sight::Answered { times, .. } | Sight::Unopened { times, .. } => Some(times),
        Sight::OwnTrouble { .. } | Sight::Failed { .. } | Sight::FailedUnopened { .. } => None,
    }
}

/// What the rounds that are kept show together; `seed` draws permutations.
pub(crate) fn summary(book: &Book, seed: &[u8; 32]) -> Result<CollusionSummary, BookError> {
    Ok(watched::summarise(&book.watched()?, number(seed)))
}

fn number(seed: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *seed;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// What somebody should look at, one line each; of one member alone if `whose` names it.
pub fn lines(seen: &CollusionSummary, whose: Option<&Hotkey>) -> Vec<String> {
    let about = |members: &[Hotkey]| whose.is_none_or(|whose| members.contains(whose));
    let names = |members: &[Hotkey]| {
        let names: Vec<String> = members.iter().map(Hotkey::to_string).collect();
        names.join(", ")
    };
    let mut lines = Vec::new();
    for pair in &seen.shared_machines {
        if pair.rejected && about(&[pair.a, pair.b]) {
            lines.push(format!(
                "{} and {} share a machine: e-value {:.2e} over {} rounds, log-rate {:+.2} when loaded together",
                pair.a, pair.b, pair.e_value, seen.rounds, pair.log_rate_change
            ));
        }
    }
    for of in &seen.copying {
        if of.standing == "looks_copied" && about(&[of.of]) {
            lines.push(format!(
                "the weights of {} look copied: correlation {:.2} [{:.2}, {:.2}] with what is new in the others' over {} epochs, p {:.1e}",
                of.of, of.correlation, of.low, of.high, of.epochs, of.p_value
            ));
        }
    }
    if let Some(cabal) = &seen.cabal
        && cabal.p_value <= 0.05
        && about(&[cabal.validators.as_slice(), &cabal.miners].concat())
    {
        lines.push(format!(
            "validators {} lift miners {} together: p {:.3} in the last round (smallest possible {:.3}), mean e-value {:.2}",
            names(&cabal.validators),
            names(&cabal.miners),
            cabal.p_value,
            cabal.p_smallest,
            cabal.e_value
        ));
    }
    for pair in &seen.coupled_latency {
        if about(&[pair.a, pair.b]) {
            lines.push(format!(
                "{} and {} get slow at the same times: correlation {:.2}, p {:.3} by itself (a screen, which accuses nobody)",
                pair.a, pair.b, pair.correlation, pair.p_value
            ));
        }
    }
    lines
}
