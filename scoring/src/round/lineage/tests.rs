//! What is written down of lineages has fixed bytes and bounds, and a ledger that knew none is taken over.

use std::collections::BTreeMap;

use athanor_spec::{BlockNumber, Epoch, Hotkey, Round, SubnetSpec, Uid};
use codec::DecodeAll as _;

use super::*;
use crate::{
    allocate::ChainLimits,
    ledger::Record,
    rank::Crown,
    round::{Closed, RoundInput, close},
};

fn account(id: u8) -> Account {
    Account {
        hotkey: Hotkey([id; 32]),
        registered_at: BlockNumber(u32::from(id)),
    }
}

const LIKE: Likeness = Likeness {
    manifest: Digest([101; 32]),
    tensors: Digest([1; 32]),
    distances: Distances {
        behaviour: 0.25,
        weights: 0.125,
        p_behaviour: 0.0,
        p_weights: 0.5,
        innovation: Some(SharedInnovation {
            share: -0.5,
            expected: 0.125,
            p: 0.25,
        }),
    },
};

fn miner(id: u8, artifact: Artifact) -> SeenMiner {
    SeenMiner {
        account: account(id),
        uid: Uid(id.into()),
        peer_key: Digest([id; 32]),
        checkpoint: Digest([100 + id; 32]),
        committed_at: BlockNumber(10 + u32::from(id)),
        previous: None,
        asks: 0,
        artifact,
    }
}

fn compared(id: u8, lineage: Lineage) -> SeenMiner {
    let tensors = Digest([id; 32]);
    miner(id, Artifact::Compared { tensors, lineage })
}

fn closed(before: Ledger, round: u64, miners: &[SeenMiner], spec: &SubnetSpec) -> Closed {
    let input = RoundInput {
        round: Round(round),
        miners,
        results: &[],
        limits: &ChainLimits::NONE,
    };
    close(before, &input, spec)
}

#[test]
fn the_bytes_of_an_artifact_are_fixed() {
    let bytes = |lineage| {
        let tensors = Digest([7; 32]);
        Artifact::Compared { tensors, lineage }.encode()
    };
    assert_eq!(bytes(Lineage::Begins), [&[3][..], &[7; 32], &[0]].concat());
    assert_eq!(
        bytes(Lineage::Presumed),
        [&[3][..], &[7; 32], &[2]].concat()
    );
    let numbers = [0.25_f64, 0.125, 0.0, 0.5].map(f64::to_le_bytes).concat();
    let own = [-0.5_f64, 0.125, 0.25].map(f64::to_le_bytes).concat();
    let like = |before: &[u8], after: &[u8]| {
        let digests = [&[101; 32][..], &[1; 32]].concat();
        [before, &digests, &numbers, after].concat()
    };
    let compared = |index: u8, after: &[u8]| like(&[&[3][..], &[7; 32], &[index]].concat(), after);
    // Where no innovation is known of, as it was written before any was measured.
    let mut plain = LIKE;
    plain.distances.innovation = None;
    for (of, lineage, chain) in [
        (plain, compared(1, &[]), like(&[1], &[])),
        (LIKE, compared(3, &own), like(&[2], &own)),
    ] {
        assert_eq!(bytes(Lineage::Alike(of)), lineage);
        let read = Artifact::decode_all(&mut &lineage[..]).unwrap();
        assert_eq!(read.encode(), lineage);
        let rests_on = Chain {
            manifest: Digest([8; 32]),
            tensors: Digest([9; 32]),
            root: claim_of(&miner(1, Artifact::Missing)),
            like: Some(of),
        };
        let written = rests_on.encode();
        assert!(written.ends_with(&chain), "{written:?}");
        assert_eq!(Chain::decode_all(&mut &written[..]), Ok(rests_on));
    }
}

#[test]
fn numbers_that_no_comparison_gives_are_refused() {
    let with = |change: &dyn Fn(&mut Distances)| {
        let mut like = LIKE;
        change(&mut like.distances);
        Lineage::Alike(like).is_bounded()
    };
    assert!(with(&|_| ()));
    assert!(!with(&|it| it.behaviour = f64::NAN));
    assert!(!with(&|it| it.behaviour = f64::INFINITY));
    assert!(!with(&|it| it.weights = 1.5));
    assert!(!with(&|it| it.p_weights = -0.1));
    let own = |share, p| {
        let expected = 0.5;
        Some(SharedInnovation { share, expected, p })
    };
    assert!(with(&|it| it.innovation = None));
    assert!(!with(&|it| it.innovation = own(1.5, 0.0)));
    assert!(!with(&|it| it.innovation = own(f64::NAN, 0.0)));
    assert!(!with(&|it| it.innovation = own(0.5, -0.1)));
    let mut far = LIKE.distances;
    (far.behaviour, far.p_behaviour) = (f64::INFINITY, f64::NAN);
    assert_eq!(
        (far.bounded().behaviour, far.bounded().p_behaviour),
        (1e6, 1.0)
    );
}

#[test]
fn a_spec_may_have_copies_shown_and_paid_until_it_is_changed() {
    let mut spec = SubnetSpec::local();
    spec.grade.functional_copies = FunctionalCopies::Shown;
    let miners = [
        compared(1, Lineage::Begins),
        compared(2, Lineage::Alike(LIKE)),
    ];
    let shown = closed(Ledger::default(), 1, &miners, &spec);
    assert!(shown.graded.iter().all(|it| it.grade.fault.is_none()));
    // Equal tensors are a copy's still, and the next spec knows what was found.
    let equal = SeenMiner {
        artifact: Artifact::Fetched {
            tensors: Digest([2; 32]),
        },
        ..miner(3, Artifact::Missing)
    };
    let faults = |closed: Closed| -> Vec<bool> {
        let faults = closed.graded.iter().map(|it| it.grade.fault.is_some());
        faults.collect()
    };
    let later = [miners[0].clone(), miners[1].clone(), equal];
    let shown = closed(shown.ledger, 2, &later, &spec);
    let ledger = shown.ledger.clone();
    assert_eq!(faults(shown), [false, false, true]);
    let unpaid = closed(ledger, 3, &later, &SubnetSpec::local());
    assert_eq!(faults(unpaid), [false, true, true]);
}

#[test]
fn a_likeness_to_what_nobody_committed_to_accuses_nobody() {
    let alone = [compared(2, Lineage::Alike(LIKE))];
    let closed = closed(Ledger::default(), 1, &alone, &SubnetSpec::local());
    assert_eq!(closed.graded[0].grade.fault, None);
    assert!(
        closed
            .ledger
            .chain(&account(2))
            .unwrap()
            .is_own(&account(2))
    );
}

#[test]
fn likenesses_within_one_round_lead_to_their_common_root() {
    let of = |id: u8| Likeness {
        tensors: Digest([id; 32]),
        ..LIKE
    };
    let miners = [
        compared(1, Lineage::Alike(of(2))),
        compared(2, Lineage::Alike(of(3))),
        SeenMiner {
            committed_at: BlockNumber(3),
            ..compared(3, Lineage::Begins)
        },
    ];
    let closed = closed(Ledger::default(), 1, &miners, &SubnetSpec::local());
    for id in 1..4 {
        let root = closed.ledger.chain(&account(id)).unwrap().root;
        assert_eq!(root.account, account(3));
    }
}

#[test]
fn an_older_ledger_s_authors_keep_what_they_serve() {
    let committed = |id: u8| {
        let mut record = Record::new(Epoch(1));
        record.set_checkpoint(Some(Digest([100 + id; 32])));
        (account(id), record)
    };
    let records: BTreeMap<Account, Record> = [committed(1), committed(2)].into();
    let claim = |id: u8, manifest: u8| Claim {
        account: account(id),
        committed_at: BlockNumber(4),
        manifest: Digest([manifest; 32]),
    };
    // The second serves another's tensors; its own are older ones.
    let claims: BTreeMap<Digest, Claim> = [
        (Digest([1; 32]), claim(1, 101)),
        (Digest([2; 32]), claim(2, 9)),
    ]
    .into();
    let pasts = Ledger::pasts_of_claims(&records, &claims);
    assert_eq!(pasts.keys().collect::<Vec<_>>(), [&account(1)]);
    let ledger = Ledger::of(Some(Round(1)), records, claims, pasts, Crown::default());
    let chain = ledger.chain(&account(1)).unwrap();
    assert_eq!(
        (chain.manifest, chain.root),
        (Digest([101; 32]), claim(1, 101))
    );
    assert_eq!(Ledger::from_bytes(&ledger.to_bytes()), Ok(ledger));
}
