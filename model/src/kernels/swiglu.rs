//! The gated unit `silu(gate) * up` and its gradient.

use super::lanes::sigmoid;
use super::wide;

wide! {
    /// `out = gate * sigmoid(gate) * up`.
    pub(crate) fn forward(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate * sigmoid(gate) * up;
        }
    }
}

wide! {
    /// The gradient in both inputs.
    pub(crate) fn backward(gate: &[f32], up: &[f32], dy: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
        let inputs = gate.iter().zip(up).zip(dy);
        for (((&gate, &up), &dy), (dgate, dup)) in inputs.zip(dgate.iter_mut().zip(dup)) {
            let s = sigmoid(gate);
            *dup = dy * gate * s;
            *dgate = dy * up * s * (1.0 + gate * (1.0 - s));
        }
    }
}
