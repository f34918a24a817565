//! Taking, keeping and refusing checkpoints.

use std::fs;

use super::*;

fn spec() -> SubnetSpec {
    SubnetSpec::local()
}

fn store(dir: &Path) -> (Store, BlobStore) {
    let blobs = BlobStore::open(&dir.join("trees"), spec().limits.max_chunk_bytes).unwrap();
    (Store::open(dir, blobs.clone()).unwrap(), blobs)
}

fn served(blobs: &BlobStore, digest: [u8; 32]) -> bool {
    let fetch = Fetch {
        blob: Digest(digest),
        offset: 0,
        len: 1024,
    };
    blobs.slice(&fetch).is_ok()
}

#[test]
fn a_checkpoint_is_fetchable_file_by_file_and_survives_its_source() {
    let directory = tempfile::tempdir().unwrap();
    let source = tiny(directory.path(), 7);
    let (mut store, blobs) = store(directory.path());
    let kept = store.adopt(&source.dir, &spec(), None).unwrap();
    fs::remove_dir_all(&source.dir).unwrap();
    assert_eq!(kept.digest(), Digest(source.digest()));
    assert!(served(&blobs, source.digest()));
    for file in &source.manifest.files {
        assert!(served(&blobs, file.digest()), "{}", file.name);
    }
    assert!(store.find(kept.digest()).is_some());
    assert!(store.find(Digest([1; 32])).is_none());
}

#[test]
fn old_checkpoints_go_but_shared_files_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, blobs) = store(directory.path());
    let all: Vec<Checkpoint> = (10..15).map(|seed| tiny(directory.path(), seed)).collect();
    for checkpoint in &all {
        store.adopt(&checkpoint.dir, &spec(), None).unwrap();
    }
    store.prune(&[Digest(all[0].digest())], Budget::Few);
    let kept = [true, false, false, true, true];
    for (checkpoint, kept) in all.iter().zip(kept) {
        assert_eq!(served(&blobs, checkpoint.digest()), kept);
        assert_eq!(store.find(Digest(checkpoint.digest())).is_some(), kept);
    }
    let tokenizer = all[1].manifest.file(TOKENIZER).unwrap().digest();
    assert!(served(&blobs, tokenizer));
}

#[test]
fn a_checkpoint_on_trial_stays_whatever_else_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = store(directory.path());
    let all: Vec<Digest> = (10..15)
        .map(|seed| tiny(directory.path(), seed))
        .map(|checkpoint| {
            store
                .adopt(&checkpoint.dir, &spec(), None)
                .unwrap()
                .digest()
        })
        .collect();
    store.prune(&all[..3], Budget::Few);
    assert!(all.iter().all(|digest| store.find(*digest).is_some()));
}

#[test]
fn what_changed_is_fetchable_as_long_as_both_checkpoints_are() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, blobs) = store(directory.path());
    let first = tiny(directory.path(), 30);
    let mut tensors = first.tensors().unwrap();
    let mut norm = tensors.remove("model.norm.weight").unwrap();
    norm.data[0] += 0.5;
    tensors.insert("model.norm.weight", norm);
    let second = Checkpoint::write(
        &directory.path().join("second"),
        &first.config,
        &tensors,
        &first.tokenizer_json().unwrap(),
        &Provenance::default(),
        Precision::F32,
    )
    .unwrap();
    let file = |of: &Checkpoint| of.manifest.file(WEIGHTS).unwrap().digest();
    let query = DeltaQuery {
        file: Digest(file(&second)),
        base: Digest(file(&first)),
    };
    store.adopt(&first.dir, &spec(), None).unwrap();
    let base = Some(Digest(first.digest()));
    store.adopt(&second.dir, &spec(), base).unwrap();
    let offer = store.deltas().find(&query).expect("there is a delta");
    assert!(offer.bytes < second.manifest.total_bytes() / 10);
    assert!(served(&blobs, offer.blob.0));

    for seed in 31..33 {
        store
            .adopt(&tiny(directory.path(), seed).dir, &spec(), None)
            .unwrap();
    }
    store.prune(&[Digest(second.digest())], Budget::Few);
    assert_eq!(store.deltas().find(&query), None);
    assert!(!served(&blobs, offer.blob.0));
    let left = fs::read_dir(directory.path().join("checkpoints/.deltas")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn a_damaged_checkpoint_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let source = tiny(directory.path(), 20);
    let weights = source.dir.join(athanor_model::checkpoint::WEIGHTS);
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let (mut store, _) = store(directory.path());
    let error = store.adopt(&source.dir, &spec(), None).unwrap_err();
    assert!(
        matches!(error, CheckpointRefused::Damaged { .. }),
        "{error}"
    );
    assert!(!error.to_string().contains('\n'));
}

#[test]
fn a_checkpoint_that_does_not_fit_the_subnet_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let good = tiny(directory.path(), 21);
    assert!(CheckpointRefused::check(&good, &spec()).is_ok());
    let short = tiny_with(directory.path(), 22, |config| {
        config.max_position_embeddings = 64
    });
    let error = CheckpointRefused::check(&short, &spec()).unwrap_err();
    assert!(
        matches!(error, CheckpointRefused::Context { found: 64, .. }),
        "{error}"
    );

    let mut narrow = spec();
    narrow.limits.max_artifact_bytes = 10;
    let error = CheckpointRefused::check(&good, &narrow).unwrap_err();
    assert!(
        matches!(error, CheckpointRefused::TooLarge { bound: 10, .. }),
        "{error}"
    );
    let mut other = spec();
    other.subnet.vocab_size += 1;
    let error = CheckpointRefused::check(&good, &other).unwrap_err();
    assert!(
        matches!(error, CheckpointRefused::Vocabulary { .. }),
        "{error}"
    );
}

#[test]
fn the_canary_takes_a_sound_checkpoint_and_refuses_one_that_computes_nonsense() {
    let directory = tempfile::tempdir().unwrap();
    let sound = tiny(directory.path(), 23);
    assert!(
        canary::check(&sound, DeviceChoice::Cpu, None)
            .unwrap()
            .is_none()
    );

    let mut tensors = sound.tensors().unwrap();
    let names: Vec<String> = tensors.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let mut tensor = tensors.remove(&name).unwrap();
        tensor.data.fill(f32::NAN);
        tensors.insert(name, tensor);
    }
    let broken = Checkpoint::write(
        &directory.path().join("broken"),
        &sound.config,
        &tensors,
        &sound.tokenizer_json().unwrap(),
        &Provenance::default(),
        Precision::F32,
    );
    // Either is right: not written at all, or written and refused.
    if let Ok(broken) = broken {
        assert!(canary::check(&broken, DeviceChoice::Cpu, None).is_err());
    }
}
