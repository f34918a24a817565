//! Commits to weights of which one is no number.

use athanor_model::{HostTensor, Precision, Tensors};

use super::{AttackError, Misfit, Workshop};
use crate::adversary::impostor::weights_of;

/// Which of the tensors has it, in the order of their names.
const SPOILT: usize = 3;

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "is not finite");
    workshop.misfit("not_finite", told, |files| {
        let weights = weights_of(files)?;
        let mut spoilt = Tensors::new();
        for (index, (name, tensor)) in Tensors::from_safetensors(weights)?.iter().enumerate() {
            let HostTensor { shape, mut data } = tensor.clone();
            if let (SPOILT, Some(first)) = (index, data.first_mut()) {
                *first = f32::NAN;
            }
            spoilt.insert(name, HostTensor { shape, data });
        }
        *weights = spoilt.to_safetensors(Precision::F16);
        Ok(())
    })
}
