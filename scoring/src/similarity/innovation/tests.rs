//! A copy keeps its original's innovation whatever is done to it, and independent students share none.

use rand_chacha::ChaCha8Rng;

use super::*;
use crate::similarity::weights::tests::{CHANNELS, Owned, UNITS};

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn of(teacher: &Owned, student: &Owned) -> Innovation {
    let reference = teacher.seen(|model| Reference::of(model, 5));
    student.seen(|model| reference.innovation(model))
}

fn shared(teacher: &Owned, a: &Owned, b: &Owned) -> f64 {
    let (a, b) = (of(teacher, a), of(teacher, b));
    let shared = a.shared(&b).expect("both have units");
    assert_eq!(b.shared(&a), Some(shared), "symmetric");
    shared
}

#[test]
fn independent_students_share_nothing_and_a_copy_what_its_noise_leaves() {
    let teacher = Owned::random(1, 2);
    let student = |seed| teacher.clone().noised(0.1, &mut rng(seed));
    let original = student(2);
    let between = shared(&teacher, &student(3), &original);
    assert!(between.abs() < 0.05, "{between}");
    for noise in [0.05_f32, 0.1, 0.2, 0.3] {
        let copy = original.clone().noised(noise, &mut rng(4));
        let kept = shared(&teacher, &copy, &original);
        let expected = 0.1 / f64::from(0.01 + noise * noise).sqrt();
        assert!((kept - expected).abs() < 0.05, "{noise}: {kept} {expected}");
    }
    assert!(shared(&teacher, &original, &original) > 0.9999);
}

/// Two units for each, whose inputs add up to its own; and two of the teacher's that cancel each other.
fn padded(mut student: Owned, teacher: &Owned) -> Owned {
    let mut rng = rng(7);
    for (layer, from) in student.layers.iter_mut().zip(&teacher.layers) {
        let part: Vec<f32> = layer.up.iter().map(|_| 3.0 * normal(&mut rng)).collect();
        let rest: Vec<f32> = layer.up.iter().zip(&part).map(|(a, b)| a - b).collect();
        layer.up = [part, rest, from.up.clone(), from.up.clone()].concat();
        layer.gate = [&layer.gate[..], &layer.gate, &from.gate, &from.gate].concat();
        let rows = layer
            .down
            .chunks_exact(UNITS)
            .zip(from.down.chunks_exact(UNITS));
        layer.down = rows
            .flat_map(|(here, there)| {
                let back: Vec<f32> = there.iter().map(|value| -value).collect();
                [here, here, there, &back].concat()
            })
            .collect();
    }
    student
}

#[test]
fn disguises_that_change_nothing_hide_nothing() {
    let teacher = Owned::random(1, 2);
    let student = |seed| teacher.clone().noised(0.1, &mut rng(seed));
    let (original, mut draws) = (student(2), rng(9));
    let moved = original
        .clone()
        .permuted_units(&mut draws)
        .rescaled(&mut draws)
        .permuted_channels(&mut draws);
    let kept = shared(&teacher, &moved, &original);
    assert!(kept > 0.999, "{kept}");
    let kept = shared(&teacher, &padded(original.clone(), &teacher), &original);
    assert!(kept > 0.99, "{kept}");
    let between = shared(&teacher, &padded(student(3), &teacher), &original);
    assert!(between.abs() < 0.05, "{between}");
}

#[test]
fn few_large_changes_do_not_hide_the_rest() {
    let teacher = Owned::random(1, 2);
    let original = teacher.clone().noised(0.1, &mut rng(2));
    let mut copy = original.clone();
    let changed = UNITS / 10 * CHANNELS;
    for layer in &mut copy.layers {
        layer.gate[..changed]
            .iter_mut()
            .for_each(|value| *value *= -3.0);
        layer.up[..changed]
            .iter_mut()
            .zip(&mut rng_values(5))
            .for_each(|(a, b)| *a += 0.5 * b);
    }
    let kept = shared(&teacher, &copy, &original);
    assert!(kept > 0.85, "{kept}");
}

fn rng_values(seed: u64) -> impl Iterator<Item = f32> {
    let mut rng = rng(seed);
    std::iter::repeat_with(move || normal(&mut rng))
}

#[test]
fn strangers_the_teacher_itself_and_other_shapes_say_nothing() {
    let teacher = Owned::random(1, 2);
    let student = teacher.clone().noised(0.1, &mut rng(2));
    let stranger = of(&teacher, &Owned::random(8, 2));
    assert_eq!(stranger.shared(&of(&teacher, &student)), None);
    assert_eq!(of(&teacher, &teacher).vectors(), 0);
    let reference = teacher.seen(|model| Reference::of(model, 5));
    let narrower = student.seen(|model| {
        let cut = ModelWeights {
            embedding: Matrix {
                columns: CHANNELS - 1,
                ..model.embedding
            },
            ..model.clone()
        };
        Some(reference.innovation(&cut))
    });
    assert_eq!(narrower, None);
}
