//! What holds for every family.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use athanor_spec::SubnetSpec;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn check(property: impl Fn(Family, &mut ChaCha8Rng)) {
    for family in Family::ALL {
        property(family, &mut ChaCha8Rng::seed_from_u64(7));
    }
}

fn taught(family: Family, rng: &mut ChaCha8Rng) -> Item {
    generate(family, &TAUGHT, rng)
}

#[test]
fn the_local_subnet_asks_what_its_teacher_was_taught() {
    assert_eq!(SubnetSpec::local().tasks, TAUGHT);
}

#[test]
fn the_expected_answer_grades_one_whatever_the_spacing() {
    check(|family, rng| {
        for _ in 0..500 {
            let item = taught(family, rng);
            assert_eq!(grade(&item, &item.expected), 1.0, "{item:?}");
            assert_eq!(
                grade(&item, &format!(" {}\n", item.expected)),
                1.0,
                "{item:?}"
            );
        }
    });
}

#[test]
fn a_wrong_answer_grades_below_one() {
    check(|family, rng| {
        for _ in 0..500 {
            let item = taught(family, rng);
            let (head, last) = item
                .expected
                .rsplit_once(' ')
                .unwrap_or(("", &item.expected));
            for wrong in [
                "".into(),
                head.into(),
                format!("{} x", item.expected),
                format!("{head} {last}{last}"),
            ] {
                let got = grade(&item, &wrong);
                assert!(
                    (0.0..1.0).contains(&got),
                    "{wrong:?} for {item:?} graded {got}"
                );
            }
        }
    });
}

/// Draws of which no two may be the same.
const DRAWS: u64 = 1_000_000;

#[test]
fn a_deck_deals_a_million_different_items_of_every_family() {
    let hasher = RandomState::new();
    check(|family, rng| {
        let deck = Deck::new([11; 32]);
        let (low, _) = family.params(&TAUGHT).length;
        assert!(family.space(low, TAUGHT.paraphrases) > u128::from(DRAWS));
        // By a hash of 64 bits, of which two of a million agree by chance once in 40 million runs.
        let mut prompts = HashSet::with_capacity(DRAWS as usize);
        for counter in 0..DRAWS {
            let item = deck.deal(family, &TAUGHT, counter, rng);
            assert!(
                prompts.insert(hasher.hash_one(&item.prompt)),
                "{}: {:?} again",
                family.name(),
                item.prompt
            );
        }
    });
}

#[test]
fn spaces_are_as_large_as_each_family_states() {
    let stated = [
        (Family::Copy, 6, 3.0e8),
        (Family::Reverse, 5, 1.18e7),
        (Family::Sort, 5, 7.8e6),
        (Family::Add, 4, 9.1e6),
        (Family::Next, 6, 2.4e8),
        (Family::Larger, 4, 6.5e7),
        (Family::Logic, 7, 3.5e7),
        (Family::Replace, 5, 1.0e8),
        (Family::Recall, 4, 1.4e10),
    ];
    for (family, length, at_least) in stated {
        assert_eq!(family.params(&TAUGHT).length.0, length);
        let space = family.space(length, 1) as f64;
        assert!((at_least..1.1 * at_least).contains(&space), "{space}");
        assert_eq!(family.space(length, 4), 4 * family.space(length, 1));
    }
}

#[test]
fn numbers_below_a_space_are_different_questions_and_no_choice_is_left_over() {
    let tasks = TaskParams {
        recall_distance: (0, 0),
        ..TAUGHT
    };
    check(|family, rng| {
        let space = family.space(2, 1);
        let numbers: Vec<u128> = match space {
            ..=200_000 => (0..space).collect(),
            _ => (0..200_000).map(|_| rng.random_range(0..space)).collect(),
        };
        let distinct: HashSet<u128> = numbers.iter().copied().collect();
        let questions: HashSet<String> = numbers
            .iter()
            .map(|number| item(family, 2, *number, &tasks, rng).prompt)
            .collect();
        assert_eq!(questions.len(), distinct.len(), "{}", family.name());
        // One number more is the first question of the next wording, so all digits were used up.
        let again = family.nth(2, 1, "", space);
        assert_eq!(again, family.nth(2, 1, "", 0), "{}", family.name());
    });
}

#[test]
fn the_longest_questions_have_numbers_too() {
    let mut tasks = TAUGHT;
    for family in [
        &mut tasks.copy,
        &mut tasks.replace,
        &mut tasks.larger,
        &mut tasks.recall,
    ] {
        family.length = (16, 16);
    }
    for family in [
        Family::Copy,
        Family::Replace,
        Family::Larger,
        Family::Recall,
    ] {
        assert!(family.space(16, 4) < u128::MAX, "{}", family.name());
        let item = Deck::new([1; 32]).deal(family, &tasks, 5, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!((grade(&item, &item.expected), item.length), (1.0, 16));
    }
}

#[test]
fn distractors_and_wordings_change_the_prompt_and_not_the_answer() {
    let tasks = TaskParams {
        distractor_share: 1.0,
        paraphrases: 4,
        ..TAUGHT
    };
    check(|family, rng| {
        let mut wordings = HashSet::new();
        for _ in 0..200 {
            let item = generate(family, &tasks, rng);
            let (example, question) = item.prompt.rsplit_once("\nQ: ").unwrap();
            assert!(example.starts_with("Q: ") && example.contains("\nA: "));
            assert_eq!(grade(&item, &item.expected), 1.0);
            wordings.insert(question.split(' ').next().unwrap().to_owned());
        }
        assert_eq!(wordings.len(), 4, "{}: {wordings:?}", family.name());
    });
}

#[test]
fn families_are_drawn_by_their_weights() {
    let mut tasks = TAUGHT;
    tasks.sort.weight = 3.0;
    tasks.logic.weight = 0.0;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut drawn = |family| {
        let count = (0..9_000).filter(|_| choose(&tasks, &mut rng) == Some(family));
        count.count()
    };
    // Of a total weight of 9; four standard deviations are 180 and 119.
    assert!((2_820..3_180).contains(&drawn(Family::Sort)));
    assert!((880..1_120).contains(&drawn(Family::Copy)));
    assert_eq!(drawn(Family::Logic) + drawn(Family::Recall), 0);
}

#[test]
fn a_guess_is_never_likelier_for_a_longer_question() {
    check(|family, _| {
        let chances: Vec<f64> = (2..=16).map(|length| family.chance(length)).collect();
        assert!(chances.iter().all(|chance| *chance > 0.0 && *chance <= 1.0));
        assert!(chances.windows(2).all(|pair| pair[1] <= pair[0]));
    });
}

#[test]
fn prompts_and_answers_stay_short() {
    check(|family, rng| {
        for _ in 0..500 {
            let item = taught(family, rng);
            assert!(item.prompt.starts_with("Q: ") && item.prompt.ends_with("\nA:"));
            assert!(item.prompt.split_whitespace().count() <= 45, "{item:?}");
            assert!(item.expected.split(' ').count() <= 8, "{item:?}");
        }
    });
}

#[test]
fn the_same_seed_draws_the_same_item() {
    check(|family, _| {
        let draw = |seed| taught(family, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    });
}

#[test]
fn answers_are_what_the_questions_ask_for() {
    let word = |text: &str, at: usize| text.split_whitespace().nth(at).unwrap().to_owned();
    check(|family, rng| {
        let Item {
            prompt, expected, ..
        } = taught(family, rng);
        let body = prompt
            .strip_prefix("Q: ")
            .unwrap()
            .strip_suffix("\nA:")
            .unwrap();
        let (_, rest) = body.split_once(' ').unwrap();
        let first_pair = || {
            (
                word(rest, 0).parse::<u8>().unwrap(),
                word(rest, 1).parse::<u8>().unwrap(),
            )
        };
        match family {
            Family::Copy => assert_eq!(rest, expected),
            Family::Reverse => assert_eq!(rest.chars().rev().collect::<String>(), expected),
            Family::Sort => {
                assert!(expected.split(' ').is_sorted() && word(&expected, 0) <= word(rest, 0))
            }
            Family::Add => assert_eq!(
                first_pair().0 + first_pair().1,
                word(&expected, 0).parse::<u8>().unwrap()
            ),
            Family::Next => assert_eq!(rest.as_bytes()[0] + 1, expected.as_bytes()[0]),
            Family::Larger => assert_eq!(
                first_pair().0.max(first_pair().1),
                word(&expected, 0).parse::<u8>().unwrap()
            ),
            Family::Logic => assert!(expected.split(' ').all(|w| w == "t" || w == "f")),
            Family::Replace => {
                assert!(!expected.contains(&word(rest, 0)) && expected.contains(&word(rest, 2)));
                let (old, edited) = (word(rest, 0), rest.split_once(" in ").unwrap().1);
                assert_eq!(edited.split(' ').filter(|letter| *letter == old).count(), 2);
            }
            Family::Recall => {
                let key = body.split_whitespace().last().unwrap();
                let list = rest.split('\n').next().unwrap().replace(',', "");
                let pairs: Vec<&str> = list.split_whitespace().collect();
                let held = pairs.chunks(2).find(|pair| pair[0] == key).unwrap();
                assert_eq!(held[1], expected);
            }
        }
    });
}
