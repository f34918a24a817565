//! Students are the teacher's chosen layers.

use athanor_model::Transformer;
use burn::backend::Flex;

use super::*;
use crate::{
    batch::{Batch, values},
    teacher::config,
};

fn teacher() -> (Config, Tensors) {
    let config = config(64, 4, 0);
    let tensors = fresh(&config, 3);
    (config, tensors)
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
    let (config, tensors) = teacher();
    let model = |config: &Config, tensors: &Tensors| {
        Transformer::<Flex>::from_tensors(config, tensors, &Default::default()).unwrap()
    };
    let mut batch = Batch::default();
    batch.push(&[5, 6, 7, 8], 0..4);
    for keep in 1..=4 {
        let (student, weights) = cut(&config, &tensors, &plan(keep, 0.0)).unwrap();
        let subset = model(&config, &tensors).with_layers(&layers(4, keep));
        assert_eq!(
            values(batch.logits(&model(&student, &weights))),
            values(batch.logits(&subset))
        );
    }
}

#[test]
fn students_of_two_seeds_differ_and_of_one_seed_do_not() {
    let (config, tensors) = teacher();
    let digest = |seed| {
        let plan = StudentPlan {
            seed,
            ..plan(2, 0.02)
        };
        cut(&config, &tensors, &plan).unwrap().1.digest()
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

#[test]
fn layers_that_the_teacher_lacks_are_refused() {
    let (config, tensors) = teacher();
    for layers in [vec![], vec![4], vec![1, 1], vec![2, 0]] {
        let plan = StudentPlan {
            layers,
            ..plan(2, 0.0)
        };
        assert!(matches!(
            cut(&config, &tensors, &plan),
            Err(StudentError::Layers { teacher: 4, .. })
        ));
    }
}
