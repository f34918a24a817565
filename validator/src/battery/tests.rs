//! A disguised copy is named with its original; who committed first is no copy, and strangers are left alone.

use std::path::Path;

use athanor_model::{Precision, Tensors, checkpoint::Provenance};
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

#[test]
fn a_copy_with_noise_is_named_with_its_original() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Checkpoint::open(Path::new(TEACHER)).unwrap();
    let original = changed(&teacher, 0.5, 1, &folder.path().join("original"));
    let models = [
        // Handed over before its original, and committed after it.
        (
            3,
            30,
            changed(&original, 0.01, 2, &folder.path().join("copy")),
        ),
        (1, 10, original.clone()),
        (
            2,
            20,
            changed(&teacher, 0.5, 3, &folder.path().join("stranger")),
        ),
        // Equal tensors are not compared: the ledger knows.
        (4, 40, original),
    ];
    let population = Population {
        validator: Hotkey([9; 32]),
        round: Round(4),
        seed: [5; 32],
        members: models
            .into_iter()
            .map(|(uid, block, checkpoint)| Member {
                hotkey: Hotkey([uid; 32]),
                uid: Uid(uid.into()),
                committed_at: BlockNumber(block),
                checkpoint,
            })
            .collect(),
    };
    let test = CopyTest::new(NullSample::shipped(), 1);
    let tokenizer = teacher.tokenizer().unwrap();
    let events = compare(&test, &tokenizer, DeviceChoice::Cpu, population);
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
}
