//! What no two values of a spec may say together.

use super::{SpecFault, SubnetSpec};
use crate::PROTOCOL_VERSION;

/// The first contradiction, if there is one.
pub(super) fn check(spec: &SubnetSpec) -> Result<(), SpecFault> {
    let SubnetSpec {
        subnet,
        limits,
        round,
        tasks,
        grade,
        service,
        ..
    } = spec;
    let contradict = |holds: bool, left: &str, right: &str, why: &'static str| match holds {
        true => Ok(()),
        false => Err(SpecFault::Contradiction {
            left: left.to_owned(),
            right: right.to_owned(),
            why,
        }),
    };
    if subnet.protocol_version != PROTOCOL_VERSION {
        return Err(SpecFault::OtherProtocol {
            found: subnet.protocol_version,
        });
    }
    contradict(
        round.continuation_prompt_tokens.1 <= limits.max_prompt_tokens,
        "round.continuation_prompt_tokens",
        "limits.max_prompt_tokens",
        "a round would ask for more than the wire lets through",
    )?;
    contradict(
        round.continuation_new_tokens.1 <= limits.max_new_tokens,
        "round.continuation_new_tokens",
        "limits.max_new_tokens",
        "a round would ask for more than the wire lets through",
    )?;
    contradict(
        round.temperatures_milli.iter().any(|it| *it > 0),
        "round.temperatures_milli",
        "audit.alpha",
        "greedy answers carry no seed evidence, so nothing could be audited",
    )?;
    for (name, family) in tasks.families() {
        // An answer has at most a word for each element, and its end.
        contradict(
            family.weight <= 0.0 || family.length.1 < round.continuation_new_tokens.1,
            &format!("tasks.{name}.length"),
            "round.continuation_new_tokens",
            "an answer would be cut before its end",
        )?;
    }
    let asked: f64 = tasks
        .families()
        .map(|(_, family)| family.weight)
        .iter()
        .sum();
    contradict(
        asked > 0.0 || round.continuation_share >= 1.0,
        "round.continuation_share",
        "tasks",
        "items are asked for, and every family has weight 0",
    )?;
    contradict(
        grade.fidelity_weight + grade.correctness_weight + grade.service_weight > 0.0,
        "grade.fidelity_weight",
        "grade.correctness_weight",
        "no axis has a weight: one of the three must be above 0",
    )?;
    // The shared prompts keep times of their own, so that they say nothing about who is loaded.
    let shared = (f64::from(round.asks_per_miner) * round.shared_share).round();
    let own = f64::from(round.asks_per_miner) - shared;
    contradict(
        f64::from(service.load_probes) * f64::from(service.load_streams) <= own,
        "service.load_probes",
        "round.asks_per_miner",
        "load probes would need more asks than a miner gets beside the shared prompts",
    )
}
