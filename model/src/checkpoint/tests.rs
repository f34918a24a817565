//! What a checkpoint survives and what it refuses.

use super::*;
use crate::config::tests::tiny;

/// A tokenizer of 50 single-word tokens.
pub(crate) fn tokenizer_json() -> Vec<u8> {
    let vocab: Vec<String> = (0..50)
        .map(|id| match id {
            0 => r#""<|endoftext|>": 0"#.to_owned(),
            id => format!(r#""w{id}": {id}"#),
        })
        .collect();
    format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{{"id":0,"content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}}],"normalizer":null,"pre_tokenizer":{{"type":"WhitespaceSplit"}},"post_processor":null,"decoder":null,"model":{{"type":"WordLevel","vocab":{{{}}},"unk_token":"w1"}}}}"#,
        vocab.join(",")
    )
    .into_bytes()
}

fn provenance() -> Provenance {
    Provenance {
        parent: Some([7; 32]),
        training: TrainingSummary {
            steps: 3,
            tokens: 4096,
            heldout_loss: 1.2345,
        },
    }
}

/// A checkpoint of random weights in a directory of its own.
pub(crate) fn write(dir: &Path, seed: u64, precision: Precision) -> Checkpoint {
    let tensors = crate::transformer::tests::lively(&tiny(), seed);
    Checkpoint::write(
        dir,
        &tiny(),
        &tensors,
        &tokenizer_json(),
        &provenance(),
        precision,
    )
    .unwrap()
}

#[test]
fn a_written_checkpoint_opens_with_the_same_digest_and_tensors() {
    for precision in [Precision::F32, Precision::F16] {
        let dir = tempfile::tempdir().unwrap();
        let written = write(dir.path(), 1, precision);
        let opened = Checkpoint::open(dir.path()).unwrap();
        assert_eq!(opened.digest(), written.digest());
        assert_eq!(opened.manifest.parent_digest(), Some([7; 32]));
        assert_eq!(
            opened.tensors().unwrap().digest(),
            opened.manifest.tensors_digest()
        );
        assert_eq!(opened.tokenizer().unwrap().eos_id(), Some(0));
        assert_eq!(opened.tokenizer().unwrap().encode("w3 w9").unwrap(), [3, 9]);
    }
}

#[test]
fn writing_twice_gives_the_same_digest_and_other_weights_another() {
    let [a, b, c] = [1, 1, 2].map(|seed| {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), seed, Precision::F32).digest()
    });
    assert_eq!(a, b);
    assert_ne!(a, c);
}

#[test]
fn one_flipped_byte_in_any_file_is_refused_with_the_name_of_the_file() {
    for name in [CONFIG, TOKENIZER, WEIGHTS] {
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = write(dir.path(), 1, Precision::F32);
        let path = dir.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Checkpoint::open(dir.path()).unwrap_err();
        assert!(
            matches!(&error, CheckpointError::Digest { file } if file == name),
            "{error}"
        );
        bytes.push(0);
        fs::write(&path, &bytes).unwrap();
        let error = Checkpoint::open(dir.path()).unwrap_err();
        assert!(
            matches!(&error, CheckpointError::Size { file, .. } if file == name),
            "{error}"
        );
        fs::remove_file(&path).unwrap();
        let error = Checkpoint::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        if name == WEIGHTS {
            let error = checkpoint.tensors().unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn a_manifest_that_lies_about_the_tensors_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = write(dir.path(), 1, Precision::F32).manifest;
    manifest.tensors = "ab".repeat(32);
    fs::write(dir.path().join(MANIFEST), manifest.to_bytes()).unwrap();
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert!(matches!(error, CheckpointError::TensorDigest), "{error}");
}

#[test]
fn a_manifest_in_another_than_the_canonical_form_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = write(dir.path(), 1, Precision::F32).manifest;
    let bytes = manifest.to_bytes();
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
    assert_eq!(manifest.digest(), *blake3::hash(&bytes).as_bytes());
    let mut spaced = bytes.clone();
    spaced.push(b'\n');
    assert!(matches!(
        Manifest::parse(&spaced),
        Err(ManifestError::NotCanonical)
    ));
    assert!(matches!(
        Manifest::parse(&vec![b' '; MAX_MANIFEST_BYTES + 1]),
        Err(ManifestError::TooLarge)
    ));
}

#[test]
fn names_that_could_leave_the_directory_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = write(dir.path(), 1, Precision::F32).manifest;
    for name in [
        "../config.json",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "..",
        ".hidden",
        "",
        "c:evil",
        "manifest.json",
        "n\u{0}ul",
        "ümlaut",
    ] {
        let mut manifest = good.clone();
        manifest.files[0].name = name.into();
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let error = Manifest::parse(&bytes).unwrap_err();
        assert!(
            matches!(&error, ManifestError::FileName { name: n } if n == name),
            "{error}"
        );
    }
}

#[test]
fn a_manifest_with_wrong_entries_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = write(dir.path(), 1, Precision::F32).manifest;
    let check = |edit: &dyn Fn(&mut Manifest), says: &str| {
        let mut manifest = good.clone();
        edit(&mut manifest);
        let error = Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap_err();
        assert!(error.to_string().contains(says), "{error} says {says}");
    };
    check(&|m| m.files.swap(0, 1), "order");
    check(&|m| m.files[1] = m.files[0].clone(), "order");
    check(&|m| m.files[0].blake3 = "AB".repeat(32), CONFIG);
    check(&|m| m.tensors.truncate(63), "the tensors");
    check(&|m| m.parent = Some("x".repeat(64)), "the parent");
    check(&|m| drop(m.files.remove(0)), CONFIG);
    check(&|m| m.version = 2, "version 2");
    check(
        &|m| {
            m.files = (0..=MAX_FILES)
                .map(|i| FileEntry {
                    name: format!("f{i}"),
                    ..m.files[0].clone()
                })
                .collect()
        },
        "at most 64",
    );
}
