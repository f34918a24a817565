//! What a replay returns and what it refuses.

use super::*;
use crate::checkpoint::tests::write;
use crate::tensors::Precision;

fn scorer() -> Scorer {
    let dir = tempfile::tempdir().unwrap();
    Scorer::load(&write(dir.path(), 1, Precision::F16), DeviceChoice::Cpu).unwrap()
}

#[test]
fn a_row_predicts_its_token_whatever_comes_after_it() {
    let scorer = scorer();
    let tokens: Vec<u32> = (0..20).map(|i| i * 13 % 50).collect();
    let whole = scorer.logits(&tokens, 1).unwrap();
    assert_eq!(whole.rows(), 20);
    for from in [1, 7, 19, 20] {
        let part = scorer.logits(&tokens, from).unwrap();
        assert_eq!(part.rows(), 20 - from + 1);
        for i in 0..part.rows() {
            assert_eq!(part.row(i), whole.row(from - 1 + i));
        }
        let prefix = scorer.logits(&tokens[..from], from).unwrap();
        assert_eq!(prefix.row(0), whole.row(from - 1));
    }
}

#[test]
fn a_batch_is_its_sequences_one_by_one() {
    let scorer = scorer();
    let sequences: Vec<Vec<u32>> = (1..6)
        .map(|n| (0..n * 7).map(|i| i * n % 50).collect())
        .collect();
    let batch: Vec<(&[u32], usize)> = sequences
        .iter()
        .enumerate()
        .map(|(i, s)| (s.as_slice(), i + 1))
        .collect();
    let together = scorer.logits_batch(&batch).unwrap();
    for ((tokens, from), logits) in batch.iter().zip(&together) {
        assert_eq!(&scorer.logits(tokens, *from).unwrap(), logits);
    }
}

#[test]
fn what_cannot_be_replayed_is_refused_and_says_why() {
    let scorer = scorer();
    let check = |tokens: &[u32], from, expected| {
        assert_eq!(scorer.logits(tokens, from), Err(expected));
        assert_eq!(
            scorer.logits_batch(&[(&[1, 2], 1), (tokens, from)]),
            Err(expected)
        );
    };
    check(
        &[1; 65],
        1,
        ScoreError::TooLong {
            tokens: 65,
            limit: 64,
        },
    );
    check(&[1, 2], 0, ScoreError::From { from: 0, tokens: 2 });
    check(&[1, 2], 3, ScoreError::From { from: 3, tokens: 2 });
    check(&[], 0, ScoreError::From { from: 0, tokens: 0 });
    check(
        &[1, 50],
        1,
        ScoreError::UnknownToken {
            token: 50,
            vocab: 50,
        },
    );
}
