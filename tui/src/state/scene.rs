//! A small subnet for tests: two validators, three honest miners and one of each of two cheats.

use std::{collections::BTreeMap, time::Duration};

use athanor_chain::{EpochSchedule, Hyperparameters, Metagraph, Neuron, Votes};
use athanor_spec::{
    BlockNumber, Commitment, Digest, Epoch, Hotkey, NetUid, Rao, Round, Uid,
    telemetry::{Event, FaultSummary, GradeSummary, HeldOut},
};

use super::{Snapshot, State, Update};

/// Neurons of the scene, by UID.
const LABELS: [&str; 7] = [
    "validator",
    "validator",
    "honest",
    "honest",
    "honest",
    "copy",
    "substitute",
];
const SHARES: [(u16, u16); 7] = [
    (0, 40_000),
    (0, 25_535),
    (30_000, 0),
    (20_000, 0),
    (15_535, 0),
    (0, 0),
    (0, 0),
];

pub(crate) fn hotkey(uid: u16) -> Hotkey {
    Hotkey(Digest::of(&[b'h', uid.to_le_bytes()[0], uid.to_le_bytes()[1]]).0)
}

pub(crate) fn digest(of: u8) -> Digest {
    Digest::of(&[of])
}

pub(crate) fn neuron(uid: u16) -> Neuron {
    let (incentive, dividends) = SHARES[usize::from(uid)];
    let miner = uid > 1;
    Neuron {
        uid: Uid(uid),
        hotkey: hotkey(uid),
        coldkey: hotkey(100 + uid),
        stake: if miner {
            Rao(1_500_000_000)
        } else {
            Rao::from_tao(1000 - 300 * u64::from(uid))
        },
        validator_permit: true,
        active: true,
        incentive,
        dividends,
        consensus: incentive,
        validator_trust: dividends,
        emission: Rao((u64::from(incentive) + u64::from(dividends)) * 10_000),
        last_update: BlockNumber(if miner { 3 } else { 95 }),
        registered_at: BlockNumber(3),
        axon: miner.then(|| ([127, 0, 0, 1], 9000 + uid).into()),
        // The copier serves the checkpoint of the first honest miner.
        commitment: miner.then(|| {
            let checkpoint = digest(if uid == 5 { 2 } else { uid as u8 });
            (
                Commitment {
                    checkpoint,
                    ..Commitment::default()
                },
                BlockNumber(10 + u32::from(uid)),
            )
        }),
    }
}

pub(crate) fn snapshot(block: u32) -> Snapshot {
    let shares = |scale: u16| {
        (2..5)
            .map(|uid| (Uid(uid), SHARES[usize::from(uid)].0 / 100 * scale))
            .collect()
    };
    Snapshot {
        metagraph: Metagraph {
            netuid: NetUid(1),
            block: BlockNumber(block),
            hash: digest(200),
            schedule: EpochSchedule {
                tempo: 20,
                epoch: Epoch(u64::from(block / 20)),
                last_epoch_block: BlockNumber(block / 20 * 20),
                next_epoch_block: BlockNumber(block / 20 * 20 + 20),
            },
            neurons: (0..7).map(neuron).collect(),
        },
        votes: Votes {
            weights: vec![(Uid(0), shares(200)), (Uid(1), shares(180))],
            bonds: vec![(Uid(0), shares(150)), (Uid(1), shares(120))],
            ..Votes::default()
        },
        rules: Hyperparameters {
            tempo: 20,
            registration_price: Rao(100_000_000),
            registration_allowed: Some(true),
            max_allowed_uids: Some(256),
            max_allowed_validators: Some(64),
            activity_cutoff_factor: Some(14_000),
            kappa: Some(32_767),
            bonds_moving_average: Some(900_000),
            bonds_penalty: Some(65_535),
            yuma3: Some(false),
            liquid_alpha: Some(false),
            alpha_values: Some((45_875, 58_982)),
            alpha_steepness: Some(1000),
            ..Hyperparameters::default()
        },
    }
}

pub(crate) fn graded(validator: u16, miner: u16, fault: Option<(&str, &str)>) -> Event {
    let quality = if fault.is_some() {
        0.0
    } else {
        0.9 - f64::from(miner) / 50.0
    };
    Event::Graded {
        validator: hotkey(validator),
        miner: hotkey(miner),
        uid: Uid(miner),
        round: Round(4),
        grade: GradeSummary {
            checkpoint: Some(digest(miner as u8)),
            fidelity: 0.95 - f64::from(miner) / 100.0,
            correctness: 0.8 - f64::from(miner) / 40.0,
            service: 1.0,
            liveliness: 1.0,
            quality,
            quality_low: quality * 0.9,
            answered: 31.5,
            fault: fault.map(|(kind, evidence)| FaultSummary {
                kind: kind.to_owned(),
                evidence: evidence.to_owned(),
            }),
        },
    }
}

/// Evidence as a validator words it.
pub(crate) const COPY: (&str, &str) = (
    "copy",
    "manifest 9f1dcbc3 was committed by uid 2 in block 12, this hotkey committed it in block 15",
);
pub(crate) const SUBSTITUTE: (&str, &str) = (
    "wrong_checkpoint",
    "e-value 3.2e9 over 24 requests (limit 1.0e6): 61 of 480 tokens are not what the committed model draws",
);

pub(crate) fn distilled(miner: u16, step: u64) -> Event {
    let loss = 2.5 + f64::from(miner) / 10.0 + 30.0 / (step as f64 + 10.0);
    Event::Distilled {
        miner: hotkey(miner),
        step,
        loss,
        heldout: step.is_multiple_of(20).then(|| HeldOut {
            loss: loss + 0.1,
            improvement: 3.0 - 30.0 / (step as f64 + 10.0),
            improvement_low: 2.8 - 30.0 / (step as f64 + 10.0),
            items: 64,
        }),
    }
}

/// Nothing heard yet.
pub(crate) fn empty() -> State {
    let mut state = State::new(
        "local".to_owned(),
        NetUid(1),
        labels(),
        Some(Duration::from_millis(250)),
    );
    state.unmasked = true;
    state
}

fn labels() -> BTreeMap<Hotkey, String> {
    (0u16..)
        .zip(LABELS)
        .map(|(uid, label)| (hotkey(uid), label.to_owned()))
        .collect()
}

/// All miners honest as far as anybody has found, eight blocks into the epoch.
pub(crate) fn normal() -> State {
    let mut state = empty();
    let mut feed = |update, millis| state.update(update, Duration::from_millis(millis));
    feed(Update::Chain(Box::new(snapshot(98))), 0);
    feed(
        Update::Event(Event::RoundStarted {
            validator: hotkey(0),
            round: Round(4),
            block: BlockNumber(96),
            asks: 40,
        }),
        50,
    );
    for block in 99..=108 {
        feed(
            Update::Chain(Box::new(snapshot(block))),
            u64::from(block - 98) * 250,
        );
    }
    for step in 1..=60 {
        for miner in 2..5 {
            feed(Update::Event(distilled(miner, step)), 2_500);
        }
    }
    for validator in 0..2 {
        for miner in 2..5 {
            feed(Update::Event(graded(validator, miner, None)), 2_600);
        }
    }
    feed(
        Update::Event(Event::WeightsSet {
            validator: hotkey(0),
            epoch: Epoch(6),
            block: BlockNumber(107),
            weights: vec![(Uid(2), 65_535), (Uid(3), 43_690)],
        }),
        2_700,
    );
    feed(
        Update::Event(Event::Swapped {
            miner: hotkey(3),
            from: digest(30),
            to: digest(3),
        }),
        2_750,
    );
    state
}

/// The cheats have been found out.
pub(crate) fn faulty() -> State {
    let mut state = normal();
    for validator in 0..2 {
        for (miner, fault) in [(5, COPY), (6, SUBSTITUTE)] {
            state.update(
                Update::Event(graded(validator, miner, Some(fault))),
                Duration::from_millis(2_800),
            );
        }
    }
    for _ in 0..3 {
        let reason = "no answer within 2.0 s".to_owned();
        let failed = Event::AskFailed {
            validator: hotkey(1),
            miner: hotkey(6),
            reason,
        };
        state.update(Update::Event(failed), Duration::from_millis(2_900));
    }
    state
}

/// The node went away a while ago.
pub(crate) fn disconnected() -> State {
    let mut state = faulty();
    state.update(lost(), Duration::from_secs(4));
    state.update(lost(), Duration::from_secs(9));
    state.update(Update::Tick, Duration::from_secs(16));
    state
}

pub(crate) fn lost() -> Update {
    Update::ChainLost {
        reason: "ws://127.0.0.1:9944 did not answer within 10 s: check that the node runs"
            .to_owned(),
    }
}
