//! Tests of the divergence and of the ratio of sums.

use athanor_spec::SubnetSpec;
use proptest::prelude::*;

use super::*;

fn params() -> GradeParams {
    SubnetSpec::local().grade
}

fn token(kl: f64, entropy: f64) -> TokenDivergence {
    TokenDivergence { kl, entropy }
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-9, "{left} is not {right}");
}

#[test]
fn equal_logits_do_not_diverge_whatever_their_offset() {
    let teacher = [1.0, 2.0, 3.0, -50.0];
    let student = teacher.map(|logit| logit + 100.0);
    let measured = divergence(&student, &teacher, &params());
    assert!(measured.kl < 1e-6, "{}", measured.kl);
    let uniform = divergence(&[0.0; 8], &[0.0; 8], &params());
    close(uniform.entropy, 8_f64.ln());
}

#[test]
fn the_divergence_of_two_coins_is_the_formula() {
    let (p, q, s) = (0.9_f64, 0.2_f64, 0.1);
    let logits = |x: f64| [x.ln() as f32, (1.0 - x).ln() as f32];
    let measured = divergence(&logits(q), &logits(p), &params());
    let term = |q: f64, p: f64| q * (q / ((1.0 - s) * p + s * q)).ln();
    assert!((measured.kl - (term(q, p) + term(1.0 - q, 1.0 - p))).abs() < 1e-6);
    let entropy = -(p * p.ln() + (1.0 - p) * (1.0 - p).ln());
    assert!((measured.entropy - entropy).abs() < 1e-6);
}

#[test]
fn what_cannot_be_compared_is_charged_the_most() {
    let worst = 10_f64.ln();
    let teacher = [0.0, 1.0, 2.0];
    for student in [
        &[f32::NAN, 0.0, 0.0][..],
        &[f32::INFINITY, 0.0, 0.0],
        &[0.0, 1.0],
        &[],
    ] {
        close(divergence(student, &teacher, &params()).kl, worst);
    }
    let disjoint = divergence(&[100.0, -100.0], &[-100.0, 100.0], &params());
    assert!((disjoint.kl - worst).abs() < 1e-6);
}

#[test]
fn probabilities_outside_the_vocabulary_are_zero() {
    close(probability(&[0.0, 0.0], 1), 0.5);
    close(probability(&[0.0, 0.0], 2), 0.0);
    close(probability(&[], 0), 0.0);
}

#[test]
fn an_early_stop_is_charged_as_the_formula_says() {
    let own = [token(0.2, 1.0), token(0.4, 0.01)];
    let forced = [
        token(0.1, 1.0),
        token(0.1, 2.0),
        token(0.1, 0.0),
        token(0.1, 1.0),
    ];
    let ending = Ending::Stopped {
        teacher_probability: 0.25,
    };
    let sums = FidelitySums::of_answer(&own, ending, &forced, &params());
    let (surprise, rest, h) = (0.75, 2.0, 1.0);
    let charge = 0.6 + surprise * 10_f64.ln() * rest * h;
    let base = 1.0 + 0.05 + surprise * rest * h;
    close(sums.own_divergence().unwrap(), charge / base);
    close(
        sums.forced_divergence().unwrap(),
        0.4 / (1.0 + 2.0 + 0.05 + 1.0),
    );
    let worst = (charge / base).max(0.4 / 4.05);
    close(
        sums.fidelity(&params()).unwrap(),
        (-worst / params().fidelity_scale).exp(),
    );
}

#[test]
fn only_an_unexpected_early_stop_costs() {
    let own = [token(0.2, 1.0)];
    let forced = [token(0.0, 1.0); 4];
    let charged = |ending, own: &[TokenDivergence]| {
        FidelitySums::of_answer(own, ending, &forced, &params())
            .own_divergence()
            .unwrap()
    };
    close(charged(Ending::Limit, &own), 0.2);
    close(
        charged(
            Ending::Stopped {
                teacher_probability: 1.0,
            },
            &own,
        ),
        0.2,
    );
    close(
        charged(
            Ending::Stopped {
                teacher_probability: 0.0,
            },
            &[own[0]; 4],
        ),
        0.2,
    );
    assert!(
        charged(
            Ending::Stopped {
                teacher_probability: 0.0
            },
            &own
        ) > 1.0
    );
}

#[test]
fn a_missing_answer_is_the_worst_answer() {
    let forced = [token(0.1, 0.7), token(0.1, 0.1)];
    let missing = FidelitySums::of_missing(Reference::of(&forced), &params());
    close(missing.own_divergence().unwrap(), 10_f64.ln());
    assert!(missing.forced_divergence().is_none());
    assert_eq!(FidelitySums::default().fidelity(&params()), None);
}

#[test]
fn confident_padding_does_not_dilute_the_charge() {
    let content = [token(0.5, 1.0); 10];
    let padding = [token(0.05, 0.0); 100];
    let padded = [&content[..], &padding[..]].concat();
    let value = |tokens: &[TokenDivergence]| {
        FidelitySums::of_answer(tokens, Ending::Limit, &[], &params())
            .own_divergence()
            .unwrap()
    };
    assert!(value(&padded) > value(&content));
}

#[test]
fn the_teachers_prefixes_bind_a_student_that_chooses_easy_ones() {
    let easy = [token(0.0, 1.0); 8];
    let hard = [token(0.5, 1.0); 8];
    let sums = FidelitySums::of_answer(&easy, Ending::Limit, &hard, &params());
    close(
        sums.fidelity(&params()).unwrap(),
        (-0.5 / params().fidelity_scale).exp(),
    );
}

proptest! {
    #[test]
    fn the_divergence_is_bounded_for_any_logits(
        pairs in prop::collection::vec((-80.0_f32..80.0, -80.0_f32..80.0), 1..40),
    ) {
        let (student, teacher): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let measured = divergence(&student, &teacher, &params());
        prop_assert!((0.0..=10_f64.ln()).contains(&measured.kl));
        prop_assert!((0.0..=(teacher.len() as f64).ln() + 1e-9).contains(&measured.entropy));
    }

    #[test]
    fn merging_is_adding_and_decay_keeps_the_ratio(
        left in prop::collection::vec((0.0_f64..2.3, 0.0_f64..5.0), 1..20),
        right in prop::collection::vec((0.0_f64..2.3, 0.0_f64..5.0), 1..20),
    ) {
        let tokens = |list: &[(f64, f64)]| -> Vec<TokenDivergence> {
            list.iter().map(|(kl, entropy)| token(*kl, *entropy)).collect()
        };
        let of = |own: &[TokenDivergence]| {
            FidelitySums::of_answer(own, Ending::Limit, &[], &params())
        };
        let (left, right) = (tokens(&left), tokens(&right));
        let mut merged = of(&left);
        merged.merge(&of(&right));
        let whole = of(&[left, right].concat()).own_divergence().unwrap();
        prop_assert!((merged.own_divergence().unwrap() - whole).abs() < 1e-9);
        merged.decay(0.3);
        prop_assert!((merged.own_divergence().unwrap() - whole).abs() < 1e-9);
    }
}
