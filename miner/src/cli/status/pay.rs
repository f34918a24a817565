//! What the chain knows of a miner's pay.

use std::fmt::{self, Write};

use athanor_chain::{Metagraph, Neuron};
use athanor_node::blocking;
use athanor_spec::{Account, Digest, Hotkey, Rao, SubnetSpec, Uid};
use serde::Serialize;

use super::{
    because::{Because, Line},
    transcripts::UnreadError,
};

/// A miner's pay, at one block. Amounts are in rao, shares in [0, 1].
#[derive(Debug, Serialize)]
pub(super) struct Pay {
    /// The block.
    pub(super) block: u32,
    /// Blocks until the next epoch, when weights become pay.
    pub(super) blocks_to_epoch: u32,
    /// Its slot; absent if it is not registered.
    pub(super) neuron: Option<Slot>,
    /// Who says what it is worth.
    pub(super) weights: Vec<Weight>,
}

/// A miner's slot.
#[derive(Debug, Serialize)]
pub(super) struct Slot {
    pub(super) uid: u16,
    /// Share of what miners are paid.
    pub(super) incentive: f64,
    /// Place by incentive among all neurons, from 1.
    pub(super) place: usize,
    /// Paid in the last epoch.
    pub(super) emission_rao: u64,
    /// Weight on which more than half of the stake agrees, of the largest.
    pub(super) consensus: f64,
    pub(super) registered_at: u32,
    pub(super) axon: Option<std::net::SocketAddr>,
    pub(super) committed: Option<Digest>,
    /// Digest of the spec that it says it runs.
    pub(super) spec: Option<Digest>,
}

/// One validator's word.
#[derive(Debug, Serialize)]
pub(super) struct Weight {
    pub(super) uid: u16,
    pub(super) hotkey: Hotkey,
    /// Share of the stake of all validators with a permit.
    pub(super) stake: f64,
    /// Share of its weights that this miner has.
    pub(super) weight: f64,
    /// Blocks since it last set or committed weights.
    pub(super) age: u32,
    /// Why, by the transcript of its last closed round.
    pub(super) because: Option<Because>,
    /// Why that is not known.
    pub(super) unread: Option<String>,
}

impl Pay {
    pub(super) fn of(
        metagraph: &Metagraph,
        weights: &[(Uid, Vec<(Uid, u16)>)],
        hotkey: &Hotkey,
    ) -> Self {
        let neuron = metagraph.by_hotkey(hotkey);
        let permitted: u128 = metagraph
            .neurons
            .iter()
            .filter(|it| it.validator_permit)
            .map(|it| u128::from(it.stake.0))
            .sum();
        let word = |validator: &Neuron| {
            let row = weights.iter().find(|(uid, _)| *uid == validator.uid);
            let row = row.map_or(&[][..], |(_, row)| row.as_slice());
            let all: u64 = row.iter().map(|(_, weight)| u64::from(*weight)).sum();
            let own = row
                .iter()
                .find(|(to, _)| Some(*to) == neuron.map(|it| it.uid));
            Weight {
                uid: validator.uid.0,
                hotkey: validator.hotkey,
                stake: validator.stake.0 as f64 / (permitted as f64).max(1.0),
                weight: own.map_or(0.0, |(_, weight)| f64::from(*weight)) / (all as f64).max(1.0),
                age: metagraph.block.0.saturating_sub(validator.last_update.0),
                because: None,
                unread: None,
            }
        };
        let validators = metagraph.neurons.iter().filter(|it| it.validator_permit);
        Self {
            block: metagraph.block.0,
            blocks_to_epoch: metagraph
                .schedule
                .next_epoch_block
                .0
                .saturating_sub(metagraph.block.0),
            neuron: neuron.map(|it| Slot::of(metagraph, it)),
            weights: match neuron {
                Some(_) => validators.map(word).collect(),
                None => Vec::new(),
            },
        }
    }

    /// Takes in what a validator has published, or why that is not known.
    pub(super) async fn explain(
        &mut self,
        validator: &Hotkey,
        line: Result<Line, UnreadError>,
        account: Account,
        spec: &SubnetSpec,
    ) {
        let Some(weight) = self.weights.iter_mut().find(|it| it.hotkey == *validator) else {
            return;
        };
        let told = match line {
            Ok(line) => {
                let spec = spec.clone();
                // Closing thirty rounds of a large subnet takes a while.
                blocking(move || Because::of(line, account, &spec).ok_or(UnreadError::None)).await
            }
            Err(unread) => Err(unread),
        };
        match told {
            Ok(because) => weight.because = Some(because),
            Err(unread) => weight.unread = Some(athanor_cli::line(&unread)),
        }
    }

    /// What an operator can act upon.
    pub(super) fn findings(&self, spec: &SubnetSpec) -> Vec<String> {
        let Some(slot) = &self.neuron else {
            return vec!["the hotkey is not registered: `athanor-miner register`".to_owned()];
        };
        let mut found = Vec::new();
        if slot.axon.is_none() {
            found.push("no address is on chain: nobody can ask it; `run` announces one".to_owned());
        }
        match slot.committed {
            None => found
                .push("no checkpoint is committed: it is not paid; `run` commits one".to_owned()),
            Some(_) if slot.spec != Some(spec.digest()) => found.push(format!(
                "its record names another spec than {}: so it is after a change until the next checkpoint, else give the \
                 subnet's with --subnet.spec",
                spec.digest().short()
            )),
            Some(_) => {}
        }
        let stake = |of: &dyn Fn(&&Weight) -> bool| -> f64 {
            self.weights.iter().filter(of).map(|it| it.stake).sum()
        };
        let giving = stake(&|it| it.weight > 0.0);
        if self.weights.is_empty() {
            found.push("no validator has a permit yet: nobody is paid".to_owned());
        } else if giving < 0.5 {
            found.push(format!(
                "validators with {:.0} % of the stake give it weight; what less than half of the stake gives is clipped",
                100.0 * giving
            ));
        }
        if slot.incentive == 0.0 && giving >= 0.5 {
            found.push(format!(
                "weights are there and become pay at the next epoch, in {} blocks, or are still hidden",
                self.blocks_to_epoch
            ));
        }
        found
    }

    pub(super) fn describe(&self, text: &mut String) -> fmt::Result {
        let Some(slot) = &self.neuron else {
            return writeln!(text, "chain       block {}: not registered", self.block);
        };
        writeln!(
            text,
            "chain       block {}, the next epoch in {}; UID {}, registered in block {}",
            self.block, self.blocks_to_epoch, slot.uid, slot.registered_at
        )?;
        match slot.committed {
            Some(committed) => writeln!(text, "committed   {committed}")?,
            None => writeln!(text, "committed   nothing")?,
        }
        writeln!(
            text,
            "pay         {:.2} % of what miners get, place {}; {} in the last epoch; consensus weight {:.4}",
            100.0 * slot.incentive,
            slot.place,
            Rao(slot.emission_rao),
            slot.consensus
        )?;
        for it in &self.weights {
            writeln!(
                text,
                "  because   validator {} ({:.1} % of the stake) gives it {:.2} % of its weight, set {} blocks ago",
                it.uid,
                100.0 * it.stake,
                100.0 * it.weight,
                it.age
            )?;
            if let Some(because) = &it.because {
                because.describe(text, &it.hotkey)?;
            }
            if let Some(unread) = &it.unread {
                writeln!(text, "            its transcripts are not known: {unread}")?;
            }
        }
        Ok(())
    }
}

impl Slot {
    fn of(metagraph: &Metagraph, neuron: &Neuron) -> Self {
        let better = |it: &&Neuron| it.incentive > neuron.incentive;
        let commitment = neuron.commitment.map(|(record, _)| record);
        let share = |value: u16| f64::from(value) / f64::from(u16::MAX);
        Self {
            uid: neuron.uid.0,
            incentive: share(neuron.incentive),
            place: metagraph.neurons.iter().filter(better).count() + 1,
            emission_rao: neuron.emission.0,
            consensus: share(neuron.consensus),
            registered_at: neuron.registered_at.0,
            axon: neuron.axon,
            committed: commitment.and_then(|record| record.checkpoint()),
            spec: commitment.map(|record| record.spec),
        }
    }
}

#[cfg(test)]
mod tests {
    use athanor_chain::EpochSchedule;
    use athanor_spec::{BlockNumber, Commitment, Epoch, NetUid};

    use super::*;

    fn neuron(uid: u16, stake: u64, permit: bool, incentive: u16) -> Neuron {
        Neuron {
            uid: Uid(uid),
            hotkey: Hotkey([uid as u8; 32]),
            coldkey: Hotkey([99; 32]),
            stake: Rao(stake),
            validator_permit: permit,
            active: true,
            incentive,
            dividends: 0,
            consensus: incentive,
            validator_trust: 0,
            emission: Rao(u64::from(incentive)),
            last_update: BlockNumber(90),
            registered_at: BlockNumber(1),
            axon: None,
            commitment: None,
        }
    }

    fn metagraph() -> Metagraph {
        let mut miner = neuron(2, 0, false, 6553);
        miner.axon = "10.0.0.1:8091".parse().ok();
        let record = Commitment {
            checkpoint: Digest([1; 32]),
            spec: SubnetSpec::local().digest(),
            ..Commitment::default()
        };
        miner.commitment = Some((record, BlockNumber(5)));
        Metagraph {
            netuid: NetUid(1),
            block: BlockNumber(100),
            hash: Digest([0; 32]),
            schedule: EpochSchedule {
                tempo: 24,
                epoch: Epoch(4),
                last_epoch_block: BlockNumber(96),
                next_epoch_block: BlockNumber(120),
            },
            neurons: vec![
                neuron(0, 300, true, 0),
                neuron(1, 100, true, 0),
                miner,
                neuron(3, 0, false, 50_000),
            ],
        }
    }

    fn pay(weights: &[(Uid, Vec<(Uid, u16)>)], uid: u8) -> Pay {
        Pay::of(&metagraph(), weights, &Hotkey([uid; 32]))
    }

    #[test]
    fn pay_is_traced_to_the_validators_that_give_it() {
        let weights = [
            (Uid(0), vec![(Uid(2), 100), (Uid(3), 300)]),
            (Uid(1), vec![(Uid(3), 9)]),
        ];
        let pay = pay(&weights, 2);
        let slot = pay.neuron.as_ref().unwrap();
        assert_eq!((slot.place, slot.committed), (2, Some(Digest([1; 32]))));
        let said: Vec<(f64, f64)> = pay.weights.iter().map(|it| (it.stake, it.weight)).collect();
        assert_eq!(said, [(0.75, 0.25), (0.25, 0.0)]);
        assert_eq!(pay.findings(&SubnetSpec::local()), Vec::<String>::new());
        let mut text = String::new();
        pay.describe(&mut text).unwrap();
        for part in [
            "validator 0 (75.0 % of the stake) gives it 25.00 %",
            "10 blocks ago",
            "UID 2",
            "next epoch in 20",
        ] {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
    }

    #[test]
    fn what_an_operator_can_act_upon_is_found() {
        let check = |pay: &Pay, spec: &SubnetSpec, expected: &str| {
            let found = pay.findings(spec);
            assert!(
                found.iter().any(|it| it.contains(expected)),
                "`{expected}` is not in {found:?}"
            );
        };
        let spec = SubnetSpec::local();
        check(&pay(&[], 77), &spec, "not registered");
        check(&pay(&[], 3), &spec, "no address is on chain");
        check(&pay(&[], 3), &spec, "no checkpoint is committed");
        let little = [(Uid(1), vec![(Uid(2), 9)])];
        check(&pay(&little, 2), &spec, "25 % of the stake");
        let mut other = spec.clone();
        other.subnet.name = "another".into();
        check(&pay(&little, 2), &other, "another spec");
    }
}
