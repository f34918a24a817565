//! A disguised copy is named with its original; who committed first is no copy, strangers are left alone, and what is known
//! is not looked at again.

use std::path::Path;

use athanor_model::{DeviceChoice, Precision, Tensors, checkpoint::Provenance};
use athanor_scoring::{
    allocate::ChainLimits,
    round::{Lineage, RoundInput, SeenMiner, close},
    similarity::null::NullSample,
};
use athanor_spec::SubnetSpec;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

const TEACHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../distill/teacher");

fn changed(teacher: &Checkpoint, share: f32, seed: u64, dir: &Path) -> Arc<Checkpoint> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tensors = Tensors::new();
    for (name, tensor) in teacher.tensors().unwrap().iter() {
        let mut tensor = tensor.clone();
        for value in &mut tensor.data {
            *value *= 1.0 + share * rng.random_range(-1.0..1.0);
        }
        tensors.insert(name, tensor);
    }
    let tokenizer = teacher.tokenizer_json().unwrap();
    let provenance = Provenance::default();
    let written = Checkpoint::write(
        dir,
        &teacher.config,
        &tensors,
        &tokenizer,
        &provenance,
        Precision::F32,
    );
    Arc::new(written.unwrap())
}

pub(crate) struct Models {
    _folder: tempfile::TempDir,
    pub(crate) bench: Bench,
    pub(crate) original: Arc<Checkpoint>,
    pub(crate) copy: Arc<Checkpoint>,
    pub(crate) stranger: Arc<Checkpoint>,
}

pub(crate) fn models() -> Models {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Checkpoint::open(Path::new(TEACHER)).unwrap();
    let dir = |name: &str| folder.path().join(name);
    let original = changed(&teacher, 0.5, 1, &dir("original"));
    let null = NullSample::shipped();
    assert!(null.is_of(&Digest(teacher.manifest.tensors_digest())));
    Models {
        bench: Bench {
            lens: Lens::new(&teacher, DeviceChoice::Cpu, null.seed).unwrap(),
            test: CopyTest::new(null, 1),
            tokenizer: teacher.tokenizer().unwrap(),
            teacher: Digest(teacher.digest()),
        },
        copy: changed(&original, 0.01, 2, &dir("copy")),
        stranger: changed(&teacher, 0.5, 3, &dir("stranger")),
        original,
        _folder: folder,
    }
}

fn account(id: u8) -> Account {
    Account {
        hotkey: Hotkey([id; 32]),
        registered_at: BlockNumber(1),
    }
}

pub(crate) fn member(id: u8, block: u32, checkpoint: &Arc<Checkpoint>) -> Member {
    Member {
        account: account(id),
        uid: Uid(id.into()),
        committed_at: BlockNumber(block),
        checkpoint: checkpoint.clone(),
    }
}

pub(crate) const SEED: [u8; 32] = [5; 32];

type Found = Vec<(Account, Artifact)>;

/// A round of these on a ledger, drawn from [`SEED`]; what was found and shown, and the ledger after it.
pub(crate) fn round(
    bench: &Bench,
    ledger: Ledger,
    number: u64,
    members: Vec<Member>,
) -> (Found, Vec<Event>, Ledger) {
    let round = Round(number);
    let seen = |member: &Member| SeenMiner {
        account: member.account,
        uid: member.uid,
        peer_key: Digest([0; 32]),
        checkpoint: Digest(member.checkpoint.digest()),
        committed_at: member.committed_at,
        previous: None,
        asks: 0,
        artifact: Artifact::Fetched {
            tensors: Digest(member.checkpoint.manifest.tensors_digest()),
        },
    };
    let mut miners: Vec<SeenMiner> = members.iter().map(seen).collect();
    let (found, mut receiver) = oneshot::channel();
    let events = bench.compare(Population {
        validator: Hotkey([9; 32]),
        round,
        seed: SEED,
        ledger: ledger.clone(),
        members,
        earlier: HashMap::new(),
        found,
    });
    let found = receiver.try_recv().unwrap();
    for (account, artifact) in &found {
        let of = |miner: &&mut SeenMiner| miner.account == *account;
        miners.iter_mut().find(of).unwrap().artifact = artifact.clone();
    }
    let input = RoundInput {
        round,
        miners: &miners,
        results: &[],
        limits: &ChainLimits::NONE,
    };
    let closed = close(ledger, &input, &SubnetSpec::local());
    (found, events, closed.ledger)
}

#[test]
fn a_copy_with_noise_is_named_with_its_original_and_not_looked_at_twice() {
    let models = models();
    let members = || {
        vec![
            // Handed over before its original, and committed after it.
            member(3, 30, &models.copy),
            member(1, 10, &models.original),
            member(2, 20, &models.stranger),
            // Equal tensors are not compared: the ledger knows.
            member(4, 40, &models.original),
        ]
    };
    let (found, events, ledger) = round(&models.bench, Ledger::default(), 4, members());
    let lineage = |id: u8| {
        let of = |it: &&(Account, Artifact)| it.0 == account(id);
        match found.iter().find(of).map(|it| &it.1) {
            Some(Artifact::Compared { lineage, .. }) => Some(*lineage),
            _ => None,
        }
    };
    assert_eq!(
        (lineage(1), lineage(2)),
        (Some(Lineage::Begins), Some(Lineage::Begins))
    );
    assert_eq!(lineage(4), None);
    let Some(Lineage::Alike(like)) = lineage(3) else {
        panic!("{found:?}");
    };
    assert_eq!(like.manifest, Digest(models.original.digest()));
    assert!(
        like.distances.weights < 0.01 && like.distances.p_weights < 1e-9,
        "{like:?}"
    );
    let [
        Event::Resembles {
            miner,
            earlier,
            verdict,
            ..
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!((*miner, *earlier), (Hotkey([3; 32]), Hotkey([1; 32])));
    assert_eq!(verdict, "same_class");
    let (found, events, _) = round(&models.bench, ledger, 5, members());
    assert_eq!((found.len(), events.len()), (0, 0));
}

#[test]
fn a_miner_s_own_successor_is_no_event_and_a_round_that_is_over_is_not_looked_at() {
    let models = models();
    let first = vec![member(1, 10, &models.original)];
    let (_, _, ledger) = round(&models.bench, Ledger::default(), 4, first);
    let population = |found, members| Population {
        validator: Hotkey([9; 32]),
        round: Round(5),
        seed: [6; 32],
        ledger: ledger.clone(),
        members,
        earlier: HashMap::from([(
            Digest(models.original.digest()),
            models.original.dir.clone(),
        )]),
        found,
    };
    let successor = || vec![member(1, 30, &models.copy)];
    let (found, mut receiver) = oneshot::channel();
    assert_eq!(models.bench.compare(population(found, successor())), []);
    let found = receiver.try_recv().unwrap();
    let [
        (
            _,
            Artifact::Compared {
                lineage: Lineage::Alike(like),
                ..
            },
        ),
    ] = found.as_slice()
    else {
        panic!("{found:?}");
    };
    assert_eq!(like.manifest, Digest(models.original.digest()));
    let (found, receiver) = oneshot::channel();
    drop(receiver);
    let both = vec![member(1, 10, &models.original), member(3, 40, &models.copy)];
    assert_eq!(models.bench.compare(population(found, both)), []);
}
