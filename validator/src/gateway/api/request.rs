//! Requests to `/v1/chat/completions` and `/v1/completions`, read without a model or a network.
//!
//! A parameter that is OpenAI's and that audits never use is refused by name rather than ignored: a miner that could tell
//! users' traffic by its shape could serve audits only. One that is nobody's is refused too, for it is misspelt.

use athanor_model::text::Message;
use athanor_spec::SubnetSpec;
use serde_json::{Map, Value};

use super::{
    ApiError,
    fields::{Fields, invalid},
};

/// Answers to one request at most, over all its prompts.
pub const MAX_CHOICES: usize = 16;
/// Likeliest tokens of a position that may be asked for.
pub(crate) const MAX_TOP_LOGPROBS: u64 = 20;
/// Stop strings of a request at most, and bytes of each.
const MAX_STOPS: (usize, usize) = (4, 256);
/// Tokens of an answer to `/v1/completions` that names no bound, as with OpenAI.
const COMPLETION_TOKENS: u32 = 16;

/// Which of the two ways to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
}

/// What an ask of the subnet looks like: what audits use, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Temperatures in thousandths.
    pub temperatures_milli: Vec<u16>,
    /// Tokens that are asked for at least; a user who wants fewer is shown fewer.
    pub least_tokens: u32,
    /// Tokens that are asked for at most.
    pub most_tokens: u32,
    /// Tokens of a prompt at most.
    pub max_prompt_tokens: u32,
    /// Number of token ids.
    pub vocab_size: u32,
}

impl Shape {
    /// The shape of a spec's audits.
    pub fn of(spec: &SubnetSpec) -> Self {
        let (least_tokens, most_tokens) = spec.round.continuation_new_tokens;
        let mut temperatures_milli = spec.round.temperatures_milli.clone();
        temperatures_milli.sort_unstable();
        temperatures_milli.dedup();
        Self {
            temperatures_milli,
            least_tokens,
            most_tokens,
            max_prompt_tokens: spec.limits.max_prompt_tokens,
            vocab_size: spec.subnet.vocab_size,
        }
    }

    /// The temperature of a request that names none: the one nearest to OpenAI's default, which is 1.
    fn usual_temperature(&self) -> u16 {
        let nearest = self
            .temperatures_milli
            .iter()
            .min_by_key(|milli| milli.abs_diff(1000));
        nearest.copied().unwrap_or(1000)
    }

    fn temperature(&self, wanted: f64) -> Result<u16, ApiError> {
        let milli = (wanted * 1000.0).round();
        let known = self
            .temperatures_milli
            .iter()
            .find(|known| (f64::from(**known) - milli).abs() < 0.5);
        known.copied().ok_or_else(|| {
            let all = self.temperatures_milli.iter();
            let all: Vec<String> = all
                .map(|it| (f64::from(*it) / 1000.0).to_string())
                .collect();
            invalid(
                "temperature",
                format!(
                    "this subnet is audited at {}, and answers at another temperature could not be",
                    all.join(", ")
                ),
            )
        })
    }
}

/// A text to go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// In words.
    Text(String),
    /// In the subnet's tokens.
    Tokens(Vec<u32>),
}

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompts {
    /// A conversation.
    Chat(Vec<Message>),
    /// Texts, each answered by itself.
    Texts(Vec<Prompt>),
}

/// Whose log-probabilities are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// Those of the checkpoint that drew the answer.
    #[default]
    Miner,
    /// Those of the subnet's teacher, which a student may learn from.
    Teacher,
}

/// A request that keeps to the rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The model's name, not looked up yet.
    pub model: String,
    /// What is to be answered.
    pub prompts: Prompts,
    /// Answers to each prompt.
    pub n: usize,
    /// Tokens of an answer at most, as the user wants it.
    pub max_tokens: u32,
    /// Temperature in thousandths.
    pub temperature_milli: u16,
    /// The same seed gives the same answers while the miner serves the same checkpoint.
    pub seed: Option<i64>,
    /// Texts that end an answer and are not part of it.
    pub stop: Vec<String>,
    /// Whether the answer is wanted as it comes.
    pub stream: bool,
    /// Whether a stream tells the tokens used.
    pub include_usage: bool,
    /// Likeliest tokens to tell of each position; `None` when no log-probabilities are wanted.
    pub logprobs: Option<usize>,
    /// Whether tokens are told by their ids rather than their text.
    pub token_ids: bool,
    /// Whose log-probabilities.
    pub reference: Reference,
    /// Whether the answer may be used as evidence in audits; `None`: as the key says.
    pub audit: Option<bool>,
    /// Whether the receipt is kept for later.
    pub keep: bool,
}

impl Request {
    /// Reads the body of a request.
    pub fn parse(surface: Surface, body: &[u8], shape: &Shape) -> Result<Self, ApiError> {
        let object = serde_json::from_slice(body).map_err(|error| ApiError::NotJson {
            what: error.to_string(),
        })?;
        let mut fields = Fields(object);
        let request = Self::take(surface, &mut fields, shape)?;
        fields.nothing_else()?;
        Ok(request)
    }

    fn take(surface: Surface, fields: &mut Fields, shape: &Shape) -> Result<Self, ApiError> {
        let model = fields.text("model")?;
        let model = model.ok_or(ApiError::Missing { param: "model" })?;
        let prompts = match surface {
            Surface::Chat => Prompts::Chat(messages(fields.value("messages"))?),
            Surface::Completions => Prompts::Texts(prompts(fields.value("prompt"), shape)?),
        };
        let n = fields.number("n", 1, MAX_CHOICES as u64)?.unwrap_or(1) as usize;
        let texts = match &prompts {
            Prompts::Chat(_) => 1,
            Prompts::Texts(texts) => texts.len(),
        };
        if texts * n > MAX_CHOICES {
            return Err(invalid(
                "n",
                format!("at most {MAX_CHOICES} answers at a time, over all prompts"),
            ));
        }
        let old = fields.number("max_tokens", 1, u64::from(u32::MAX))?;
        let new = match surface {
            Surface::Chat => fields.number("max_completion_tokens", 1, u64::from(u32::MAX))?,
            Surface::Completions => None,
        };
        let max_tokens = match (new.or(old), surface) {
            (Some(wanted), _) if wanted > u64::from(shape.most_tokens) => {
                return Err(invalid(
                    if new.is_some() {
                        "max_completion_tokens"
                    } else {
                        "max_tokens"
                    },
                    format!(
                        "{wanted} is too large: this model answers with at most {} tokens",
                        shape.most_tokens
                    ),
                ));
            }
            (Some(wanted), _) => wanted as u32,
            (None, Surface::Chat) => shape.most_tokens,
            (None, Surface::Completions) => COMPLETION_TOKENS.min(shape.most_tokens),
        };
        let temperature_milli = match fields.real("temperature")? {
            None => shape.usual_temperature(),
            Some(wanted) => shape.temperature(wanted)?,
        };
        let stream = fields.switch("stream")?.unwrap_or(false);
        let include_usage = match fields.value("stream_options") {
            None => false,
            Some(Value::Object(mut options)) => {
                // A part of the options that OpenAI pads streams by; there is nothing to pad here.
                options.remove("include_obfuscation");
                let usage = options.remove("include_usage");
                if let Some((name, _)) = options.into_iter().next() {
                    return Err(ApiError::Unknown {
                        param: format!("stream_options.{name}"),
                    });
                }
                match usage {
                    None | Some(Value::Null) => false,
                    Some(Value::Bool(wanted)) => wanted,
                    Some(_) => {
                        return Err(invalid(
                            "stream_options.include_usage",
                            "expected true or false",
                        ));
                    }
                }
            }
            Some(_) => return Err(invalid("stream_options", "expected an object")),
        };
        if include_usage && !stream {
            return Err(invalid(
                "stream_options",
                "only allowed when 'stream' is true",
            ));
        }
        let logprobs = match surface {
            Surface::Chat => {
                let wanted = fields.switch("logprobs")?.unwrap_or(false);
                let top = fields.number("top_logprobs", 0, MAX_TOP_LOGPROBS)?;
                if top.is_some() && !wanted {
                    return Err(invalid(
                        "top_logprobs",
                        "only allowed when 'logprobs' is true",
                    ));
                }
                wanted.then(|| top.unwrap_or(0) as usize)
            }
            Surface::Completions => fields
                .number("logprobs", 0, MAX_TOP_LOGPROBS)?
                .map(|top| top as usize),
        };
        let mut own = match fields.value("athanor") {
            None => Fields(Map::new()),
            Some(Value::Object(own)) => Fields(own),
            Some(_) => return Err(invalid("athanor", "expected an object")),
        };
        let reference = match own.text("logprobs_of")?.as_deref() {
            None | Some("miner") => Reference::Miner,
            Some("teacher") => Reference::Teacher,
            Some(_) => {
                return Err(invalid(
                    "athanor.logprobs_of",
                    "expected \"miner\" or \"teacher\"",
                ));
            }
        };
        let audit = own.switch("audit")?;
        if let Some((name, _)) = own.0.into_iter().next() {
            return Err(ApiError::Unknown {
                param: format!("athanor.{name}"),
            });
        }
        Ok(Self {
            model,
            prompts,
            n,
            max_tokens,
            temperature_milli,
            seed: fields.integer("seed")?,
            stop: stops(fields.value("stop"))?,
            stream,
            include_usage,
            logprobs,
            token_ids: fields
                .switch("return_tokens_as_token_ids")?
                .unwrap_or(false),
            reference,
            audit,
            keep: fields.switch("store")?.unwrap_or(true),
        })
    }
}

fn stops(value: Option<Value>) -> Result<Vec<String>, ApiError> {
    let expected = || {
        let (count, bytes) = MAX_STOPS;
        invalid(
            "stop",
            format!("expected a string or up to {count} of them, each of 1 to {bytes} bytes"),
        )
    };
    let all = match value {
        None => return Ok(Vec::new()),
        Some(Value::String(one)) => vec![Value::String(one)],
        Some(Value::Array(all)) => all,
        Some(_) => return Err(expected()),
    };
    if all.len() > MAX_STOPS.0 {
        return Err(expected());
    }
    all.into_iter()
        .map(|stop| match stop {
            Value::String(stop) if (1..=MAX_STOPS.1).contains(&stop.len()) => Ok(stop),
            _ => Err(expected()),
        })
        .collect()
}

/// Reads a conversation. Only text is understood; a content in parts is the texts of its parts.
fn messages(value: Option<Value>) -> Result<Vec<Message>, ApiError> {
    let expected = |what: &str| invalid("messages", what);
    let Some(value) = value else {
        return Err(ApiError::Missing { param: "messages" });
    };
    let all = match value {
        Value::Array(all) if !all.is_empty() => all,
        _ => return Err(expected("expected a list of at least one message")),
    };
    all.into_iter()
        .enumerate()
        .map(|(index, message)| {
            let role = match message["role"].as_str() {
                Some(role @ ("system" | "user" | "assistant")) => role,
                // What the newer models call their system.
                Some("developer") => "system",
                _ => {
                    return Err(invalid(
                        format!("messages[{index}].role"),
                        "expected \"system\", \"developer\", \"user\" or \"assistant\"",
                    ));
                }
            };
            let content = text_of(&message["content"]).ok_or_else(|| {
                invalid(
                    format!("messages[{index}].content"),
                    "expected a string, or a list of parts of type \"text\"",
                )
            })?;
            if !message["tool_calls"].is_null() {
                return Err(ApiError::Unsupported {
                    param: format!("messages[{index}].tool_calls"),
                    instead: "this subnet's models call no tools".to_owned(),
                });
            }
            Ok(Message {
                role: role.to_owned(),
                content,
            })
        })
        .collect()
}

fn text_of(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => parts
            .iter()
            .map(|part| match part["type"].as_str() {
                Some("text") => part["text"].as_str(),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// Reads a prompt: a text, several, a list of token ids, or several of those.
fn prompts(value: Option<Value>, shape: &Shape) -> Result<Vec<Prompt>, ApiError> {
    let expected = || {
        invalid(
            "prompt",
            format!(
                "expected a string, a list of token ids below {}, or a list of either",
                shape.vocab_size
            ),
        )
    };
    let tokens = |ids: &[Value]| -> Result<Prompt, ApiError> {
        let known = |id: &Value| id.as_u64().filter(|id| *id < u64::from(shape.vocab_size));
        let ids: Option<Vec<u32>> = ids.iter().map(|id| Some(known(id)? as u32)).collect();
        ids.map(Prompt::Tokens).ok_or_else(expected)
    };
    match value {
        None => Err(ApiError::Missing { param: "prompt" }),
        Some(Value::String(text)) => Ok(vec![Prompt::Text(text)]),
        Some(Value::Array(all)) if all.first().is_some_and(Value::is_number) => {
            Ok(vec![tokens(&all)?])
        }
        Some(Value::Array(all)) if !all.is_empty() && all.len() <= MAX_CHOICES => all
            .into_iter()
            .map(|one| match one {
                Value::String(text) => Ok(Prompt::Text(text)),
                Value::Array(ids) => tokens(&ids),
                _ => Err(expected()),
            })
            .collect(),
        Some(Value::Array(all)) if all.len() > MAX_CHOICES => Err(invalid(
            "prompt",
            format!("at most {MAX_CHOICES} prompts at a time"),
        )),
        Some(_) => Err(expected()),
    }
}
