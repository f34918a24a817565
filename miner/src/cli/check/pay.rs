//! What the answers would be paid beside the other miners of the metagraph.

use athanor_chain::{Metagraph, Neuron};
use athanor_scoring::allocate::{ChainLimits, Entry, allocate};
use athanor_spec::{
    BlockNumber, Digest, Hotkey, Rao, SubnetSpec, Uid, params::AllocationParams,
    telemetry::GradeSummary,
};

use super::report::Report;

/// Says what the miner is paid now, and what its answers would be paid.
pub(super) fn tell(
    report: &mut Report,
    metagraph: &Metagraph,
    hotkey: &Hotkey,
    grade: Option<&GradeSummary>,
    spec: &SubnetSpec,
) {
    let Some(neuron) = metagraph.by_hotkey(hotkey) else {
        return;
    };
    let percent = 100.0 * f64::from(neuron.incentive) / f64::from(u16::MAX);
    report.note(format!(
        "it gets {percent:.2} % of what miners are paid, {} in the last epoch",
        neuron.emission
    ));
    let Some(grade) = grade else { return };
    report.note(format!(
        "graded alone, its answers have quality {:.3}: fidelity {:.3}, correctness {:.3}, service {:.3} (without the way), \
         at most {:.3} for liveliness",
        grade.quality, grade.fidelity, grade.correctness, grade.service, grade.liveliness
    ));
    let low = settled(grade.quality, &spec.allocation);
    let others = others(&metagraph.neurons, neuron.uid, &spec.allocation);
    let share = share(neuron.uid, low, &others, &spec.allocation);
    let paid = metagraph.neurons.iter().filter(|it| it.incentive > 0);
    let all: u64 = paid.map(|it| it.emission.0).sum();
    // Below 2^53 rao is exact, and an estimate needs less.
    let worth = Rao((all as f64 * share) as u64);
    report.note(format!(
        "once enough of them are on record that is at least {:.2} % of what miners are paid, about {worth} an epoch: as much \
         as if the best paid of the others were perfect",
        100.0 * share
    ));
}

/// The lower bound that is paid when as many asks count as can.
fn settled(quality: f64, params: &AllocationParams) -> f64 {
    let error = params.confidence_z * params.pool_sd / params.max_effective_asks.sqrt();
    (quality - error).max(0.0)
}

/// The other miners by what they are paid now. Only the ratios of their qualities can be seen; the best is taken to be 1.
fn others(neurons: &[Neuron], own: Uid, params: &AllocationParams) -> Vec<Entry> {
    let paid = || {
        neurons
            .iter()
            .filter(|it| it.incentive > 0 && it.uid != own)
    };
    let best = paid().map(|it| it.incentive).max().unwrap_or(1);
    let entry = |it: &Neuron| {
        let ratio = f64::from(it.incentive) / f64::from(best);
        entry(it.uid, ratio.powf(1.0 / params.exponent))
    };
    paid().map(entry).collect()
}

fn entry(uid: Uid, quality_low: f64) -> Entry {
    Entry {
        uid,
        class: Digest::of(&uid.0.to_le_bytes()),
        quality_low,
        goodput: 1.0,
        faulty: false,
        priority_block: BlockNumber(0),
    }
}

/// The share of the pay that validators give a miner of this quality beside the others.
fn share(own: Uid, quality_low: f64, others: &[Entry], params: &AllocationParams) -> f64 {
    let mut entries = others.to_vec();
    entries.push(entry(own, quality_low));
    let weights = allocate(&entries, None, params, &ChainLimits::NONE);
    let total: f64 = weights.iter().map(|(_, weight)| f64::from(*weight)).sum();
    let of_own = weights.iter().find(|(uid, _)| *uid == own);
    of_own.map_or(0.0, |(_, weight)| f64::from(*weight) / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share_of(quality: f64, others: &[(u16, f64)]) -> f64 {
        let params = SubnetSpec::local().allocation;
        let others: Vec<Entry> = others
            .iter()
            .map(|(uid, quality)| entry(Uid(*uid), *quality))
            .collect();
        share(Uid(9), quality, &others, &params)
    }

    #[test]
    fn a_miner_gets_its_part_beside_the_others() {
        assert_eq!(share_of(0.7, &[]), 1.0);
        assert_eq!(share_of(0.0, &[(1, 1.0)]), 0.0);
        assert!((share_of(1.0, &[(1, 1.0)]) - 0.5).abs() < 1e-4);
        let better = share_of(0.9, &[(1, 1.0), (2, 0.5)]);
        assert!(better > share_of(0.8, &[(1, 1.0), (2, 0.5)]));
    }

    #[test]
    fn what_is_paid_when_all_is_known_is_below_the_quality_and_never_below_zero() {
        let params = SubnetSpec::local().allocation;
        let low = settled(0.8, &params);
        assert!(low < 0.8 && low > 0.0);
        assert_eq!(settled(0.0, &params), 0.0);
    }
}
