//! What a report holds, and what narrow weights are seen to cost.

use super::*;
use crate::config::tests::tiny;

fn report(weights: WeightFormat) -> Report {
    let config = tiny();
    let tensors = Tensors::random(&config, 3);
    let text: Vec<u32> = (0..40).map(|t| (t * t + 3) % 50).collect();
    let plan = Plan {
        device: DeviceChoice::Cpu,
        weights,
        batches: &[1, 3],
        text: &text,
    };
    measure(&config, &tensors, &plan).unwrap()
}

#[test]
fn everything_is_measured_and_nothing_beyond_the_ceiling() {
    let report = report(WeightFormat::F32);
    assert_eq!(
        (report.device.as_str(), report.weights.as_str()),
        ("cpu", "f32")
    );
    assert_eq!(report.parameters, tiny().parameters());
    assert_eq!(
        report
            .decode
            .iter()
            .map(|one| one.batch)
            .collect::<Vec<_>>(),
        [1, 3]
    );
    let rates = report.decode.iter().map(|one| one.rate);
    for rate in rates.chain([report.prefill]).chain(report.training) {
        assert!(
            rate.tokens_per_second > 0.0 && rate.share.unwrap() > 0.0,
            "{rate:?}"
        );
    }
    let share = report.prefill.share.unwrap();
    assert!(share < 1.5, "a share of {share}");
    assert_eq!(report.training_error, None);
    assert_eq!(report.fidelity, None);
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["decode"][1]["tokens_per_second"].is_f64(), "{json}");
    assert!(json["ceiling"]["bandwidth"].is_f64(), "{json}");
}

#[test]
fn narrow_weights_cost_a_little_and_int8_more_than_bf16() {
    let cost = |weights| report(weights).fidelity.unwrap();
    let (bf16, int8) = (cost(WeightFormat::Bf16), cost(WeightFormat::Int8));
    assert_eq!(bf16.tokens, 40);
    assert!(
        bf16.mean_kl > 0.0 && bf16.mean_kl < int8.mean_kl,
        "{bf16:?} {int8:?}"
    );
    assert!(int8.mean_kl < 1e-2 && int8.changed_argmax < 0.5, "{int8:?}");
}

#[test]
fn a_context_that_is_too_short_is_said() {
    let config = Config {
        max_position_embeddings: 16,
        ..tiny()
    };
    let plan = Plan {
        device: DeviceChoice::Cpu,
        weights: WeightFormat::F32,
        batches: &[1],
        text: &[],
    };
    let error = measure(&config, &Tensors::random(&config, 3), &plan).unwrap_err();
    assert!(
        error.to_string().contains("16 tokens is too short"),
        "{error}"
    );
}
