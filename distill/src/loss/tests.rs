//! Losses agree with their definitions, and their gradients with finite differences.

use athanor_model::ModelBackend;
use burn::backend::Autodiff;
use burn::backend::Flex;

use super::*;

type Train = Autodiff<Flex>;

const VOCAB: usize = 40;

/// Two rows of logits.
fn logits() -> Vec<f32> {
    (0..2 * VOCAB)
        .map(|i| (i as f32 * 1.3).sin() * 2.5)
        .collect()
}

/// What a teacher says of both rows: another one's logits, of which the likeliest tokens are known.
fn tops() -> [Top; 2] {
    let row = |shift: f32| {
        let logits: Vec<f64> = (0..VOCAB)
            .map(|i| f64::from((i as f32 + shift).cos() * 3.0))
            .collect();
        let sum: f64 = logits.iter().map(|x| x.exp()).sum();
        let mut order: Vec<usize> = (0..VOCAB).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        Top {
            tokens: std::array::from_fn(|at| order[at] as u32),
            probabilities: std::array::from_fn(|at| (logits[order[at]].exp() / sum) as f32),
        }
    };
    [row(0.0), row(2.0)]
}

fn log_q<B: ModelBackend>(logits: &[f32], device: &B::Device) -> Tensor<B, 2> {
    let data = TensorData::new(logits.to_vec(), [logits.len() / VOCAB, VOCAB]);
    B::log_probabilities(Tensor::from_data(data, device))
}

/// Checks the gradient of a loss's sum at [`logits`] against central differences.
fn check(loss: impl Fn(Tensor<Train, 2>) -> Tensor<Train, 1>) {
    let device = Default::default();
    let data = TensorData::new(logits(), [2, VOCAB]);
    let leaf = Tensor::<Train, 2>::from_data(data, &device).require_grad();
    let gradients = loss(Train::log_probabilities(leaf.clone()))
        .sum()
        .backward();
    let slope: Vec<f32> = leaf
        .grad(&gradients)
        .unwrap()
        .into_data()
        .into_vec()
        .unwrap();
    for (at, slope) in slope.iter().enumerate() {
        let moved = |by: f32| {
            let mut logits = logits();
            logits[at] += by;
            f64::from(loss(log_q(&logits, &device)).sum().into_scalar())
        };
        let expected = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        assert!(
            (f64::from(*slope) - expected).abs() < 5e-4,
            "{at}: {slope} and {expected}"
        );
    }
}

fn teacher<B: ModelBackend>(device: &B::Device) -> Tensor<B, 2> {
    let logits: Vec<f32> = (0..2 * VOCAB)
        .map(|i| (i as f32 * 0.7).cos() * 2.0)
        .collect();
    log_q(&logits, device)
}

#[test]
fn the_gradients_are_the_losses_slopes() {
    let device = Default::default();
    let tops = tops();
    check(|log_q| cross_entropy(log_q, [3, 0].into_iter()));
    check(|log_q| forward_kl(log_q, tops.iter()));
    check(|log_q| full_forward_kl(log_q, teacher(&device)));
    check(|log_q| skewed_reverse_kl(log_q, teacher(&device), 0.1));
}

#[test]
fn the_losses_are_their_definitions() {
    let device = Default::default();
    let ours = |loss: Tensor<Flex, 1>| loss.into_data().into_vec::<f32>().unwrap();
    let close = |ours: &[f32], expected: [f64; 2]| {
        for (a, b) in ours.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() < 1e-4, "{a} and {b}");
        }
    };
    let tops = tops();
    let logits = logits();
    let rows = [&logits[..VOCAB], &logits[VOCAB..]];
    let probabilities = |row: &[f32]| {
        let sum: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
        row.iter()
            .map(|x| f64::from(*x).exp() / sum)
            .collect::<Vec<f64>>()
    };
    let divergence = [0, 1].map(|row: usize| {
        let q = probabilities(rows[row]);
        let (mut kl, mut p_kept, mut q_kept) = (0.0, 0.0, 0.0);
        for (&token, &p) in tops[row].tokens.iter().zip(&tops[row].probabilities) {
            let (p, q) = (f64::from(p), q[token as usize]);
            kl += p * (p / q).ln();
            (p_kept, q_kept) = (p_kept + p, q_kept + q);
        }
        kl + (1.0 - p_kept) * ((1.0 - p_kept) / (1.0 - q_kept)).ln()
    });
    let entropy =
        [(0, 3), (1, 7)].map(|(row, token): (usize, usize)| -probabilities(rows[row])[token].ln());
    let log_q = || log_q::<Flex>(&logits, &device);
    close(&ours(forward_kl(log_q(), tops.iter())), divergence);
    close(
        &[0, 1].map(|row| tops[row].divergence(rows[row]) as f32),
        divergence,
    );
    close(&ours(cross_entropy(log_q(), [3, 7].into_iter())), entropy);
    let p: Vec<f32> = ours(teacher::<Flex>(&device).flatten(0, 1));
    let reverse = [0, 1].map(|row| {
        let p = p[row * VOCAB..][..VOCAB]
            .iter()
            .map(|p| f64::from(*p).exp());
        let terms = probabilities(rows[row]).into_iter().zip(p);
        terms.map(|(q, p)| q * (q / (0.9 * p + 0.1 * q)).ln()).sum()
    });
    let forward = [0, 1].map(|row| {
        let p = p[row * VOCAB..][..VOCAB]
            .iter()
            .map(|p| f64::from(*p).exp());
        let terms = probabilities(rows[row]).into_iter().zip(p);
        terms.map(|(q, p)| p * (p / q).ln()).sum()
    });
    close(&ours(full_forward_kl(log_q(), teacher(&device))), forward);
    close(
        &ours(skewed_reverse_kl(log_q(), teacher(&device), 0.1)),
        reverse,
    );
}

#[test]
fn a_student_that_equals_its_teacher_has_no_reverse_divergence_and_no_slope() {
    let device = Default::default();
    let data = TensorData::new(logits(), [2, VOCAB]);
    let leaf = Tensor::<Train, 2>::from_data(data, &device).require_grad();
    let log_q = Train::log_probabilities(leaf.clone());
    let loss = skewed_reverse_kl(log_q.clone(), log_q.detach(), 0.1);
    let values: Vec<f32> = loss.clone().into_data().into_vec().unwrap();
    let slope = leaf.grad(&loss.sum().backward()).unwrap();
    assert!(values.iter().all(|loss| loss.abs() < 1e-5), "{values:?}");
    assert!(slope.abs().max().into_scalar() < 1e-5);
}
