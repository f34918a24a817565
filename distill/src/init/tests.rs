//! Students are the teacher's chosen layers.

use super::*;
use crate::{
    cpu::{Batch, Tape, forward},
    teacher::config,
};

fn teacher() -> Network {
    Network::random(&config(64, 4, 0), 3)
}

fn plan(keep: usize, noise: f32) -> StudentPlan {
    StudentPlan {
        layers: layers(4, keep),
        seed: 1,
        noise,
    }
}

#[test]
fn a_student_without_noise_computes_what_the_teacher_computes_with_those_layers() {
    let teacher = teacher();
    let mut batch = Batch::default();
    batch.push(&[5, 6, 7, 8], 0..4);
    for keep in 1..=4 {
        let student = cut(&teacher, &plan(keep, 0.0)).unwrap();
        let logits = |network: &Network, layers: &[usize]| {
            let mut tape = Tape::default();
            forward(
                &network.layout,
                &network.parameters,
                layers,
                &batch,
                &mut tape,
            );
            tape.logits
        };
        assert_eq!(
            logits(&student, &student.layers()),
            logits(&teacher, &layers(4, keep))
        );
    }
}

#[test]
fn students_of_two_seeds_differ_and_of_one_seed_do_not() {
    let teacher = teacher();
    let tensors = |seed| {
        cut(
            &teacher,
            &StudentPlan {
                seed,
                ..plan(2, 0.02)
            },
        )
        .unwrap()
        .to_tensors()
        .digest()
    };
    assert_eq!(tensors(1), tensors(1));
    assert_ne!(tensors(1), tensors(2));
}

#[test]
fn layers_that_the_teacher_lacks_are_refused() {
    for layers in [vec![], vec![4], vec![1, 1], vec![2, 0]] {
        let plan = StudentPlan {
            layers,
            ..plan(2, 0.0)
        };
        assert!(matches!(
            cut(&teacher(), &plan),
            Err(StudentError::Layers { teacher: 4, .. })
        ));
    }
}
