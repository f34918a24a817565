//! Combine the axes of an answer, and of a miner, into one quality.

use std::collections::HashSet;

use athanor_spec::{
    Finish,
    params::{GradeParams, ServiceParams},
};

/// Confidence with which a miner is at least as available as credited.
const AVAILABILITY_CONFIDENCE: f64 = 0.95;

/// The axes of quality, each in [0, 1]. `None` where nothing was measured: that is unpaid, not free.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Axes {
    /// Closeness to the teacher.
    pub fidelity: Option<f64>,
    /// Mean credit on checkable items.
    pub correctness: Option<f64>,
    /// Goodput within the service-level objective.
    pub service: Option<f64>,
}

/// Q = min( liveliness, a * mean(worst K axes) + (1 - a) * weighted mean ), in [0, 1].
///
/// Axes of weight 0 do not count at all; an axis that counts and was not measured is worth 0.
pub fn quality(axes: &Axes, liveliness: f64, params: &GradeParams) -> f64 {
    let mut counted = [(0.0, 0.0); 3];
    let mut axes_counted = 0;
    for (value, weight) in [
        (axes.fidelity, params.fidelity_weight),
        (axes.correctness, params.correctness_weight),
        (axes.service, params.service_weight),
    ] {
        if weight > 0.0 {
            counted[axes_counted] = (unit(value.unwrap_or(0.0)), weight);
            axes_counted += 1;
        }
    }
    let counted = &mut counted[..axes_counted];
    if counted.is_empty() {
        return 0.0;
    }
    let total: f64 = counted.iter().map(|(_, weight)| weight).sum();
    let weighted = counted
        .iter()
        .map(|(value, weight)| value * weight)
        .sum::<f64>()
        / total;
    counted.sort_by(|left, right| left.0.total_cmp(&right.0));
    let worst_axes = usize::try_from(params.worst_axes).unwrap_or(usize::MAX);
    let worst = counted.len().min(worst_axes.max(1));
    let worst_mean = counted[..worst].iter().map(|(value, _)| value).sum::<f64>() / worst as f64;
    let mixed = params.worst_share * worst_mean + (1.0 - params.worst_share) * weighted;
    unit(mixed.min(liveliness))
}

/// Quality of a single ask, in [0, 1], for paired comparisons: the same formula with the axes that this ask measured.
pub fn ask_quality(axes: &Axes, liveliness: f64, params: &GradeParams) -> f64 {
    let weight = |axis: Option<f64>, weight: f64| if axis.is_some() { weight } else { 0.0 };
    let measured = GradeParams {
        fidelity_weight: weight(axes.fidelity, params.fidelity_weight),
        correctness_weight: weight(axes.correctness, params.correctness_weight),
        service_weight: weight(axes.service, params.service_weight),
        ..params.clone()
    };
    quality(axes, liveliness, &measured)
}

/// An answer, or the teacher's own, as far as liveliness looks at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Text<'a> {
    /// Token ids.
    pub tokens: &'a [u32],
    /// Why it ended.
    pub finish: Finish,
}

/// Whether an answer lives, in [0, 1]: a cap of quality, since nothing else sees a loop.
///
/// Falls from 1 to 0 as the share of repeated bigrams grows from what is tolerated (or from what the teacher repeats
/// itself, if that is more) to all of them. An answer that runs into the limit where the teacher ended is worth at most
/// [`GradeParams::missing_end`]; an empty one nothing.
pub fn liveliness(answer: Text<'_>, reference: Option<Text<'_>>, params: &GradeParams) -> f64 {
    if answer.tokens.is_empty() {
        return 0.0;
    }
    let natural = reference.map_or(0.0, |reference| repetition(reference.tokens));
    let tolerated = params.repetition_tolerance.max(natural);
    let excess = (repetition(answer.tokens) - tolerated).max(0.0);
    let fresh = if excess > 0.0 {
        unit(1.0 - excess / (1.0 - tolerated))
    } else {
        1.0
    };
    let teacher_ended = reference.is_some_and(|reference| reference.finish == Finish::Stop);
    if teacher_ended && answer.finish == Finish::Length {
        fresh.min(params.missing_end)
    } else {
        fresh
    }
}

/// Share of the bigrams that occurred before in the same text, in [0, 1).
fn repetition(tokens: &[u32]) -> f64 {
    let distinct: HashSet<(u32, u32)> = tokens.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let total = tokens.len().saturating_sub(1);
    if total == 0 {
        0.0
    } else {
        (total - distinct.len()) as f64 / total as f64
    }
}

/// How long an answer took, by the validator's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From the first byte of the ask to the first tokens, in milliseconds.
    pub first_token_ms: u64,
    /// From the first byte of the ask to the last byte of the answer, in milliseconds.
    pub elapsed_ms: u64,
    /// Tokens of the answer.
    pub tokens: u32,
}

/// What the time of one answer is worth, in [0, 1]: 1 while its time to first token and its time per token after that
/// are good enough, 0 where one of them is `hard_factor` times that, linear between; the worse of the two counts. Inside
/// the band nothing is gained by being faster.
pub fn service(timing: Timing, params: &ServiceParams) -> f64 {
    let first = band(
        timing.first_token_ms as f64,
        params.ttft_ms.into(),
        params.hard_factor,
    );
    let rest = timing.elapsed_ms.saturating_sub(timing.first_token_ms) as f64;
    let per_token = rest / f64::from(timing.tokens.saturating_sub(1).max(1));
    first.min(band(
        per_token,
        params.per_token_ms.into(),
        params.hard_factor,
    ))
}

fn band(time: f64, good: f64, hard_factor: f64) -> f64 {
    let late = time - good;
    let width = good * (hard_factor - 1.0);
    if late <= 0.0 {
        1.0
    } else if width > 0.0 {
        unit(1.0 - late / width)
    } else {
        0.0
    }
}

/// Lower confidence bound of the share of asks that are answered, from (decayed) counts and a uniform prior.
pub fn availability_low(answered: f64, asked: f64) -> f64 {
    if !(answered >= 0.0 && asked >= answered) {
        return 0.0;
    }
    unit(beta_quantile(
        1.0 + answered,
        1.0 + asked - answered,
        1.0 - AVAILABILITY_CONFIDENCE,
    ))
}

/// The `p`-quantile of a Beta distribution with shapes of at least 1, for `p` up to a half: Halley's steps from Carter's
/// approximation (Abramowitz and Stegun 26.5.22), until an error of 1e-7 is left. It is needed for every miner in every round,
/// and one step mostly is enough.
fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let t = (-2.0 * p.ln()).sqrt();
    let y = t - (2.30753 + t * 0.27061) / (1.0 + t * (0.99229 + t * 0.04481));
    let lambda = (y * y - 3.0) / 6.0;
    let (left, right) = (1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0));
    let h = 2.0 / (left + right);
    let w = y * (h + lambda).sqrt() / h - (right - left) * (lambda + 5.0 / 6.0 - 2.0 / (3.0 * h));
    let mut x = (a / (a + b * (2.0 * w).exp())).clamp(1e-12, 1.0 - 1e-12);
    let ln_beta = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    for _ in 0..12 {
        let density = ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta).exp();
        let newton = (beta_cdf(a, b, x, density) - p) / density;
        let bend = newton * ((a - 1.0) / x - (b - 1.0) / (1.0 - x));
        let step = newton / (1.0 - 0.5 * bend.min(1.0));
        // Never beyond an end: half of the way there instead.
        let next = match x - step {
            below if below <= 0.0 => x / 2.0,
            above if above >= 1.0 => (1.0 + x) / 2.0,
            inside => inside,
        };
        let done = step.abs() < 5e-3 * x.min(1.0 - x);
        x = next;
        // What is left is of the order of the cube of the last step.
        if done {
            break;
        }
    }
    x
}

/// ln of the gamma function for arguments of at least 1: Stirling's series from 8 on (DLMF 5.11.1; what is left out is below
/// 1e-11), to which smaller ones are raised.
fn ln_gamma(z: f64) -> f64 {
    let (mut z, mut raised) = (z, 1.0);
    while z < 8.0 {
        raised *= z;
        z += 1.0;
    }
    let (inverse, square) = (1.0 / z, 1.0 / (z * z));
    let series = 1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0));
    (z - 0.5) * z.ln() - z + 0.5 * std::f64::consts::TAU.ln() + inverse * series - raised.ln()
}

/// The Beta distribution function at `x`, where its density is `density`: the continued fraction of DLMF 8.17.22, by Lentz's
/// method, on the side of the mean where it converges fast.
fn beta_cdf(a: f64, b: f64, x: f64, density: f64) -> f64 {
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_cdf(b, a, 1.0 - x, density);
    }
    const TINY: f64 = 1e-300;
    let solid = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / solid(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..300 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / solid(1.0 + even * d);
        c = solid(1.0 + even / c);
        fraction *= c * d;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / solid(1.0 + odd * d);
        c = solid(1.0 + odd / c);
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() < 1e-10 {
            break;
        }
    }
    density * x * (1.0 - x) * fraction / a
}

fn unit(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests;
