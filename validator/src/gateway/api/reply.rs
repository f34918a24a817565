//! Answers as OpenAI's clients read them: whole objects, and the chunks of a stream.
//!
//! What is ours stands under `athanor`, in objects that clients read anyway: the unmodified client keeps fields that it does
//! not know and trips over objects that have none of those that it does.

use serde_json::{Map, Value, json};

use super::Surface;

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The model ended it, or a stop string did.
    Stop,
    /// It has as many tokens as were wanted.
    Length,
}

impl Ended {
    /// OpenAI's word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
        }
    }
}

/// Tokens of a request and its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of the prompts.
    pub(crate) prompt: usize,
    /// Of the answers, the tokens that end them included.
    pub(crate) completion: usize,
}

impl Usage {
    fn value(self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        })
    }
}

/// A position of an answer with its log-probabilities.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// How the token is written.
    pub(crate) token: String,
    /// Its log-probability in nats at temperature 1.
    pub(crate) logprob: f32,
    /// The likeliest tokens of the position, likeliest first.
    pub(crate) top: Vec<(String, f32)>,
    /// Bytes of the answer before it.
    pub(crate) offset: usize,
}

/// Writes the answers to one request.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// Which way was asked.
    pub(crate) surface: Surface,
    /// Name of the response.
    pub(crate) id: String,
    /// When it was asked, in seconds since the Unix epoch.
    pub(crate) created: u64,
    /// The model's name as it was asked for.
    pub(crate) model: String,
}

impl Writer {
    /// A writer for a request that came at `created`, in seconds since the Unix epoch.
    pub(crate) fn new(surface: Surface, number: u128, created: u64, model: String) -> Self {
        let prefix = match surface {
            Surface::Chat => "chatcmpl",
            Surface::Completions => "cmpl",
        };
        Self {
            surface,
            id: format!("{prefix}-{number:032x}"),
            created,
            model,
        }
    }

    fn object(&self, streamed: bool, fingerprint: Option<&str>) -> Map<String, Value> {
        let kind = match (self.surface, streamed) {
            (Surface::Chat, false) => "chat.completion",
            (Surface::Chat, true) => "chat.completion.chunk",
            (Surface::Completions, _) => "text_completion",
        };
        let mut object = Map::new();
        object.insert("id".into(), json!(self.id));
        object.insert("object".into(), json!(kind));
        object.insert("created".into(), json!(self.created));
        object.insert("model".into(), json!(self.model));
        object.insert("system_fingerprint".into(), json!(fingerprint));
        object
    }

    /// One whole answer.
    pub(crate) fn choice(
        &self,
        index: usize,
        text: &str,
        ended: Ended,
        told: Option<&[Shown]>,
    ) -> Value {
        let mut choice = json!({
            "index": index,
            "logprobs": self.logprobs(told),
            "finish_reason": ended.name(),
        });
        match self.surface {
            Surface::Chat => {
                choice["message"] = json!({"role": "assistant", "content": text, "refusal": null});
            }
            Surface::Completions => choice["text"] = json!(text),
        }
        choice
    }

    /// The whole response; `own` is what stands under `athanor`.
    pub(crate) fn whole(
        &self,
        choices: Vec<Value>,
        usage: Usage,
        fingerprint: Option<&str>,
        own: Value,
    ) -> Value {
        let mut object = self.object(false, fingerprint);
        object.insert("choices".into(), json!(choices));
        object.insert("usage".into(), usage.value());
        object.insert("athanor".into(), own);
        Value::Object(object)
    }

    /// The first chunk of an answer, which says who speaks; completions have none.
    pub(crate) fn opening(&self, index: usize) -> Option<Value> {
        match self.surface {
            Surface::Chat => {
                let delta = json!({"role": "assistant", "content": "", "refusal": null});
                Some(self.chunk(index, delta, None, None, None, None))
            }
            Surface::Completions => None,
        }
    }

    /// The next piece of an answer.
    pub(crate) fn piece(&self, index: usize, text: &str, told: Option<&[Shown]>) -> Value {
        let delta = match self.surface {
            Surface::Chat => json!({"content": text}),
            Surface::Completions => json!(text),
        };
        self.chunk(index, delta, told, None, None, None)
    }

    /// The end of an answer.
    pub(crate) fn closing(
        &self,
        index: usize,
        ended: Ended,
        fingerprint: Option<&str>,
        own: Value,
    ) -> Value {
        let delta = match self.surface {
            Surface::Chat => json!({}),
            Surface::Completions => json!(""),
        };
        self.chunk(index, delta, None, Some(ended), fingerprint, Some(own))
    }

    /// The last chunk of a stream whose client wants to know the tokens used.
    pub(crate) fn usage(&self, usage: Usage) -> Value {
        let mut object = self.object(true, None);
        object.insert("choices".into(), json!([]));
        object.insert("usage".into(), usage.value());
        Value::Object(object)
    }

    fn chunk(
        &self,
        index: usize,
        delta: Value,
        told: Option<&[Shown]>,
        ended: Option<Ended>,
        fingerprint: Option<&str>,
        own: Option<Value>,
    ) -> Value {
        let mut object = self.object(true, fingerprint);
        let mut choice = json!({
            "index": index,
            "logprobs": self.logprobs(told),
            "finish_reason": ended.map(Ended::name),
        });
        let field = match self.surface {
            Surface::Chat => "delta",
            Surface::Completions => "text",
        };
        choice[field] = delta;
        object.insert("choices".into(), json!([choice]));
        if let Some(own) = own {
            object.insert("athanor".into(), own);
        }
        Value::Object(object)
    }

    fn logprobs(&self, told: Option<&[Shown]>) -> Value {
        let Some(told) = told else { return Value::Null };
        match self.surface {
            Surface::Chat => {
                let one = |token: &str, logprob: f32| json!({"token": token, "logprob": logprob, "bytes": bytes(token)});
                let content: Vec<Value> = told
                    .iter()
                    .map(|shown| {
                        let mut position = one(&shown.token, shown.logprob);
                        let top = shown.top.iter();
                        let top: Vec<Value> =
                            top.map(|(token, logprob)| one(token, *logprob)).collect();
                        position["top_logprobs"] = json!(top);
                        position
                    })
                    .collect();
                json!({"content": content, "refusal": null})
            }
            Surface::Completions => {
                let tops: Vec<Value> = told
                    .iter()
                    .map(|shown| {
                        let top = shown.top.iter();
                        Value::Object(top.map(|(token, p)| (token.clone(), json!(p))).collect())
                    })
                    .collect();
                json!({
                    "tokens": told.iter().map(|shown| &shown.token).collect::<Vec<_>>(),
                    "token_logprobs": told.iter().map(|shown| shown.logprob).collect::<Vec<_>>(),
                    "top_logprobs": tops,
                    "text_offset": told.iter().map(|shown| shown.offset).collect::<Vec<_>>(),
                })
            }
        }
    }
}

/// The bytes of a token's text; nothing where the text stands for a part of a character.
fn bytes(token: &str) -> Value {
    match token.contains('\u{fffd}') {
        true => Value::Null,
        false => json!(token.as_bytes()),
    }
}
