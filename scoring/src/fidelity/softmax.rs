//! Probabilities of a row of logits in f64, written so that the compiler turns them into vector code.
//!
//! A replay compares two rows of the whole vocabulary for every token: with the system's exponential and logarithm that took a
//! quarter of it. These are as exact, and besides have the same bits on every machine, as sums are added up in a fixed order
//! and no two steps are fused.

/// Sums that are kept apart, so that as many are added up at once.
pub(super) const LANES: usize = 8;
/// Below it an exponential is 0, which spares subnormal numbers; in nats.
const LOWEST: f64 = -708.0;
/// ln 2 in two parts, the first with zeros at its end, so that multiples of it are exact (fdlibm, `e_log.c`).
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// One row of logits as probabilities, eight tokens after eight; beyond the last token they are 0.
pub(super) struct Softmax {
    pub(super) probabilities: Vec<[f64; LANES]>,
    /// Natural logarithms; 0 where the probability is.
    pub(super) logarithms: Vec<[f64; LANES]>,
}

impl Softmax {
    pub(super) fn new(logits: &[f32]) -> Self {
        let (eights, rest) = logits.as_chunks::<LANES>();
        // Tokens that are never drawn.
        let mut last = [f32::NEG_INFINITY; LANES];
        last[..rest.len()].copy_from_slice(rest);
        let mut largest = last;
        for eight in eights {
            for (most, logit) in largest.iter_mut().zip(eight) {
                *most = if *logit > *most { *logit } else { *most };
            }
        }
        let largest = f64::from(largest.into_iter().fold(f32::NEG_INFINITY, f32::max));
        let mut logarithms = vec![[0.0; LANES]; logits.len().div_ceil(LANES)];
        let mut probabilities = logarithms.clone();
        for (shifted, eight) in logarithms.iter_mut().zip(eights) {
            for i in 0..LANES {
                shifted[i] = f64::from(eight[i]) - largest;
            }
        }
        if let (false, Some(shifted)) = (rest.is_empty(), logarithms.last_mut()) {
            *shifted = last.map(|logit| f64::from(logit) - largest);
        }
        let mut masses = [0.0; LANES];
        for (weights, shifted) in probabilities.iter_mut().zip(&logarithms) {
            for i in 0..LANES {
                weights[i] = exp(shifted[i]);
            }
            for i in 0..LANES {
                masses[i] += weights[i];
            }
        }
        let mass = sum(masses);
        let (logarithm, inverse) = (ln(mass), 1.0 / mass);
        for (probabilities, logarithms) in probabilities.iter_mut().zip(&mut logarithms) {
            for it in probabilities {
                *it *= inverse;
            }
            for it in logarithms {
                *it -= logarithm;
                *it = if *it < LOWEST { 0.0 } else { *it };
            }
        }
        Self {
            probabilities,
            logarithms,
        }
    }

    /// The probability of a token; `None` beyond the row.
    pub(super) fn probability(&self, token: usize) -> Option<f64> {
        Some(self.probabilities.get(token / LANES)?[token % LANES])
    }
}

/// Adds up partial sums in a fixed order.
#[inline(always)]
pub(super) fn sum(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// `exp(x)` of x at most 0, within two units in the last place, without a branch or a call; 0 below [`LOWEST`].
///
/// The exponent's integer part is read from the low bits of `x / ln 2 + 1.5 * 2^52`, the rest is Taylor's series.
#[inline(always)]
fn exp(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const TERMS: [f64; 11] = [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        1.0 / 2.0,
    ];
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let mut p = TERMS[0];
    for term in &TERMS[1..] {
        p = p * r + term;
    }
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let exponential = (1.0 + (r + r * r * p)) * power;
    if x < LOWEST { 0.0 } else { exponential }
}

/// `ln(x)` of a positive x, within two units in the last place, without a branch or a call; some finite number of 0.
///
/// x = 2^k m with m between the roots of 1/2 and 2; ln m is the series of the inverse hyperbolic tangent.
#[inline(always)]
pub(super) fn ln(x: f64) -> f64 {
    const ROOT_OF_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const BIAS: u64 = 2048;
    /// 2^52: a small integer in its low bits is one that is added to it.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    const TERMS: [f64; 10] = [
        1.0 / 21.0,
        1.0 / 19.0,
        1.0 / 17.0,
        1.0 / 15.0,
        1.0 / 13.0,
        1.0 / 11.0,
        1.0 / 9.0,
        1.0 / 7.0,
        1.0 / 5.0,
        1.0 / 3.0,
    ];
    let from_root = x.to_bits().wrapping_sub(ROOT_OF_HALF);
    let exponent = (from_root >> 52).wrapping_add(BIAS) & 0xfff;
    let k = f64::from_bits(WHOLE.to_bits() | exponent) - (WHOLE + BIAS as f64);
    let m = f64::from_bits(x.to_bits().wrapping_sub(from_root & 0xfff0_0000_0000_0000));
    let z = (m - 1.0) / (m + 1.0);
    let square = z * z;
    let mut p = TERMS[0];
    for term in &TERMS[1..] {
        p = p * square + term;
    }
    k * LN_2[0] + (2.0 * z + (2.0 * z * square * p + k * LN_2[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_and_logarithm_are_exact_to_two_units_in_the_last_place() {
        for i in 0..200_000 {
            let x = -f64::from(i) * 3.53e-3;
            let expected = x.exp();
            let error = (exp(x) - expected).abs() / expected;
            assert!(error < 4.5e-16, "exp({x}): relative error {error}");
            let y = (0.9 * x).exp() * 0.97;
            let error = ((ln(y) - y.ln()) / y.ln()).abs();
            assert!(error < 4.5e-16, "ln({y}): relative error {error}");
        }
        for mass in [1.5, 4096.0, 3e5] {
            assert!((ln(mass) / f64::ln(mass) - 1.0).abs() < 4.5e-16);
        }
        assert_eq!((exp(0.0), ln(1.0)), (1.0, 0.0));
        assert_eq!((exp(-709.0), exp(f64::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f64::NAN).is_nan() && ln(0.0).is_finite());
    }

    #[test]
    fn a_row_of_any_length_adds_up_to_one() {
        for length in 1..40_u16 {
            let logits: Vec<f32> = (0..length).map(|i| f32::from(i * 31 % 17) - 8.0).collect();
            let softmax = Softmax::new(&logits);
            let mass: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
            let total: f64 = (0..40).filter_map(|i| softmax.probability(i)).sum();
            assert!((total - 1.0).abs() < 1e-14, "{total}");
            for (token, logit) in logits.iter().enumerate() {
                let expected = f64::from(*logit).exp() / mass;
                let probability = softmax.probability(token).unwrap();
                let logarithm = softmax.logarithms[token / LANES][token % LANES];
                assert!((probability - expected).abs() < 1e-15);
                assert!((logarithm - expected.ln()).abs() < 1e-13);
            }
        }
    }
}
