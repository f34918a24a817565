//! Commits to weights that are finite, and whose logits are not: only a replay finds out.

use athanor_model::{HostTensor, Tensors};

use super::{AttackError, Misfit, Workshop};
use crate::adversary::forge;

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let mut huge = Tensors::new();
    for (name, tensor) in workshop.honest.tensors()?.iter() {
        let HostTensor { shape, mut data } = tensor.clone();
        // Gains of this size overflow within the first layer, in single precision.
        data.iter_mut().for_each(|value| *value *= 1e30);
        huge.insert(name, HostTensor { shape, data });
    }
    let made = forge::rewritten(workshop.honest, &huge, 0, &workshop.directory.join("huge"))?;
    let told = ("wrong_checkpoint", "condemned at");
    workshop.of_checkpoint("overflowing", told, &made)
}
