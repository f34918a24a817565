//! Gradients agree with finite differences, and losses with their definitions.

use super::*;

const LOGITS: [f32; 9] = [0.3, -1.2, 2.0, 0.0, 0.7, -0.4, 1.1, -2.5, 0.9];

fn teacher() -> Vec<f32> {
    let mut p = vec![1.0, 0.2, -0.3, 2.2, 0.0, 0.5, -1.0, 0.4, 0.1];
    softmax(&mut p);
    p
}

/// Checks a loss's gradient at [`LOGITS`] against central differences.
fn check(loss: impl Fn(&mut [f32]) -> f32) {
    let mut slope = LOGITS;
    loss(&mut slope);
    for at in 0..LOGITS.len() {
        let moved = |by: f32| {
            let mut logits = LOGITS;
            logits[at] += by;
            f64::from(loss(&mut logits))
        };
        let expected = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        assert!(
            (f64::from(slope[at]) - expected).abs() < 2e-4,
            "{at}: {} and {expected}",
            slope[at]
        );
    }
}

#[test]
fn the_gradients_are_the_losses_slopes() {
    let p = teacher();
    check(|logits| cross_entropy(logits, 3, 1.0));
    check(|logits| forward_kl(logits, &[3, 0, 5], &[p[3], p[0], p[5]], 1.0));
    let all: Vec<u32> = (0..9).collect();
    check(|logits| forward_kl(logits, &all, &p, 1.0));
    check(|logits| skewed_reverse_kl(logits, &p, 0.1, 1.0));
}

#[test]
fn a_student_that_equals_its_teacher_has_no_loss_and_no_slope() {
    let mut p = LOGITS;
    softmax(&mut p);
    let (tokens, kept) = ([2, 6, 8], [p[2], p[6], p[8]]);
    let mut slope = LOGITS;
    let losses = [
        forward_kl(&mut slope, &tokens, &kept, 1.0),
        skewed_reverse_kl(&mut LOGITS.clone(), &p, 0.1, 1.0),
    ];
    assert!(losses.iter().all(|loss| loss.abs() < 1e-5), "{losses:?}");
    assert!(slope.iter().all(|x| x.abs() < 1e-5), "{slope:?}");
}
