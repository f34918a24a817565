//! Commits to weights of which one is not a number.

use athanor_model::{HostTensor, Precision, Tensors};

use super::impostor::{Adversary, Workshop, weights_of};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "is not finite");
    workshop.adversary("not_finite", told, |files| {
        let weights = weights_of(files);
        let mut spoilt = Tensors::new();
        for (index, (name, tensor)) in Tensors::from_safetensors(weights)
            .unwrap()
            .iter()
            .enumerate()
        {
            let HostTensor { shape, mut data } = tensor.clone();
            if index == 3 {
                data[0] = f32::NAN;
            }
            spoilt.insert(name, HostTensor { shape, data });
        }
        *weights = spoilt.to_safetensors(Precision::F16);
    })
}
