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
        eos_token_id: Some(0).into(),
        variant: Default::default(),
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
        r#""model_type": "gemma2""#,
        "model_type",
    );
    check(
        r#""hidden_act": "silu""#,
        r#""hidden_act": "gelu""#,
        "hidden_act",
    );
    check(r#""mlp_bias": false"#, r#""mlp_bias": true"#, "mlp_bias");
    let scaled = |scaling: &str, field: &str| {
        let field = format!("rope_scaling.{field}");
        let scaling = format!(r#""rope_scaling": {scaling}"#);
        check(r#""attention_bias": false"#, &scaling, &field);
    };
    scaled(r#"{"factor": 8}"#, "rope_type");
    scaled(r#"{"rope_type": "longrope"}"#, "rope_type");
    scaled(r#"{"rope_type": "linear"}"#, "factor");
    scaled(r#"{"rope_type": "linear", "factor": 0}"#, "factor");
    scaled(r#"{"type": "yarn", "factor": 2, "fast": 3}"#, "fast");
    scaled(
        r#"{"type": "llama3", "factor": 2, "low_freq_factor": 4, "high_freq_factor": 1}"#,
        "high_freq_factor",
    );
    check(
        r#""attention_bias": false"#,
        r#""partial_rotary_factor": 0.5"#,
        "partial_rotary_factor",
    );
    check(
        r#""attention_bias": false"#,
        r#""layer_types": ["sliding_attention", "full_attention"]"#,
        "layer_types",
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

#[test]
fn a_list_of_ending_tokens_gives_the_first() {
    let parse = |ids: &str| {
        let json = String::from_utf8(tiny().to_json()).unwrap();
        let ids = format!(r#""eos_token_id": {ids}"#);
        Config::parse(json.replace(r#""eos_token_id": 0"#, &ids).as_bytes())
    };
    let listed = |ids| parse(ids).unwrap().eos_token_id;
    assert_eq!(listed("[7, 9, 7]"), [7, 9].into_iter().collect());
    assert_eq!(listed("[]"), None.into());
    assert_eq!(listed("null"), None.into());
    let mut config = parse("[7, 9]").unwrap();
    assert_eq!(Config::parse(&config.to_json()).unwrap(), config);
    let generation = br#"{"do_sample": true, "eos_token_id": [9, 3], "temperature": 0.6}"#;
    config.take_generation(generation).unwrap();
    assert_eq!(config.eos_token_id, [7, 9, 3].into_iter().collect());
    let error = config
        .take_generation(br#"{"eos_token_id": 5000}"#)
        .unwrap_err();
    assert!(error.to_string().contains("eos_token_id"), "{error}");
    assert!(config.take_generation(b"{").is_err());
    assert!(parse("-1").is_err());
    assert!(parse("\"x\"").is_err());
}

#[test]
fn qwen_slides_from_the_layer_that_it_names() {
    let config = |changes: &str| {
        let json = String::from_utf8(tiny().to_json()).unwrap();
        let json = json.replace(r#""model_type": "llama""#, r#""model_type": "qwen2""#);
        let json = json.replace(r#""attention_bias": false"#, changes);
        Config::parse(json.as_bytes()).unwrap().variant
    };
    let off = r#""use_sliding_window": false, "sliding_window": 4, "max_window_layers": 1"#;
    assert_eq!(config(off).window, None);
    let on = config(&off.replace("false", "true"));
    assert_eq!((on.window(0), on.window(1)), (None, Some(4)));
    assert!(on.qkv_bias && !on.output_bias && !on.qk_norm);
    let config = Config {
        variant: on,
        ..tiny()
    };
    assert_eq!(config.with_layers(&[1]).variant.window(0), Some(4));
}
