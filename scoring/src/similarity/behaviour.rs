//! Measure how differently two models speak: log-probabilities on the same tokens, where there was a decision to make.
//!
//! Models that agree on what comes next agree on most tokens of any text, so all positions together tell little. On
//! decision positions (log p < -0.5 nats for either model) independent models differ, and a copy does not.

/// Log-probability in nats below which a position is a decision.
pub const DECISION: f32 = -0.5;
/// Fewest decision positions that give a distance.
pub const MIN_DECISIONS: usize = 50;

/// Median absolute difference in nats of two models' log-probabilities of the same tokens, over the positions that are
/// decisions for either; `None` with fewer than [`MIN_DECISIONS`] of them. Positions that are not finite for both count
/// for nothing. `scratch` keeps its allocation from call to call.
pub fn distance(a: &[f32], b: &[f32], scratch: &mut Vec<f32>) -> Option<f32> {
    scratch.clear();
    scratch.extend(a.iter().zip(b).filter_map(|(a, b)| {
        let decision = *a < DECISION || *b < DECISION;
        let difference = (a - b).abs();
        (decision && difference.is_finite()).then_some(difference)
    }));
    if scratch.len() < MIN_DECISIONS {
        return None;
    }
    let middle = scratch.len() / 2;
    let (_, median, _) = scratch.select_nth_unstable_by(middle, f32::total_cmp);
    Some(*median)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(a: &[f32], b: &[f32]) -> Option<f32> {
        distance(a, b, &mut Vec::new())
    }

    #[test]
    fn only_decisions_count() {
        // Nine positions in ten are obvious to both and equal; on the others the models are a nat apart.
        let a: Vec<f32> = (0..1000)
            .map(|i| if i % 10 == 0 { -2.0 } else { -0.1 })
            .collect();
        let b: Vec<f32> = (0..1000)
            .map(|i| if i % 10 == 0 { -3.0 } else { -0.1 })
            .collect();
        assert_eq!(measure(&a, &b), Some(1.0));
        assert_eq!(measure(&a, &a), Some(0.0));
    }

    #[test]
    fn few_decisions_or_no_numbers_say_nothing() {
        let obvious = vec![-0.1; 1000];
        assert_eq!(measure(&obvious, &obvious), None);
        assert_eq!(
            measure(
                &vec![f32::NEG_INFINITY; 1000],
                &vec![f32::NEG_INFINITY; 1000]
            ),
            None
        );
        assert_eq!(measure(&vec![f32::NAN; 1000], &vec![-1.0; 1000]), None);
        assert_eq!(measure(&[], &[]), None);
    }

    #[test]
    fn what_is_impossible_for_one_model_does_not_hide_the_rest() {
        let a = vec![-1.0; 100];
        let mut b = vec![-1.25; 100];
        b[3] = f32::NEG_INFINITY;
        assert_eq!(measure(&a, &b), Some(0.25));
    }
}
