//! What holds for every family.

use std::collections::HashSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn check(property: impl Fn(Family, &mut ChaCha8Rng)) {
    for family in Family::ALL {
        property(family, &mut ChaCha8Rng::seed_from_u64(7));
    }
}

#[test]
fn the_expected_answer_grades_one_whatever_the_spacing() {
    check(|family, rng| {
        for _ in 0..500 {
            let item = generate(family, rng);
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
            let item = generate(family, rng);
            let (head, last) = item.expected.rsplit_once(' ').unwrap();
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

#[test]
fn a_hundred_thousand_draws_hardly_ever_repeat() {
    check(|family, rng| {
        let distinct: HashSet<String> =
            (0..100_000).map(|_| generate(family, rng).prompt).collect();
        assert!(
            distinct.len() >= 99_800,
            "{}: {} of 100000 differ",
            family.name(),
            distinct.len()
        );
    });
}

#[test]
fn prompts_and_answers_stay_short() {
    check(|family, rng| {
        for _ in 0..500 {
            let item = generate(family, rng);
            assert!(item.prompt.starts_with("Q: ") && item.prompt.ends_with("\nA:"));
            assert!(item.prompt.split_whitespace().count() <= 45, "{item:?}");
            assert!(item.expected.split(' ').count() <= 8, "{item:?}");
        }
    });
}

#[test]
fn the_same_seed_draws_the_same_item() {
    check(|family, _| {
        let draw = |seed| generate(family, &mut ChaCha8Rng::seed_from_u64(seed));
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
        } = generate(family, rng);
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
                assert!(!expected.contains(&word(rest, 0)) && expected.contains(&word(rest, 2)))
            }
        }
    });
}
