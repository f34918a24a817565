//! Replays what was found and kept while fuzzing: no decoder panics, and each gives back what it took.

use std::{fs, path::Path};

// Of the fuzzers' own workspace it is the library.
#[allow(unreachable_pub)]
#[path = "fuzz/src/lib.rs"]
mod decoders;

#[test]
fn every_decoder_stands_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, decode) in decoders::DECODERS {
        let files =
            fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut replayed = 0;
        for file in files {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            if let Err(panic) = std::panic::catch_unwind(|| decode(&bytes)) {
                eprintln!("{} is too much for the decoder", path.display());
                std::panic::resume_unwind(panic);
            }
            replayed += 1;
        }
        assert!(replayed > 0, "{name} has no corpus");
    }
}

#[test]
fn every_decoder_has_a_target_and_every_target_is_a_decoder() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut targets: Vec<String> = fs::read_dir(targets)
        .unwrap()
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    targets.sort();
    assert_eq!(targets, decoders::DECODERS.map(|(name, _)| name));
}
