//! Whoever copies is accused for as long as it does, and no author ever is, in whichever order they publish and are seen.

use athanor_spec::{Hotkey, Round, SubnetSpec, Uid};
use proptest::prelude::*;

use super::*;
use crate::{
    allocate::ChainLimits,
    round::{Artifact, Closed, RoundInput, SeenMiner, close},
};

/// Steps within which two models of one family are of one class.
const CLASS: u8 = 2;
const NOBODY: [u8; 0] = [];
const AUTHOR: u8 = 1;
const COPIER: u8 = 2;
const OTHER: u8 = 3;

/// A model: its family, how far it was trained from there, and bytes that make it another one without changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Model {
    family: u8,
    step: u8,
    bytes: u8,
}

fn model(family: u8, step: u8, bytes: u8) -> Model {
    Model {
        family,
        step,
        bytes,
    }
}

impl Model {
    fn digest(self, kind: u8) -> Digest {
        let mut digest = [kind; 32];
        digest[..3].copy_from_slice(&[self.family, self.step, self.bytes]);
        Digest(digest)
    }

    fn manifest(self) -> Digest {
        self.digest(1)
    }

    fn tensors(self) -> Digest {
        self.digest(2)
    }

    fn of(manifest: &Digest) -> Self {
        model(manifest.0[0], manifest.0[1], manifest.0[2])
    }

    fn is_like(self, other: Self) -> bool {
        self.family == other.family && self.step.abs_diff(other.step) <= CLASS
    }
}

const DISTANCES: Distances = Distances {
    behaviour: 0.0331,
    weights: 0.00012,
    p_behaviour: 3e-40,
    p_weights: 0.0,
    innovation: None,
};

/// A validator's ledger, and what of the models it can look at.
#[derive(Clone, Default)]
struct Watcher {
    ledger: Ledger,
    /// Questions that were asked in the last round.
    asked: usize,
    lost: Vec<Digest>,
}

fn account(id: u8) -> Account {
    Account {
        hotkey: Hotkey([id; 32]),
        registered_at: BlockNumber(5),
    }
}

/// Who serves what, committed to in which block.
type Served = (u8, Model, u32);

fn served(id: u8, model: Model, block: u32) -> SeenMiner {
    SeenMiner {
        account: account(id),
        uid: Uid(id.into()),
        peer_key: Digest([id; 32]),
        checkpoint: model.manifest(),
        committed_at: BlockNumber(block),
        previous: None,
        asks: 0,
        artifact: Artifact::Fetched {
            tensors: model.tensors(),
        },
    }
}

impl Watcher {
    /// A round of what these serve; who is accused of being a copy.
    fn round(&mut self, round: u64, served_now: &[Served]) -> Vec<u8> {
        let miners = served_now
            .iter()
            .map(|(id, model, block)| served(*id, *model, *block));
        let closed = self.settle(round, miners.collect());
        accused(&closed)
    }

    fn settle(&mut self, round: u64, mut miners: Vec<SeenMiner>) -> Closed {
        let present: Vec<Present> = miners
            .iter()
            .filter_map(|miner| {
                Some(Present {
                    account: miner.account,
                    manifest: miner.checkpoint,
                    tensors: miner.artifact.tensors()?,
                    committed_at: miner.committed_at,
                    has_parent: Model::of(&miner.checkpoint).step > 0,
                })
            })
            .collect();
        let (mut asked, lost) = (0, self.lost.clone());
        let mut found = lineages(&self.ledger, &present, |later, earlier| {
            asked += earlier.len();
            let earlier: Vec<Digest> = earlier.iter().map(|it| it.manifest).collect();
            assert!(!earlier.contains(later));
            let at_hand = |digest: &Digest| !lost.contains(digest);
            if !at_hand(later) || !earlier.iter().any(at_hand) {
                return Compared::Unknown;
            }
            let is_like = |it: &Digest| at_hand(it) && Model::of(later).is_like(Model::of(it));
            match earlier.iter().position(is_like) {
                Some(index) => Compared::SameClass(index, DISTANCES),
                None => Compared::Distinct,
            }
        });
        self.asked = asked;
        for miner in &mut miners {
            if let (Some(lineage), Some(tensors)) =
                (found.remove(&miner.account), miner.artifact.tensors())
            {
                miner.artifact = Artifact::Compared { tensors, lineage };
            }
        }
        let input = RoundInput {
            round: Round(round),
            miners: &miners,
            results: &[],
            limits: &ChainLimits::NONE,
        };
        let closed = close(
            std::mem::take(&mut self.ledger),
            &input,
            &SubnetSpec::local(),
        );
        // As if it had been started anew.
        self.ledger = Ledger::from_bytes(&closed.ledger.to_bytes()).unwrap();
        closed
    }
}

fn accused(closed: &Closed) -> Vec<u8> {
    closed
        .graded
        .iter()
        .filter(|graded| {
            let fault = graded.grade.fault.as_ref();
            fault.is_some_and(|fault| fault.kind == "copy")
        })
        .map(|graded| graded.account.hotkey.0[0])
        .collect()
}

#[test]
fn only_the_copier_is_accused_and_for_ever_while_both_go_on_publishing() {
    let mut watcher = Watcher::default();
    assert_eq!(watcher.round(1, &[(AUTHOR, model(1, 0, 0), 10)]), NOBODY);
    assert_eq!(watcher.round(2, &[(AUTHOR, model(1, 1, 0), 20)]), NOBODY);
    // The author's third is committed to after the copy of its second.
    let both = [(COPIER, model(1, 1, 7), 25), (AUTHOR, model(1, 2, 0), 30)];
    assert_eq!(watcher.round(3, &both), [COPIER]);
    // The author goes on; the copy stays behind, and catches up, now and then.
    for round in 4..30_u8 {
        let author = round - 1;
        let both = [
            (AUTHOR, model(1, author, 0), 10 * u32::from(round)),
            (
                COPIER,
                model(1, author - round % 3, 7 + round / 3),
                10 * u32::from(round) + 5,
            ),
        ];
        assert_eq!(
            watcher.round(round.into(), &both),
            [COPIER],
            "round {round}"
        );
    }
}

#[test]
fn nothing_is_asked_when_nothing_is_new_and_a_successor_is_held_against_its_own_alone() {
    let mut watcher = Watcher::default();
    let first = [(AUTHOR, model(1, 0, 0), 10), (OTHER, model(3, 0, 0), 11)];
    watcher.round(1, &first);
    assert_eq!(watcher.asked, 1);
    watcher.round(2, &first);
    assert_eq!(watcher.asked, 0);
    watcher.round(3, &[(AUTHOR, model(1, 1, 0), 30), first[1]]);
    assert_eq!(watcher.asked, 1);
}

#[test]
fn the_evidence_tells_whose_model_it_is_and_how_near() {
    let mut watcher = Watcher::default();
    let miners = || {
        vec![
            served(AUTHOR, model(1, 0, 0), 10),
            served(COPIER, model(1, 0, 7), 25),
        ]
    };
    for round in 1..3 {
        let closed = watcher.settle(round, miners());
        let fault = closed.graded[1].grade.fault.clone().unwrap();
        assert_eq!(fault.kind, "copy");
        for part in [
            account(AUTHOR).hotkey.to_string().as_str(),
            "in block 10, here in block 25",
            "0.0331 nats of behaviour (p at most 3.0e-40)",
            "0.00012 of weights (p below 1e-99)",
        ] {
            assert!(fault.evidence.contains(part), "{part}: {}", fault.evidence);
        }
    }
}

#[test]
fn who_copies_a_copy_copies_its_author() {
    let mut watcher = Watcher::default();
    watcher.round(1, &[(AUTHOR, model(1, 0, 0), 10)]);
    let copy = (COPIER, model(1, 2, 7), 20);
    assert_eq!(
        watcher.round(2, &[(AUTHOR, model(1, 0, 0), 10), copy]),
        [COPIER]
    );
    // The third is like the copy alone, and the author has gone; the fourth has the copy's very tensors.
    let more = [copy, (OTHER, model(1, 4, 9), 30), (4, model(1, 2, 7), 31)];
    assert_eq!(watcher.round(3, &more), [COPIER, OTHER, 4]);
    let root = |id: u8| watcher.ledger.chain(&account(id)).unwrap().root.account;
    assert_eq!([root(COPIER), root(OTHER), root(4)], [account(AUTHOR); 3]);
    // The author comes back with something that is like the copy of a copy alone.
    let back = [(OTHER, model(1, 4, 9), 30), (AUTHOR, model(1, 6, 0), 40)];
    assert_eq!(watcher.round(4, &back), [OTHER]);
}

#[test]
fn whoever_stops_copying_is_free_and_whoever_begins_to_is_not() {
    let mut watcher = Watcher::default();
    let author = (AUTHOR, model(1, 0, 0), 10);
    // Its own work is older than what it copies.
    assert_eq!(
        watcher.round(1, &[(COPIER, model(2, 0, 0), 6), author]),
        NOBODY
    );
    assert_eq!(
        watcher.round(2, &[(COPIER, model(1, 0, 7), 20), author]),
        [COPIER]
    );
    assert_eq!(
        watcher.round(3, &[(COPIER, model(1, 0, 7), 20), author]),
        [COPIER]
    );
    assert_eq!(
        watcher.round(4, &[(COPIER, model(5, 0, 0), 40), author]),
        NOBODY
    );
    assert_eq!(
        watcher.round(5, &[(COPIER, model(1, 1, 8), 50), author]),
        [COPIER]
    );
}

#[test]
fn what_cannot_be_looked_at_accuses_nobody_and_is_judged_when_it_can() {
    let mut watcher = Watcher::default();
    let author = (AUTHOR, model(1, 0, 0), 10);
    let copy = (COPIER, model(1, 0, 7), 20);
    watcher.round(1, &[author]);
    watcher.lost = vec![copy.1.manifest()];
    assert_eq!(watcher.round(2, &[author, copy]), NOBODY);
    watcher.lost.clear();
    assert_eq!(watcher.round(3, &[author, copy]), [COPIER]);
    // The author's chain goes on when the model before is lost, and the copier's is judged anew.
    watcher.lost = vec![author.1.manifest(), copy.1.manifest()];
    let next = [(AUTHOR, model(1, 1, 0), 30), (COPIER, model(1, 1, 8), 35)];
    assert_eq!(watcher.round(4, &next), [COPIER]);
    assert_eq!(
        watcher
            .ledger
            .chain(&account(AUTHOR))
            .unwrap()
            .root
            .committed_at,
        BlockNumber(10)
    );
}

#[test]
fn an_author_that_could_not_be_had_is_not_accused_by_whom_its_copier_was_faster() {
    let missing = |model, block| SeenMiner {
        artifact: Artifact::Missing,
        ..served(AUTHOR, model, block)
    };
    let mut watcher = Watcher::default();
    watcher.settle(1, vec![served(OTHER, model(3, 0, 0), 8)]);
    let copy = || served(COPIER, model(1, 0, 7), 20);
    let closed = watcher.settle(2, vec![missing(model(1, 0, 0), 10), copy()]);
    assert_eq!(accused(&closed), NOBODY);
    let closed = watcher.settle(3, vec![served(AUTHOR, model(1, 1, 0), 30), copy()]);
    assert_eq!(accused(&closed), NOBODY);
    // To go missing after the other began is of no use.
    let mut watcher = Watcher::default();
    watcher.settle(1, vec![served(OTHER, model(1, 0, 0), 8)]);
    watcher.settle(2, vec![missing(model(1, 0, 7), 10)]);
    let closed = watcher.settle(
        3,
        vec![
            served(OTHER, model(1, 0, 0), 8),
            served(AUTHOR, model(1, 0, 9), 20),
        ],
    );
    assert_eq!(accused(&closed), [AUTHOR]);
}

#[test]
fn of_two_new_chains_one_with_a_predecessor_is_given_the_benefit_of_the_doubt() {
    // The author has published anew after the copier did.
    let (author, copy) = ((AUTHOR, model(1, 1, 0), 30), (COPIER, model(1, 0, 7), 20));
    assert_eq!(Watcher::default().round(9, &[author, copy]), NOBODY);
    // A copy that says to be a first one was committed to when the original was there.
    let first = (AUTHOR, model(1, 1, 0), 10);
    assert_eq!(Watcher::default().round(9, &[first, copy]), [COPIER]);
    // So may have been one that names a predecessor, but not once the original has been seen.
    let with_parent = (COPIER, model(1, 1, 7), 20);
    assert_eq!(Watcher::default().round(9, &[first, with_parent]), NOBODY);
    let mut watcher = Watcher::default();
    watcher.round(8, &[first]);
    assert_eq!(watcher.round(9, &[first, with_parent]), [COPIER]);
    // That the rounds before were seen says nothing of what was replaced within an epoch.
    let mut watcher = Watcher::default();
    watcher.round(8, &[]);
    assert_eq!(watcher.round(9, &[author, copy]), NOBODY);
    // And nobody publishes before it is registered.
    let mut late = served(COPIER, model(1, 1, 7), 20);
    late.account.registered_at = BlockNumber(15);
    let closed = Watcher::default().settle(9, vec![served(AUTHOR, model(1, 1, 0), 10), late]);
    assert_eq!(accused(&closed), [COPIER]);
}

#[test]
fn a_hotkey_that_registers_anew_is_no_copy_of_itself() {
    let mut watcher = Watcher::default();
    watcher.round(
        1,
        &[(AUTHOR, model(1, 0, 0), 10), (COPIER, model(1, 0, 7), 12)],
    );
    for (round, step) in [(2, 0), (3, 1)] {
        let mut again = served(AUTHOR, model(1, step, 0), 40);
        again.account.registered_at = BlockNumber(35);
        let closed = watcher.settle(round, vec![again, served(COPIER, model(1, 0, 7), 12)]);
        assert_eq!(accused(&closed), [COPIER]);
    }
}

proptest! {
    /// Authors train on from models of their own, copiers publish what an author published before: in whatever order all are
    /// seen, the copiers are accused and nobody else is, and every bit is the same.
    #[test]
    fn the_order_of_miners_changes_nothing_and_no_author_is_accused(
        seed in any::<u64>(),
        rounds in proptest::collection::vec((any::<[bool; 3]>(), any::<[bool; 2]>()), 1..12),
    ) {
        use rand::{SeedableRng as _, seq::SliceRandom as _};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let (mut straight, mut shuffled) = (Watcher::default(), Watcher::default());
        let mut authors = [(1, 0_u8, 10_u32), (2, 0, 11), (3, 0, 12)];
        let mut copiers: [Option<Served>; 2] = [None; 2];
        for (number, (publish, copy)) in (1_u8..).zip(&rounds) {
            let block = 100 * u32::from(number);
            for (author, publishes) in authors.iter_mut().zip(publish) {
                if *publishes && number > 1 {
                    (author.1, author.2) = (author.1 + 1, block + u32::from(author.0));
                }
            }
            for (index, (copier, copies)) in (0_u8..).zip(copiers.iter_mut().zip(copy)) {
                // What was published before this epoch, under new bytes.
                if *copies && number > 1 {
                    let (family, step, at) = authors[usize::from(index)];
                    let step = step - u8::from(at >= block);
                    *copier = Some((10 + index, model(family, step, number), block));
                }
            }
            let mut miners: Vec<Served> =
                authors.iter().map(|(id, step, at)| (*id, model(*id, *step, 0), *at)).collect();
            miners.extend(copiers.iter().flatten());
            let expected: Vec<u8> = copiers.iter().flatten().map(|(id, ..)| *id).collect();
            prop_assert_eq!(straight.round(number.into(), &miners), expected);
            miners.shuffle(&mut rng);
            shuffled.round(number.into(), &miners);
            prop_assert_eq!(straight.ledger.to_bytes(), shuffled.ledger.to_bytes());
        }
    }
}
