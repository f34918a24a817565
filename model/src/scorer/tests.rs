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

fn sequence(len: u32, salt: u32) -> Vec<u32> {
    (0..len).map(|i| i * salt % 50).collect()
}

#[test]
fn a_branch_of_a_tree_has_the_bits_of_its_sequence_alone() {
    let scorer = scorer();
    let prompts: Vec<Vec<u32>> = (1..100).map(|n| sequence(1 + n % 30, n)).collect();
    // From no branch to four, the second of them empty.
    let branches: Vec<Vec<Vec<u32>>> = (0..prompts.len() as u32)
        .map(|n| {
            (0..n % 5)
                .map(|b| sequence([9, 0, 30, 1][b as usize], n + b))
                .collect()
        })
        .collect();
    let trees: Vec<Tree<'_>> = prompts
        .iter()
        .zip(&branches)
        .map(|(prompt, branches)| Tree {
            prompt,
            branches: branches.iter().map(Vec::as_slice).collect(),
        })
        .collect();
    assert!(fitting(&trees) < trees.len(), "one pass would show nothing");
    let together = scorer.logits_of_trees(&trees).unwrap();
    assert_eq!(together.len(), trees.len());
    for (tree, found) in trees.iter().zip(&together) {
        assert_eq!(found.len(), tree.branches.len());
        for (branch, found) in tree.branches.iter().zip(found) {
            let alone = scorer.logits(&[tree.prompt, branch].concat(), tree.prompt.len());
            assert_eq!(&alone.unwrap(), found);
        }
    }
    assert_eq!(scorer.logits_of_trees(&[]), Ok(Vec::new()));
}

#[test]
fn the_two_ways_to_compute_on_a_cpu_agree_but_for_rounding() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = write(dir.path(), 1, Precision::F16);
    let [own, burn] = [DeviceChoice::Cpu, DeviceChoice::Flex].map(|device| {
        let scorer = Scorer::load(&checkpoint, device).unwrap();
        scorer.logits(&sequence(40, 7), 8).unwrap()
    });
    assert_eq!(own.rows(), burn.rows());
    for (own, burn) in own.data.iter().zip(&burn.data) {
        assert!((own - burn).abs() < 1e-4, "{own} against {burn}");
    }
}

#[test]
fn what_cannot_be_replayed_is_refused_and_says_why() {
    let scorer = scorer();
    let check = |tokens: &[u32], from, expected| {
        assert_eq!(scorer.logits(tokens, from), Err(expected));
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

#[test]
fn a_tree_with_one_branch_that_cannot_be_replayed_is_refused() {
    let scorer = scorer();
    let tree = |prompt, branch| Tree {
        prompt,
        branches: vec![&[1, 2][..], branch],
    };
    let unknown = ScoreError::UnknownToken {
        token: 50,
        vocab: 50,
    };
    let check = |tree, expected| {
        let good = Tree {
            prompt: &[1][..],
            branches: Vec::new(),
        };
        assert_eq!(scorer.logits_of_trees(&[good, tree]), Err(expected));
    };
    check(tree(&[1], &[50]), unknown);
    check(tree(&[50], &[1]), unknown);
    check(tree(&[], &[1]), ScoreError::From { from: 0, tokens: 0 });
}
