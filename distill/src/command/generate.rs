//! `athanor-distill generate`: let a model speak, as one tries a student by hand.

use std::{
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use athanor_model::{
    Config, Decoding, DeviceChoice, OnDevice, Tensors, Tokenizer, TrainBackend, Transformer,
    huggingface, sampler,
    text::{ChatTemplate, Conversation, Detokenizer, Message, Released, StopStrings},
};
use serde::Serialize;

use super::{CommandError, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory with config.json, safetensors and tokenizer.json.
    #[arg(long)]
    model: PathBuf,
    /// The text to continue; without it, standard input.
    #[arg(long, conflicts_with = "messages")]
    prompt: Option<String>,
    /// Ask it as a user asks, through the model's chat template.
    #[arg(long)]
    chat: bool,
    /// What the system says before the user.
    #[arg(long, requires = "chat")]
    system: Option<String>,
    /// A whole conversation: a JSON file with messages and, if there are any, tools.
    #[arg(long)]
    messages: Option<PathBuf>,
    /// The most tokens to generate.
    #[arg(long, default_value_t = 128)]
    max_new_tokens: usize,
    /// Temperature of the draw; 0 takes the likeliest token.
    #[arg(long, default_value_t = 0.8)]
    temperature: f32,
    /// Seed of the draw: the same one gives the same text.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A text that ends the answer and is not part of it; may be given several times.
    #[arg(long)]
    stop: Vec<String>,
    /// Where to run it: cpu, cuda:N, or auto for the first card that works.
    #[arg(long, default_value_t = DeviceChoice::Auto)]
    device: DeviceChoice,
    /// Print one JSON object at the end instead of the text as it comes.
    #[arg(long)]
    json: bool,
}

/// What was generated, and what it took.
#[derive(Serialize)]
struct Generated {
    text: String,
    tokens: Vec<u32>,
    /// "stop" or "length", as OpenAI's APIs say.
    finish_reason: &'static str,
    prompt_tokens: usize,
    seconds: f64,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let Arguments {
        temperature, json, ..
    } = arguments;
    if !(temperature >= 0.0 && temperature.is_finite()) {
        return Err(CommandError::Flag {
            flag: "temperature",
            value: temperature.to_string(),
            expected: "give a number from zero on",
        });
    }
    let (config, tensors) = huggingface::open(&arguments.model)?;
    let tokenizer = Tokenizer::open(&arguments.model)?;
    let prompt = prompt(&arguments, &tokenizer)?;
    let room = config.max_position_embeddings.saturating_sub(prompt.len());
    if prompt.is_empty() || room == 0 {
        return Err(CommandError::Prompt {
            tokens: prompt.len(),
            context: config.max_position_embeddings,
        });
    }
    let generated = arguments.device.dispatch(Generate {
        config: &config,
        tensors: &tensors,
        tokenizer: &tokenizer,
        longest: arguments.max_new_tokens.min(room),
        arguments: &arguments,
        prompt,
    })??;
    if json {
        print(serde_json::json!(generated))?;
    } else {
        print("")?;
    }
    if !json && io::stderr().is_terminal() {
        let Generated {
            tokens, seconds, ..
        } = &generated;
        let rate = tokens.len() as f64 / seconds;
        eprintln!("[{} tokens, {rate:.0} a second]", tokens.len());
    }
    Ok(())
}

/// The token ids that the model is to continue.
fn prompt(arguments: &Arguments, tokenizer: &Tokenizer) -> Result<Vec<u32>, CommandError> {
    let conversation = match &arguments.messages {
        Some(path) => {
            let json = std::fs::read(path).map_err(|source| CommandError::Read {
                path: path.clone(),
                source,
            })?;
            Some(Conversation::from_json(&json)?)
        }
        None if arguments.chat => {
            let say = |role: &str, content: String| Message {
                role: role.into(),
                content,
            };
            let system = arguments.system.clone();
            let mut messages: Vec<Message> =
                system.into_iter().map(|text| say("system", text)).collect();
            messages.push(say("user", text(arguments)?));
            Some(Conversation::new(&messages))
        }
        None => None,
    };
    let Some(conversation) = conversation else {
        return Ok(tokenizer.encode_prompt(&text(arguments)?)?);
    };
    let template = template(&arguments.model)?;
    let prompt = template.render(&conversation, true, SystemTime::now())?;
    // The template has written every special token that belongs there.
    Ok(tokenizer.encode(&prompt)?)
}

fn text(arguments: &Arguments) -> Result<String, CommandError> {
    if let Some(text) = &arguments.prompt {
        return Ok(text.clone());
    }
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(CommandError::Input)?;
    Ok(text)
}

fn template(dir: &Path) -> Result<ChatTemplate, CommandError> {
    ChatTemplate::open(dir)?.ok_or_else(|| CommandError::NoTemplate {
        dir: dir.to_owned(),
    })
}

/// What [`run`] does on the device.
struct Generate<'a> {
    config: &'a Config,
    tensors: &'a Tensors,
    tokenizer: &'a Tokenizer,
    arguments: &'a Arguments,
    prompt: Vec<u32>,
    longest: usize,
}

impl OnDevice for Generate<'_> {
    type Output = Result<Generated, CommandError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Arguments {
            temperature,
            seed,
            stop,
            json,
            ..
        } = self.arguments;
        let model =
            Transformer::<B::InnerBackend>::from_tensors(self.config, self.tensors, &device)?;
        let context = self.prompt.len() + self.longest;
        let mut decoding = Decoding::new(&model, 1, context)?;
        let ends = self.config.eos_token_id.clone();
        let ends = ends.or(self.tokenizer.eos_id());
        let mut detokenizer = Detokenizer::new(self.tokenizer.clone());
        let mut stops = StopStrings::new(stop.iter().cloned());
        let (mut text, mut tokens) = (String::new(), Vec::new());
        let mut show = |piece: &str| -> io::Result<()> {
            text.push_str(piece);
            if *json {
                return Ok(());
            }
            let mut out = io::stdout().lock();
            out.write_all(piece.as_bytes())?;
            out.flush()
        };
        let begun = Instant::now();
        decoding.start(&[&self.prompt]);
        let (mut finish_reason, mut cut) = ("length", false);
        for step in 0..self.longest {
            let Some(logits) = decoding.logits().next() else {
                break;
            };
            let token = sampler::sample(logits, *temperature, *seed, step as u32);
            tokens.push(token);
            if ends.contains(token) {
                finish_reason = "stop";
                break;
            }
            let Released { text, stopped } = stops.push(&detokenizer.push(token)?);
            show(&text)?;
            if stopped {
                (finish_reason, cut) = ("stop", true);
                break;
            }
            if step + 1 < self.longest {
                decoding.append(&[token]);
            }
        }
        if !cut {
            let Released { text, stopped } = stops.push(&detokenizer.finish()?);
            show(&text)?;
            match stopped {
                true => finish_reason = "stop",
                false => show(&stops.finish())?,
            }
        }
        Ok(Generated {
            prompt_tokens: self.prompt.len(),
            seconds: begun.elapsed().as_secs_f64(),
            finish_reason,
            tokens,
            text,
        })
    }
}
