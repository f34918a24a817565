//! The teacher that is shipped is what its README says.

use std::collections::HashSet;

use athanor_model::DeviceChoice;
use athanor_scoring::corpus;

use super::*;
use crate::{
    evaluation::{EvaluationPlan, evaluate},
    shard::{Recorded, Shard, ShardPlan},
    tests::{source, teacher},
};

#[test]
fn the_bundled_teacher_unpacks_verifies_and_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let teacher = write_teacher(dir.path()).unwrap();
    assert_eq!(teacher.digest(), digest());
    assert!(size() <= 8 << 20, "{}", size());
    assert_eq!(write_teacher(dir.path()).unwrap().digest(), digest());
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    assert_eq!(
        write_teacher(dir.path()).unwrap().digest(),
        digest(),
        "a damaged directory is mended"
    );
}

#[test]
fn the_bundled_teacher_solves_most_tasks() {
    let plan = EvaluationPlan {
        seed: 3,
        passages: 40,
        items: 20,
        temperature: 0.8,
    };
    let found = evaluate(teacher(), &source().held_out, &plan, DeviceChoice::Cpu).unwrap();
    assert!(found.exact() >= 0.9, "{found}");
    assert!(
        found.families.iter().all(|family| family.grade >= 0.85),
        "{found}"
    );
    assert!(found.text_loss < 3.5, "{found}");
}

#[test]
fn the_bundled_teacher_writes_mostly_words() {
    let known: HashSet<&str> = corpus::TEXT
        .split(|c: char| !c.is_ascii_alphabetic())
        .collect();
    let plan = ShardPlan {
        seed: 3,
        items: 0,
        passages: 0,
        continuations: 24,
    };
    let spoken = Shard::record(&source(), &source().held_out, &plan, DeviceChoice::Cpu).unwrap();
    let mut share = (0, 0);
    for Recorded { example, .. } in &spoken.examples {
        let text = source()
            .held_out
            .tokenizer()
            .decode(&example.tokens[example.from + 1..])
            .unwrap();
        // The first and the last word may be cut.
        let words: Vec<&str> = text
            .split(|c: char| !c.is_ascii_alphabetic())
            .filter(|word| !word.is_empty())
            .collect();
        let whole = words
            .get(1..words.len().saturating_sub(1))
            .unwrap_or_default();
        share.0 += whole.iter().filter(|word| known.contains(**word)).count();
        share.1 += whole.len();
    }
    assert!(
        share.1 > 200 && share.0 as f64 >= 0.8 * share.1 as f64,
        "{} of {} words",
        share.0,
        share.1
    );
}
