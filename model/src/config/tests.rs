//! What a configuration accepts, refuses and writes.

use super::*;

pub(crate) fn tiny() -> Config {
    Config {
        hidden_size: 24,
        intermediate_size: 40,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 6,
        vocab_size: 50,
        max_position_embeddings: 64,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
        bos_token_id: None,
        eos_token_id: Some(0),
    }
}

#[test]
fn a_written_configuration_reads_back_equal() {
    let config = tiny();
    assert_eq!(Config::parse(&config.to_json()).unwrap(), config);
}

#[test]
fn an_error_names_the_field_that_is_wrong() {
    let check = |from: &str, to: &str, field: &str| {
        let json = String::from_utf8(tiny().to_json()).unwrap();
        assert!(json.contains(from), "{from} is in {json}");
        let error = Config::parse(json.replace(from, to).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(field), "{error} names {field}");
    };
    check(
        r#""model_type": "llama""#,
        r#""model_type": "qwen2""#,
        "model_type",
    );
    check(
        r#""hidden_act": "silu""#,
        r#""hidden_act": "gelu""#,
        "hidden_act",
    );
    check(r#""mlp_bias": false"#, r#""mlp_bias": true"#, "mlp_bias");
    check(
        r#""attention_bias": false"#,
        r#""attention_bias": true"#,
        "attention_bias",
    );
    check(
        r#""attention_bias": false"#,
        r#""rope_scaling": {"factor": 8}"#,
        "rope_scaling",
    );
    check(
        r#""attention_bias": false"#,
        r#""sliding_window": 8"#,
        "sliding_window",
    );
    check(r#""hidden_size": 24"#, r#""hidden_size": 0"#, "hidden_size");
    check(
        r#""hidden_size": 24"#,
        r#""hidden_size": 99999999999"#,
        "hidden_size",
    );
    check(r#""head_dim": 6"#, r#""head_dim": 7"#, "head_dim");
    check(
        r#""num_key_value_heads": 2"#,
        r#""num_key_value_heads": 3"#,
        "num_key_value_heads",
    );
    check(
        r#""eos_token_id": 0"#,
        r#""eos_token_id": 50"#,
        "eos_token_id",
    );
    check(r#""vocab_size": 50"#, r#""unused": 50"#, "unused");
}
