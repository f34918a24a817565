//! Time a frame of every kind of screen at 256 and 4,096 neurons, and what takes in a picture of so many.

use std::time::Duration;

use athanor_chain::{EpochSchedule, Hyperparameters, Metagraph, Neuron, Votes};
use athanor_spec::telemetry::{Event, FaultSummary, GradeSummary};
use athanor_spec::{BlockNumber, Commitment, Digest, Epoch, Hotkey, NetUid, Rao, Round, Uid};
use athanor_tui::{Look, Screen, Snapshot, State, Update, View, state::Sort, still::Still};
use divan::Bencher;

fn main() {
    divan::main();
}

const SIZES: [u16; 2] = [256, 4096];
/// Validators whose events are heard.
const GRADERS: u16 = 8;

fn hotkey(uid: u16) -> Hotkey {
    Hotkey(Digest::of(&uid.to_le_bytes()).0)
}

/// A subnet whose first eighth votes, up to 64 of them, each for everybody else.
fn picture(uids: u16, block: u32) -> Snapshot {
    let voters = (uids / 8).min(64);
    let neuron = |uid: u16| Neuron {
        uid: Uid(uid),
        hotkey: hotkey(uid),
        coldkey: hotkey(uid ^ 1),
        stake: Rao::from_tao(u64::from(uids - uid)),
        validator_permit: uid < voters,
        active: true,
        incentive: if uid < voters {
            0
        } else {
            65_535 / (uids - voters)
        },
        dividends: if uid < voters { 65_535 / voters } else { 0 },
        consensus: 65_535 / uids,
        validator_trust: if uid < voters { 60_000 } else { 0 },
        emission: Rao(u64::from(uid) * 1_000_000),
        last_update: BlockNumber(block - 7),
        registered_at: BlockNumber(3),
        axon: Some(([10, 0, 0, 1], 9000).into()),
        commitment: (uid >= voters).then(|| {
            let record = Commitment {
                checkpoint: Digest::of(&uid.to_be_bytes()),
                ..Commitment::default()
            };
            (record, BlockNumber(5))
        }),
    };
    let row = |of: u16| {
        let entries = (voters..uids).map(|to| (Uid(to), (to % 97 + of % 7) * 500 + 1));
        (Uid(of), entries.collect())
    };
    Snapshot {
        metagraph: Metagraph {
            netuid: NetUid(1),
            block: BlockNumber(block),
            hash: Digest::of(&block.to_le_bytes()),
            schedule: EpochSchedule {
                tempo: 360,
                epoch: Epoch(u64::from(block / 360)),
                last_epoch_block: BlockNumber(block / 360 * 360),
                next_epoch_block: BlockNumber(block / 360 * 360 + 360),
            },
            neurons: (0..uids).map(neuron).collect(),
        },
        votes: Votes {
            weights: (0..voters).map(row).collect(),
            bonds: (0..voters).map(row).collect(),
            ..Votes::default()
        },
        rules: Hyperparameters {
            tempo: 360,
            kappa: Some(32_767),
            ..Hyperparameters::default()
        },
    }
}

fn state(uids: u16) -> State {
    let mut state = State::new("bench".to_owned(), NetUid(1), Default::default(), None);
    let at = Duration::from_secs;
    state.update(Update::Chain(Box::new(picture(uids, 700))), at(1));
    state.update(Update::Chain(Box::new(picture(uids, 725))), at(2));
    for miner in uids / 8..uids {
        for validator in 0..GRADERS {
            let graded = Event::Graded {
                validator: hotkey(validator),
                miner: hotkey(miner),
                uid: Uid(miner),
                round: Round(2),
                grade: GradeSummary {
                    fidelity: 0.5,
                    quality_low: f64::from(miner % 100) / 100.0,
                    fault: (miner % 50 == 0).then(|| FaultSummary {
                        kind: "wrong_checkpoint".to_owned(),
                        evidence: "e-process at 1.4e91 after 96 audited requests".to_owned(),
                    }),
                    ..GradeSummary::default()
                },
            };
            state.update(Update::Event(graded), at(3));
        }
    }
    state
}

fn draw(bencher: Bencher<'_, '_>, uids: u16, view: View) {
    show(bencher, uids, Screen::at(view));
}

fn show(bencher: Bencher<'_, '_>, uids: u16, screen: Screen) {
    let state = state(uids);
    let mut still = Still::new((200, 60), Look::default());
    bencher.bench_local(|| still.draw(&state, &screen));
}

#[divan::bench(args = SIZES, max_time = 2)]
fn overview(bencher: Bencher<'_, '_>, uids: u16) {
    draw(bencher, uids, View::Overview);
}

#[divan::bench(args = SIZES, max_time = 2)]
fn metagraph(bencher: Bencher<'_, '_>, uids: u16) {
    draw(bencher, uids, View::Metagraph);
}

/// In the order that has to look at every grade, from its end.
#[divan::bench(args = SIZES, max_time = 2)]
fn metagraph_by_quality(bencher: Bencher<'_, '_>, uids: u16) {
    let mut screen = Screen::at(View::Metagraph);
    (screen.order.by, screen.order.reversed) = (Sort::Quality, true);
    screen.selected = Some(hotkey(uids - 1));
    show(bencher, uids, screen);
}

#[divan::bench(args = SIZES, max_time = 2)]
fn miner(bencher: Bencher<'_, '_>, uids: u16) {
    draw(bencher, uids, View::Miner);
}

#[divan::bench(args = SIZES, max_time = 2)]
fn validator(bencher: Bencher<'_, '_>, uids: u16) {
    draw(bencher, uids, View::Validator);
}

#[divan::bench(args = SIZES, max_time = 2)]
fn rounds(bencher: Bencher<'_, '_>, uids: u16) {
    draw(bencher, uids, View::Rounds);
}

#[divan::bench(args = SIZES, max_time = 2)]
fn collusion(bencher: Bencher<'_, '_>, uids: u16) {
    draw(bencher, uids, View::Collusion);
}

#[divan::bench(args = SIZES, max_time = 2)]
fn chain(bencher: Bencher<'_, '_>, uids: u16) {
    draw(bencher, uids, View::Chain);
}

#[divan::bench(args = SIZES, max_time = 2)]
fn logs(bencher: Bencher<'_, '_>, uids: u16) {
    draw(bencher, uids, View::Log);
}

/// Taking in the picture of a block within an epoch.
#[divan::bench(args = SIZES, max_time = 2)]
fn take_in(bencher: Bencher<'_, '_>, uids: u16) {
    let mut state = state(uids);
    let next = picture(uids, 726);
    bencher
        .with_inputs(|| Update::Chain(Box::new(next.clone())))
        .bench_local_values(|update| state.update(update, Duration::from_secs(4)));
}
