//! Draw what one validator's round measures of each miner, as sums.

use std::collections::BTreeMap;

use athanor_spec::{SubnetSpec, params::AuditParams};

use super::{population::Noise, random::Draw, world::Act};
use crate::{
    attack::{Draws, WORST_DIVERGENCE},
    fidelity::FidelitySums,
    goodput,
    ledger::{AskOutcome, Fault, FaultKind, Pace, Record, Tally},
    round::{Observed, SeenMiner, Shown},
    width,
};

/// Nats of the teacher's entropy in an answer: its unit cancels out of every ratio.
const NATS: f64 = 8.0;

/// A round of one validator.
pub(super) struct Drawn<'a> {
    /// What miners do, by UID.
    pub(super) acts: &'a [Option<Act>],
    /// How many asks each gets, by UID.
    pub(super) asks: &'a [u32],
    pub(super) spec: &'a SubnetSpec,
    pub(super) noise: &'a Noise,
    pub(super) draw: Draw,
    /// Names the round's shared prompts.
    pub(super) prompts: [u64; 3],
}

impl Drawn<'_> {
    fn act(&self, miner: &SeenMiner) -> Option<(Act, u32)> {
        let uid = usize::from(miner.uid.0);
        let act = (*self.acts.get(uid)?)?;
        Some((act, *self.asks.get(uid)?))
    }

    /// How many of `count` asks are opened.
    fn opened(&mut self, count: u32) -> u32 {
        let share = self.spec.round.opening_share;
        match share < 1.0 {
            true => self.draw.binomial(count, share),
            false => count,
        }
    }

    /// The round's own draws about a shared prompt, the same for all who get it: how hard it is, whether it is checkable,
    /// and whether it is opened.
    fn prompt(&self, prompt: u32) -> (f64, bool, bool) {
        let [seed, epoch, validator] = self.prompts;
        let mut common = Draw::of([seed, epoch, validator, u64::from(prompt)]);
        let round = &self.spec.round;
        let hard = (1.0 + self.noise.prompt * common.normal()).max(0.1);
        let checkable = common.unit() >= round.continuation_share;
        (hard, checkable, common.unit() < round.opening_share)
    }

    /// What a mean of `count` values around `mean` turns out to be, where each has this deviation.
    fn mean_of(&mut self, mean: f64, deviation: f64, count: f64) -> f64 {
        mean + deviation * self.draw.normal() / count.sqrt()
    }
}

/// Evidence of `answered` audited answers.
fn evidence(record: &mut Record, act: &Act, answered: u32, draw: &mut Draw, params: &AuditParams) {
    let forged = draw.binomial(answered, act.play.forged);
    let caught = draw.binomial(forged, act.play.draws.share);
    let honest = (Draws::HONEST.missed, f64::from(answered - forged));
    if forged == 0 {
        record.observe_all(&[honest], params);
        return;
    }
    let draws = act.play.draws;
    record.observe_all(
        &[
            honest,
            (draws.caught, f64::from(caught)),
            (draws.missed, f64::from(forged - caught)),
        ],
        params,
    );
}

impl Observed for Drawn<'_> {
    fn count(&mut self, miner: &SeenMiner, record: &mut Record) -> Shown {
        let Some((act, asked)) = self.act(miner) else {
            return Shown::default();
        };
        if asked == 0 {
            return Shown::default();
        }
        let play = &act.play;
        let skill = play.skill;
        // Nothing is asked whose answers could not be replayed.
        let answered = self.draw.binomial(asked, skill.answered);
        let opened = self.opened(answered);
        let lost = self.opened(asked - answered);
        // Of the asks that are opened; the others count for their time alone.
        let (n, a) = (f64::from(opened + lost), f64::from(opened));
        let noise = *self.noise;
        let mut tally = Tally::of_means(
            n,
            0.0,
            FidelitySums::of_sums([WORST_DIVERGENCE * NATS * n, NATS * n, 0.0, 0.0]),
            n * (1.0 - self.spec.round.continuation_share),
            0.0,
            0.0,
            0.0,
        );
        if opened > 0 {
            let scatter = self.mean_of(1.0, noise.divergence, a).max(0.0);
            let forced_scatter = self.mean_of(1.0, noise.divergence, a).max(0.0);
            let items = (n * (1.0 - self.spec.round.continuation_share)).max(1.0);
            let credit = self.mean_of(skill.correctness, noise.correctness, items);
            let service = self.mean_of(skill.service, noise.service, a);
            let charge = NATS * (a * skill.divergence * scatter + (n - a) * WORST_DIVERGENCE);
            let forced = NATS * a * skill.forced_divergence * forced_scatter;
            tally = Tally::of_means(
                n,
                a,
                FidelitySums::of_sums([charge, NATS * n, forced, NATS * a]),
                n * (1.0 - self.spec.round.continuation_share),
                credit,
                skill.liveliness,
                service,
            );
            evidence(record, &act, opened, &mut self.draw, &self.spec.audit);
        }
        let unopened = answered - opened;
        if asked > opened + lost {
            let service = self.mean_of(skill.service, noise.service, f64::from(unopened.max(1)));
            tally = tally.with_unopened(
                f64::from(asked - opened - lost),
                f64::from(unopened),
                service,
            );
        }
        record.take(&tally);
        let probes = 0..self.spec.service.load_probes;
        for _ in probes.filter(|probe| goodput::is_joint(*probe)) {
            let reached = self.mean_of(1.0, noise.goodput, 1.0).max(0.0);
            let alive = if answered > 0 { skill.answered } else { 0.0 };
            record.load_probe(
                reached
                    * alive
                    * skill.service
                    * skill.goodput
                    * self.spec.service.goodput_tokens_per_second
                    / f64::from(act.on_machine),
            );
        }
        let misconduct = (play.misconduct && answered > 0).then(|| Fault {
            kind: FaultKind::BadAnswer,
            evidence: "the answer is to another ask, or from another checkpoint".to_owned(),
        });
        Shown {
            asked: true,
            answered: answered > 0,
            compared: (0..width::shared_prompts(&self.spec.round))
                .any(|prompt| self.spec.round.opening_share >= 1.0 || self.prompt(prompt).2),
            misconduct,
        }
    }

    fn qualities(&mut self, miner: &SeenMiner) -> BTreeMap<u32, f64> {
        let Some((act, asked)) = self.act(miner) else {
            return BTreeMap::new();
        };
        let skill = act.play.skill;
        let noise = *self.noise;
        let shared = width::shared_prompts(&self.spec.round).min(asked);
        (0..shared)
            .filter_map(|prompt| {
                let (hard, checkable, opened) = self.prompt(prompt);
                if !opened {
                    return None;
                }
                if self.draw.unit() >= skill.answered {
                    return Some((prompt, 0.0));
                }
                let mut of = |divergence: f64| {
                    let scatter = (1.0 + noise.divergence * self.draw.normal()).max(0.0);
                    NATS * divergence * hard * scatter
                };
                let sums = [
                    of(skill.divergence),
                    NATS,
                    of(skill.forced_divergence),
                    NATS,
                ];
                let credit = skill.correctness + noise.correctness * self.draw.normal();
                let outcome = AskOutcome::Answered {
                    e_value: None,
                    fidelity: FidelitySums::of_sums(sums),
                    credit: checkable.then(|| credit.clamp(0.0, 1.0)),
                    liveliness: skill.liveliness,
                    service: 1.0,
                    pace: Pace::default(),
                };
                Some((prompt, outcome.quality(&self.spec.grade)?))
            })
            .collect()
    }
}
