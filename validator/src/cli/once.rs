//! `once`: how far the round is, and what came of it.

use crate::status::Status;

/// What is told at the end, and whether weights are on chain. Without a round, the process was told to end before one began.
pub(super) fn outcome(status: &Status) -> (String, bool) {
    let Some(round) = status.round else {
        return ("no round was held".to_owned(), false);
    };
    let weights = match &status.weights.last {
        Some(last) => format!("weights {last}"),
        None => "it was ended before weights were due".to_owned(),
    };
    let text = format!(
        "round {}: {} of {} asks of {} miners ended, {} of them lost by own trouble; {weights}",
        round.round, round.ended, round.planned, round.miners, round.own_trouble
    );
    (text, status.weights.given)
}

/// What is told while the round goes on; nothing before it begins and once its weights are done with.
pub(super) fn progress(status: &Status) -> Option<String> {
    let round = status.round.filter(|round| !round.submitted)?;
    let from = u64::from(round.submit_from);
    let block = status.block.map_or(0, u64::from);
    Some(format!(
        "round {}: {} of {} asks ended, weights in {} blocks or more",
        round.round,
        round.ended,
        round.planned,
        from.saturating_sub(block)
    ))
}
