//! Write a conversation as the prompt that a model was trained on, by the Jinja template that comes with the model.
//!
//! Templates are read where Hugging Face's tools put them, and rendered with what `apply_chat_template` of transformers
//! offers: the same names, filters, string methods and white-space rules.

mod json;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use minijinja::{Environment, ErrorKind, Value, syntax::SyntaxConfig, value::Kwargs};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;
use time::{OffsetDateTime, format_description::parse_strftime_owned};

/// A file that holds a template alone.
const TEMPLATE: &str = "chat_template.jinja";
/// The file that holds how special tokens are spelt and, in older directories, the template.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// The largest of either file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// Instructions that one rendering may take, so that no template runs for ever.
const FUEL: u64 = 2_000_000;
/// The longest prompt that a template may write, in bytes.
const MAX_PROMPT_BYTES: usize = 4 << 20;
/// Names of the templates of a directory that has several: the usual one, and the one for conversations with tools.
const NAMES: (&str, &str) = ("default", "tool_use");

/// A model's chat templates.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// Spelling of the special tokens, by the names that templates know them under.
    tokens: BTreeMap<String, String>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks: mostly `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// What is to be written as a prompt.
#[derive(Clone, Debug)]
pub struct Conversation {
    messages: Vec<Value>,
    tools: Option<Value>,
    variables: BTreeMap<String, Value>,
}

/// The parts of a request to a chat API that a template sees.
#[derive(Deserialize)]
struct ChatRequest<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
    #[serde(default)]
    tools: Option<&'a RawValue>,
    #[serde(default)]
    chat_template_kwargs: BTreeMap<String, &'a RawValue>,
}

/// Why a text is not a conversation.
#[derive(Debug, Error)]
#[error(
    "not a conversation: {0}; expected {{\"messages\": [{{\"role\": .., \"content\": ..}}, ..]}}"
)]
pub struct ConversationError(#[from] serde_json::Error);

/// Why there is no prompt.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is longer than is read.
    #[error("{} has more than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A template is not Jinja, as far as it is understood here.
    #[error("the chat template cannot be read: {}", chain(.0))]
    Syntax(minijinja::Error),
    /// The template refuses the conversation, or fails on it.
    #[error("the chat template does not take this conversation: {}", chain(.0))]
    Render(minijinja::Error),
}

/// An error with its causes, on one line.
fn chain(error: &minijinja::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Conversation {
    /// A conversation of plain messages.
    pub fn new(messages: &[Message]) -> Self {
        let written = |message: &Message| {
            let Message { role, content } = message;
            Value::from_pairs([("role", role.as_str()), ("content", content.as_str())])
        };
        Self {
            messages: messages.iter().map(written).collect(),
            tools: None,
            variables: BTreeMap::new(),
        }
    }

    /// Reads `messages`, `tools` and `chat_template_kwargs` of a request to a chat API; the rest is left alone.
    pub fn from_json(json: &[u8]) -> Result<Self, ConversationError> {
        let ChatRequest {
            messages,
            tools,
            chat_template_kwargs: variables,
        } = serde_json::from_slice(json)?;
        let variables = variables.into_iter();
        Ok(Self {
            messages: messages
                .into_iter()
                .map(json::value)
                .collect::<Result<_, _>>()?,
            tools: tools.map(json::value).transpose()?,
            variables: variables
                .map(|(name, value)| Ok((name, json::value(value)?)))
                .collect::<Result<_, serde_json::Error>>()?,
        })
    }
}

impl ChatTemplate {
    /// Reads the templates in a model's directory; `None` when it has none.
    pub fn open(dir: &Path) -> Result<Option<Self>, TemplateError> {
        let config = match read(&dir.join(TOKENIZER_CONFIG))? {
            None => TokenizerConfig::default(),
            Some(text) => serde_json::from_str(&text).map_err(|source| TemplateError::Json {
                path: dir.join(TOKENIZER_CONFIG),
                source,
            })?,
        };
        let templates = match (read(&dir.join(TEMPLATE))?, config.chat_template) {
            // A file of its own is the newer place, and wins in transformers too.
            (Some(template), _) | (None, Some(Templates::One(template))) => {
                vec![(NAMES.0.to_owned(), template)]
            }
            (None, Some(Templates::Named(named))) => named
                .into_iter()
                .map(|named| (named.name, named.template))
                .collect(),
            (None, None) => return Ok(None),
        };
        let spelt = |(name, token): (String, Option<Spelling>)| match token? {
            Spelling::Plain(content) | Spelling::Added { content } => Some((name, content)),
            Spelling::Other(_) => None,
        };
        let tokens = config.rest.into_iter();
        let tokens = tokens.filter(|(name, _)| name.ends_with("_token"));
        Self::new(templates, tokens.filter_map(spelt).collect()).map(Some)
    }

    /// A single template; `tokens` are the spellings of `bos_token`, `eos_token` and others.
    pub fn parse(template: &str, tokens: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        Self::new(vec![(NAMES.0.to_owned(), template.to_owned())], tokens)
    }

    fn new(
        templates: Vec<(String, String)>,
        tokens: BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(TemplateError::Syntax)?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", to_json);
        for (name, template) in templates {
            environment
                .add_template_owned(name, without_marks(&template))
                .map_err(TemplateError::Syntax)?;
        }
        Ok(Self {
            environment,
            tokens,
        })
    }

    /// Writes a conversation as a prompt. With `answer`, the prompt goes on to where the assistant begins to speak.
    ///
    /// `now` is what a template that asks for the date is told, in UTC: the same arguments give the same prompt.
    pub fn render(
        &self,
        conversation: &Conversation,
        answer: bool,
        now: SystemTime,
    ) -> Result<String, TemplateError> {
        let mut context: BTreeMap<&str, Value> = BTreeMap::new();
        let now = OffsetDateTime::from(now);
        let strftime_now = move |format: &str| strftime(now, format);
        context.insert("strftime_now", Value::from_function(strftime_now));
        let tokens = self.tokens.iter();
        context.extend(tokens.map(|(name, token)| (name.as_str(), token.as_str().into())));
        let variables = conversation.variables.iter();
        context.extend(variables.map(|(name, value)| (name.as_str(), value.clone())));
        context.insert("messages", conversation.messages.iter().cloned().collect());
        context.insert("tools", conversation.tools.clone().unwrap_or(().into()));
        context.insert("add_generation_prompt", answer.into());
        let with_tools = conversation.tools.is_some();
        let template = match with_tools {
            true => self.environment.get_template(NAMES.1),
            false => self.environment.get_template(NAMES.0),
        };
        let template = template.or_else(|_| self.environment.get_template(NAMES.0));
        let mut prompt = Bounded(Vec::new());
        template
            .map_err(TemplateError::Render)?
            .render_captured_to(context, &mut prompt)
            .map_err(TemplateError::Render)?;
        // A template writes text, and text only.
        Ok(String::from_utf8_lossy(&prompt.0).into_owned())
    }
}

/// `tokenizer_config.json`, as far as a template needs it.
#[derive(Default, Deserialize)]
struct TokenizerConfig {
    chat_template: Option<Templates>,
    #[serde(flatten)]
    rest: BTreeMap<String, Option<Spelling>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<Named>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

/// How a special token is spelt: as it is, or with what else is known of it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spelling {
    Plain(String),
    Added { content: String },
    Other(serde::de::IgnoredAny),
}

/// A prompt that ends with an error at its bound.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_PROMPT_BYTES {
            return Err(io::Error::other(format!(
                "the prompt has more than {MAX_PROMPT_BYTES} bytes"
            )));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The contents of a file; `None` when there is no such file.
fn read(path: &Path) -> Result<Option<String>, TemplateError> {
    let failed = |source| TemplateError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut text = String::new();
    let mut file = file.take(MAX_FILE_BYTES + 1);
    file.read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(TemplateError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(Some(text))
}

/// The template without the tags by which a trainer finds the assistant's words: a condition that always holds is as good.
fn without_marks(template: &str) -> String {
    let mut written = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        written.push_str(before);
        let inside = tag.trim_start_matches(['-', '+']);
        let name = inside.trim_start();
        written.push_str(&tag[..tag.len() - name.len()]);
        rest = name;
        for (mark, condition) in [("generation", "if true"), ("endgeneration", "endif")] {
            let after = name.strip_prefix(mark).map(str::trim_start);
            if let Some(after) = after
                && after.trim_start_matches(['-', '+']).starts_with("%}")
            {
                written.push_str(condition);
                written.push(' ');
                rest = after;
                break;
            }
        }
    }
    written.push_str(rest);
    written
}

fn raise_exception(message: &str) -> Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(
        ErrorKind::InvalidOperation,
        message.to_owned(),
    ))
}

fn strftime(now: OffsetDateTime, format: &str) -> Result<String, minijinja::Error> {
    let wrong = |what: String| minijinja::Error::new(ErrorKind::InvalidOperation, what);
    let items = parse_strftime_owned(format).map_err(|error| wrong(error.to_string()))?;
    now.format(&items).map_err(|error| wrong(error.to_string()))
}

/// JSON as Python's `json.dumps` writes it, with its spaces and without escapes for HTML.
fn to_json(value: &Value, options: Kwargs) -> Result<String, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    // What transformers' filter takes besides; its defaults are what is written here.
    let _: (Option<bool>, Option<bool>) = (options.get("ensure_ascii")?, options.get("sort_keys")?);
    options.assert_all_used()?;
    let mut json = Vec::new();
    let written = match indent {
        Some(indent) => {
            let indent = " ".repeat(indent.min(16));
            let pretty = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(
                &mut json, pretty,
            ))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut json, Spaced,
        )),
    };
    let wrong = |error: serde_json::Error| {
        minijinja::Error::new(ErrorKind::BadSerialization, error.to_string())
    };
    written.map_err(wrong)?;
    Ok(String::from_utf8_lossy(&json).into_owned())
}

/// A space after every comma and colon.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        to.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        to.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }
}

#[cfg(test)]
mod tests;
