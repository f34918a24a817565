//! Artifacts that are no checkpoint, or not the committed one: one file each.

mod drip;
mod endless;
mod header_bomb;
mod layer_bomb;
mod not_finite;
mod other_bytes;
mod overflowing;
mod oversized;
mod tokenizer_bomb;
mod truncated;
mod wrong_shapes;

use super::{AttackError, Misfit, Workshop};

/// Makes what an impostor serves.
pub type MakeMisfit = fn(&Workshop<'_>) -> Result<Misfit, AttackError>;

/// Every kind of malformed artifact, apart from those that are too large.
pub const MALFORMED: [MakeMisfit; 10] = [
    drip::misfit,
    endless::misfit,
    header_bomb::misfit,
    layer_bomb::misfit,
    not_finite::misfit,
    other_bytes::misfit,
    overflowing::misfit,
    tokenizer_bomb::misfit,
    truncated::misfit,
    wrong_shapes::misfit,
];

/// An artifact that is too large.
pub const OVERSIZED: MakeMisfit = oversized::misfit;
