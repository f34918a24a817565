//! `config.json` as files have it: fields that are read, fields that change nothing, and everything else refused.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Config, ConfigError, Family, Llama3Scaling, RopeScaling, StopTokens, Variant, Window,
    YarnScaling, stop::MAX_STOP_TOKENS,
};

/// Fields that do not change what the decoder computes: training settings, defaults of generation, and notes.
const WITHOUT_EFFECT: &[&str] = &[
    "architectures",
    "attention_dropout",
    "auto_map",
    "dtype",
    "initializer_range",
    "is_llama_config",
    "pad_token_id",
    "pretraining_tp",
    "tokenizer_class",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
];

/// Fields that are read: those of [`File`].
const READ: &[&str] = &[
    "attention_bias",
    "bos_token_id",
    "eos_token_id",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "max_window_layers",
    "mlp_bias",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "partial_rotary_factor",
    "rms_norm_eps",
    "rope_interleaved",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
];

/// The fields that are read, in every family's spelling.
#[derive(Deserialize, Serialize)]
struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    architectures: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attention_bias: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bos_token_id: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// One token id or a list of them.
    eos_token_id: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head_dim: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hidden_act: Option<String>,
    hidden_size: usize,
    intermediate_size: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer_types: Option<Vec<String>>,
    max_position_embeddings: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_window_layers: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mlp_bias: Option<bool>,
    model_type: String,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    num_key_value_heads: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partial_rotary_factor: Option<f64>,
    rms_norm_eps: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_interleaved: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_parameters: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_scaling: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sliding_window: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tie_word_embeddings: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    use_sliding_window: Option<bool>,
    vocab_size: usize,
}

/// Reads the file. The numbers in it are checked by [`Config::check`].
pub(super) fn parse(json: &[u8]) -> Result<Config, ConfigError> {
    let fields: Map<String, Value> = serde_json::from_slice(json)?;
    let known = |field: &str| {
        field.starts_with('_') || READ.contains(&field) || WITHOUT_EFFECT.contains(&field)
    };
    if let Some((field, _)) = fields
        .iter()
        .find(|(field, value)| !known(field) && !value.is_null())
    {
        return Err(ConfigError::Unknown {
            field: field.clone(),
        });
    }
    let file: File = serde_json::from_value(Value::Object(fields))?;
    let family = Family::ALL
        .into_iter()
        .find(|family| family.model_type() == file.model_type)
        .ok_or_else(|| {
            unsupported(
                "model_type",
                &file.model_type,
                "one of \"llama\", \"mistral\", \"qwen2\", \"qwen3\"",
            )
        })?;
    if let Some(act) = file.hidden_act.as_ref().filter(|act| *act != "silu") {
        return Err(unsupported("hidden_act", act, "\"silu\""));
    }
    if file.mlp_bias == Some(true) {
        return Err(unsupported("mlp_bias", "true", "false"));
    }
    if file.rope_interleaved == Some(true) {
        return Err(unsupported("rope_interleaved", "true", "false"));
    }
    if let Some(share) = file.partial_rotary_factor.filter(|share| *share != 1.0) {
        return Err(unsupported("partial_rotary_factor", share, "1"));
    }
    let heads = file.num_attention_heads;
    let (rope_theta, rope_scaling) = rope(&file)?;
    let bias = file.attention_bias.unwrap_or(false);
    let (qkv_bias, output_bias) = match family {
        // Qwen2's biases are not a choice, and its file does not mention them.
        Family::Qwen2 => (true, false),
        Family::Mistral => (false, false),
        Family::Llama | Family::Qwen3 => (bias, bias),
    };
    let width = || file.hidden_size.checked_div(heads).unwrap_or(0);
    let head_dim = match (file.head_dim, family) {
        (Some(head_dim), _) => head_dim,
        (None, Family::Qwen3) => 128,
        (None, _) => width(),
    };
    Ok(Config {
        hidden_size: file.hidden_size,
        intermediate_size: file.intermediate_size,
        num_hidden_layers: file.num_hidden_layers,
        num_attention_heads: heads,
        num_key_value_heads: file.num_key_value_heads.unwrap_or(heads),
        head_dim,
        vocab_size: file.vocab_size,
        max_position_embeddings: file.max_position_embeddings,
        rms_norm_eps: file.rms_norm_eps as f32,
        rope_theta: rope_theta as f32,
        tie_word_embeddings: file.tie_word_embeddings.unwrap_or(false),
        bos_token_id: file.bos_token_id,
        eos_token_id: ids(file.eos_token_id.as_ref())?,
        variant: Variant {
            family,
            qkv_bias,
            output_bias,
            qk_norm: family == Family::Qwen3,
            rope_scaling,
            window: window(&file, family)?,
        },
    })
}

/// Writes the file.
pub(super) fn write(config: &Config) -> Vec<u8> {
    let variant = &config.variant;
    let has_choice = matches!(variant.family, Family::Llama | Family::Qwen3);
    let types = variant.window.as_ref().map(|window| {
        let name = |windowed: &bool| match windowed {
            true => "sliding_attention".to_owned(),
            false => "full_attention".to_owned(),
        };
        window.layers.iter().map(name).collect::<Vec<_>>()
    });
    let in_qwen = matches!(variant.family, Family::Qwen2 | Family::Qwen3);
    let file = File {
        architectures: Some(vec![variant.family.architecture().into()]),
        attention_bias: has_choice.then_some(variant.output_bias),
        bos_token_id: config.bos_token_id,
        eos_token_id: ids_to_json(&config.eos_token_id),
        head_dim: Some(config.head_dim),
        hidden_act: Some("silu".into()),
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        layer_types: types.filter(|_| in_qwen),
        max_position_embeddings: config.max_position_embeddings,
        max_window_layers: None,
        mlp_bias: (variant.family == Family::Llama).then_some(false),
        model_type: variant.family.model_type().into(),
        num_attention_heads: config.num_attention_heads,
        num_hidden_layers: config.num_hidden_layers,
        num_key_value_heads: Some(config.num_key_value_heads),
        partial_rotary_factor: None,
        rms_norm_eps: f64::from(config.rms_norm_eps),
        rope_interleaved: None,
        rope_parameters: None,
        rope_scaling: scaling_to_json(&variant.rope_scaling),
        rope_theta: Some(f64::from(config.rope_theta)),
        sliding_window: variant.window.as_ref().map(|window| window.tokens),
        tie_word_embeddings: Some(config.tie_word_embeddings),
        use_sliding_window: in_qwen.then_some(variant.window.is_some()),
        vocab_size: config.vocab_size,
    };
    let mut json = serde_json::to_vec_pretty(&file).expect("plain numbers and strings serialise");
    json.push(b'\n');
    json
}

/// One token id or a list of them.
fn ids(ids: Option<&Value>) -> Result<StopTokens, ConfigError> {
    let ids = match ids {
        None | Some(Value::Null) => return Ok(StopTokens::default()),
        Some(Value::Array(ids)) => ids.as_slice(),
        Some(id) => std::slice::from_ref(id),
    };
    if ids.len() > MAX_STOP_TOKENS {
        return Err(ConfigError::Dimension {
            field: "eos_token_id",
            found: ids.len(),
            expected: "it must list at most 64 tokens",
        });
    }
    Ok(ids.iter().map(u32::deserialize).collect::<Result<_, _>>()?)
}

/// As the file had it: one id, or a list.
fn ids_to_json(ids: &StopTokens) -> Option<Value> {
    match ids.len() {
        0 | 1 => ids.first().map(Value::from),
        _ => Some(ids.iter().collect()),
    }
}

/// The tokens that a `generation_config.json` ends an answer with.
pub(super) fn generation_ends(json: &[u8]) -> Result<StopTokens, ConfigError> {
    let fields: Map<String, Value> = serde_json::from_slice(json)?;
    ids(fields.get("eos_token_id"))
}

fn unsupported(field: &'static str, found: impl ToString, expected: &'static str) -> ConfigError {
    ConfigError::Unsupported {
        field,
        found: found.to_string(),
        expected,
    }
}

/// Which layers have a sliding window. Mistral's all have, once the file gives one; Qwen's only where the file says so.
fn window(file: &File, family: Family) -> Result<Option<Window>, ConfigError> {
    let layers = file.num_hidden_layers;
    if layers > super::MAX_LAYERS {
        // Checked again with its own message; here it bounds what the file can make us allocate.
        return Ok(None);
    }
    let on = match family {
        Family::Llama => false,
        Family::Mistral => true,
        Family::Qwen2 | Family::Qwen3 => file.use_sliding_window.unwrap_or(false),
    };
    let Some(tokens) = file.sliding_window.filter(|_| on) else {
        let slides = |kind: &String| kind != "full_attention";
        return match file.layer_types.iter().flatten().find(|kind| slides(kind)) {
            Some(kind) => Err(unsupported(
                "layer_types",
                kind,
                "\"full_attention\" where the model has no sliding_window",
            )),
            None => Ok(None),
        };
    };
    let by_type = |kind: &String| match kind.as_str() {
        "sliding_attention" => Ok(true),
        "full_attention" => Ok(false),
        other => Err(unsupported(
            "layer_types",
            other,
            "\"sliding_attention\" or \"full_attention\"",
        )),
    };
    let layers = match (&file.layer_types, family) {
        (Some(types), _) => types.iter().map(by_type).collect::<Result<_, _>>()?,
        (None, Family::Qwen2 | Family::Qwen3) => {
            let first = file.max_window_layers.unwrap_or(28);
            (0..layers).map(|layer| layer >= first).collect()
        }
        (None, _) => vec![true; layers],
    };
    Ok(Some(Window { tokens, layers }))
}

/// The base and the scaling, in both spellings: `rope_theta` beside `rope_scaling`, or both in `rope_parameters`.
fn rope(file: &File) -> Result<(f64, RopeScaling), ConfigError> {
    let table = file.rope_parameters.as_ref().or(file.rope_scaling.as_ref());
    let number = |key: &str| {
        table
            .and_then(|table| table.get(key))
            .and_then(Value::as_f64)
    };
    let theta = number("rope_theta").or(file.rope_theta).unwrap_or(10_000.0);
    let Some(table) = table else {
        return Ok((theta, RopeScaling::None));
    };
    let kind = table.get("rope_type").or_else(|| table.get("type"));
    let kind = match kind.and_then(Value::as_str) {
        Some(kind) => kind,
        None if number("factor").is_some() => {
            return Err(unsupported(
                "rope_scaling.rope_type",
                "nothing",
                "a type beside the factor",
            ));
        }
        None => "default",
    };
    let known: &[&str] = match kind {
        "default" | "linear" | "dynamic" => &[],
        "llama3" => &["low_freq_factor", "high_freq_factor"],
        "yarn" => &[
            "beta_fast",
            "beta_slow",
            "attention_factor",
            "mscale",
            "mscale_all_dim",
            "truncate",
        ],
        other => {
            return Err(unsupported(
                "rope_scaling.rope_type",
                other,
                "one of \"default\", \"linear\", \"dynamic\", \"llama3\", \"yarn\"",
            ));
        }
    };
    let common = [
        "rope_type",
        "type",
        "rope_theta",
        "factor",
        "original_max_position_embeddings",
    ];
    if let Some((field, _)) = table.iter().find(|(field, value)| {
        let field = field.as_str();
        !known.contains(&field) && !common.contains(&field) && !value.is_null()
    }) {
        return Err(ConfigError::Unknown {
            field: format!("rope_scaling.{field}"),
        });
    }
    let required = |field: &'static str, key: &str| {
        number(key).ok_or_else(|| unsupported(field, "nothing", "a number"))
    };
    let factor = || required("rope_scaling.factor", "factor");
    let context = table
        .get("original_max_position_embeddings")
        .and_then(Value::as_u64)
        .and_then(|tokens| usize::try_from(tokens).ok())
        .unwrap_or(file.max_position_embeddings);
    let scaling = match kind {
        "linear" => RopeScaling::Linear { factor: factor()? },
        "llama3" => RopeScaling::Llama3(Llama3Scaling {
            factor: factor()?,
            low_freq_factor: required("rope_scaling.low_freq_factor", "low_freq_factor")?,
            high_freq_factor: required("rope_scaling.high_freq_factor", "high_freq_factor")?,
            original_max_position_embeddings: context,
        }),
        "yarn" => RopeScaling::Yarn(YarnScaling {
            factor: factor()?,
            original_max_position_embeddings: context,
            beta_fast: number("beta_fast").unwrap_or(32.0),
            beta_slow: number("beta_slow").unwrap_or(1.0),
            attention_factor: number("attention_factor"),
            mscale: number("mscale"),
            mscale_all_dim: number("mscale_all_dim"),
            truncate: table
                .get("truncate")
                .and_then(Value::as_bool)
                .unwrap_or(true),
        }),
        // Dynamic scaling only sets in beyond max_position_embeddings, where this crate refuses to go.
        _ => RopeScaling::None,
    };
    Ok((theta, scaling))
}

fn scaling_to_json(scaling: &RopeScaling) -> Option<Map<String, Value>> {
    let value = match scaling {
        RopeScaling::None => return None,
        RopeScaling::Linear { factor } => {
            serde_json::json!({"rope_type": "linear", "factor": factor})
        }
        RopeScaling::Llama3(scaling) => serde_json::json!({
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_max_position_embeddings,
        }),
        RopeScaling::Yarn(scaling) => {
            let mut value = serde_json::json!({
                "rope_type": "yarn",
                "factor": scaling.factor,
                "original_max_position_embeddings": scaling.original_max_position_embeddings,
                "beta_fast": scaling.beta_fast,
                "beta_slow": scaling.beta_slow,
                "truncate": scaling.truncate,
            });
            for (key, number) in [
                ("attention_factor", scaling.attention_factor),
                ("mscale", scaling.mscale),
                ("mscale_all_dim", scaling.mscale_all_dim),
            ] {
                if let Some(number) = number {
                    value[key] = number.into();
                }
            }
            value
        }
    };
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}
