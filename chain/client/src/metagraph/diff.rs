//! What changed on a subnet between two pictures of it.

use std::net::SocketAddr;

use athanor_spec::{BlockNumber, Commitment, Epoch, Hotkey, Rao, Uid};

use super::{Metagraph, Neuron};

/// One difference between two metagraphs of a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Epochs ran.
    Epoch {
        /// Epochs before.
        from: Epoch,
        /// Epochs now.
        to: Epoch,
    },
    /// A hotkey took a slot that nobody held.
    Joined {
        /// The slot.
        uid: Uid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// A hotkey took the slot of another. Nothing else is told of the slot: its numbers are another neuron's.
    Replaced {
        /// The slot.
        uid: Uid,
        /// Who held it.
        from: Hotkey,
        /// Who holds it.
        to: Hotkey,
    },
    /// The slot is gone: the subnet was trimmed.
    Left {
        /// The slot.
        uid: Uid,
        /// Who held it.
        hotkey: Hotkey,
    },
    /// A hotkey changed hands.
    Sold {
        /// The slot.
        uid: Uid,
        /// Coldkey before.
        from: Hotkey,
        /// Coldkey now.
        to: Hotkey,
    },
    /// The stake of a hotkey.
    Stake {
        /// The slot.
        uid: Uid,
        /// Before.
        from: Rao,
        /// Now.
        to: Rao,
    },
    /// A neuron gained or lost its permit to validate.
    Permit {
        /// The slot.
        uid: Uid,
        /// Whether it has one now.
        now: bool,
    },
    /// A neuron counts again, or no longer, in consensus.
    Active {
        /// The slot.
        uid: Uid,
        /// Whether it counts now.
        now: bool,
    },
    /// The share of the miners' emission, of 65535.
    Incentive {
        /// The slot.
        uid: Uid,
        /// Before.
        from: u16,
        /// Now.
        to: u16,
    },
    /// The share of the validators' emission, of 65535.
    Dividends {
        /// The slot.
        uid: Uid,
        /// Before.
        from: u16,
        /// Now.
        to: u16,
    },
    /// A neuron set or committed weights.
    Weights {
        /// The slot.
        uid: Uid,
        /// In which block.
        at: BlockNumber,
    },
    /// A neuron serves somewhere else.
    Axon {
        /// The slot.
        uid: Uid,
        /// Where before.
        from: Option<SocketAddr>,
        /// Where now.
        to: Option<SocketAddr>,
    },
    /// A neuron committed to another record.
    Commitment {
        /// The slot.
        uid: Uid,
        /// The record and the block of its commit; `None` if it was taken back.
        now: Option<(Commitment, BlockNumber)>,
    },
}

impl Metagraph {
    /// What changed since `older`, in the order of slots.
    ///
    /// Nothing, if nothing that is compared differs: consensus, trust and emission follow from the weights and are left
    /// out.
    pub fn diff(&self, older: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.schedule.epoch != older.schedule.epoch {
            changes.push(Change::Epoch {
                from: older.schedule.epoch,
                to: self.schedule.epoch,
            });
        }
        for now in &self.neurons {
            match older.by_uid(now.uid) {
                None => changes.push(Change::Joined {
                    uid: now.uid,
                    hotkey: now.hotkey,
                }),
                // The same hotkey that registered anew is another neuron, too.
                Some(before)
                    if (before.hotkey, before.registered_at) != (now.hotkey, now.registered_at) =>
                {
                    changes.push(Change::Replaced {
                        uid: now.uid,
                        from: before.hotkey,
                        to: now.hotkey,
                    });
                }
                Some(before) => compare(before, now, &mut changes),
            }
        }
        let gone = older.neurons.iter().skip(self.neurons.len());
        changes.extend(gone.map(|neuron| Change::Left {
            uid: neuron.uid,
            hotkey: neuron.hotkey,
        }));
        changes
    }
}

fn compare(before: &Neuron, now: &Neuron, changes: &mut Vec<Change>) {
    let uid = now.uid;
    if before.coldkey != now.coldkey {
        let (from, to) = (before.coldkey, now.coldkey);
        changes.push(Change::Sold { uid, from, to });
    }
    if before.stake != now.stake {
        let (from, to) = (before.stake, now.stake);
        changes.push(Change::Stake { uid, from, to });
    }
    if before.validator_permit != now.validator_permit {
        let now = now.validator_permit;
        changes.push(Change::Permit { uid, now });
    }
    if before.active != now.active {
        let now = now.active;
        changes.push(Change::Active { uid, now });
    }
    if before.incentive != now.incentive {
        let (from, to) = (before.incentive, now.incentive);
        changes.push(Change::Incentive { uid, from, to });
    }
    if before.dividends != now.dividends {
        let (from, to) = (before.dividends, now.dividends);
        changes.push(Change::Dividends { uid, from, to });
    }
    if before.last_update != now.last_update {
        let at = now.last_update;
        changes.push(Change::Weights { uid, at });
    }
    if before.axon != now.axon {
        let (from, to) = (before.axon, now.axon);
        changes.push(Change::Axon { uid, from, to });
    }
    if before.commitment != now.commitment {
        let now = now.commitment;
        changes.push(Change::Commitment { uid, now });
    }
}

#[cfg(test)]
mod tests {
    use athanor_spec::{Digest, NetUid};

    use super::*;
    use crate::EpochSchedule;

    fn neuron(uid: u16) -> Neuron {
        Neuron {
            uid: Uid(uid),
            hotkey: Hotkey([uid as u8; 32]),
            coldkey: Hotkey([200; 32]),
            stake: Rao(5),
            validator_permit: false,
            active: true,
            incentive: 1,
            dividends: 0,
            consensus: 0,
            validator_trust: 0,
            emission: Rao(0),
            last_update: BlockNumber(3),
            registered_at: BlockNumber(3),
            axon: None,
            commitment: None,
        }
    }

    fn graph(neurons: impl IntoIterator<Item = Neuron>) -> Metagraph {
        Metagraph {
            netuid: NetUid(1),
            block: BlockNumber(10),
            hash: Digest([1; 32]),
            schedule: EpochSchedule {
                tempo: 8,
                epoch: Epoch(1),
                last_epoch_block: BlockNumber(8),
                next_epoch_block: BlockNumber(16),
            },
            neurons: neurons.into_iter().collect(),
        }
    }

    #[test]
    fn a_picture_does_not_differ_from_itself() {
        let graph = graph((0..4).map(neuron));
        assert_eq!(graph.diff(&graph), []);
    }

    #[test]
    fn every_change_is_told_once_and_by_slot() {
        let older = graph((0..5).map(neuron));
        let mut newer = older.clone();
        newer.schedule.epoch = Epoch(2);
        let taken = &mut newer.neurons[0];
        taken.hotkey = Hotkey([9; 32]);
        taken.incentive = 0;
        let again = &mut newer.neurons[1];
        again.registered_at = BlockNumber(9);
        let validator = &mut newer.neurons[2];
        validator.validator_permit = true;
        validator.stake = Rao(7);
        validator.last_update = BlockNumber(10);
        validator.dividends = 4;
        let miner = &mut newer.neurons[3];
        miner.axon = Some("10.0.0.1:9".parse().unwrap());
        miner.commitment = Some((Commitment::default(), BlockNumber(9)));
        miner.coldkey = Hotkey([8; 32]);
        miner.active = false;
        miner.incentive = 2;
        newer.neurons.pop();
        assert_eq!(
            newer.diff(&older),
            [
                Change::Epoch {
                    from: Epoch(1),
                    to: Epoch(2)
                },
                Change::Replaced {
                    uid: Uid(0),
                    from: Hotkey([0; 32]),
                    to: Hotkey([9; 32])
                },
                Change::Replaced {
                    uid: Uid(1),
                    from: Hotkey([1; 32]),
                    to: Hotkey([1; 32])
                },
                Change::Stake {
                    uid: Uid(2),
                    from: Rao(5),
                    to: Rao(7)
                },
                Change::Permit {
                    uid: Uid(2),
                    now: true
                },
                Change::Dividends {
                    uid: Uid(2),
                    from: 0,
                    to: 4
                },
                Change::Weights {
                    uid: Uid(2),
                    at: BlockNumber(10)
                },
                Change::Sold {
                    uid: Uid(3),
                    from: Hotkey([200; 32]),
                    to: Hotkey([8; 32])
                },
                Change::Active {
                    uid: Uid(3),
                    now: false
                },
                Change::Incentive {
                    uid: Uid(3),
                    from: 1,
                    to: 2
                },
                Change::Axon {
                    uid: Uid(3),
                    from: None,
                    to: Some("10.0.0.1:9".parse().unwrap())
                },
                Change::Commitment {
                    uid: Uid(3),
                    now: Some((Commitment::default(), BlockNumber(9)))
                },
                Change::Left {
                    uid: Uid(4),
                    hotkey: Hotkey([4; 32])
                },
            ]
        );
        let joined = Change::Joined {
            uid: Uid(4),
            hotkey: Hotkey([4; 32]),
        };
        assert!(older.diff(&newer).contains(&joined));
    }
}
