//! From a request to the asks that answer it.

use std::time::SystemTime;

use athanor_model::{
    Tokenizer,
    text::{ChatTemplate, Conversation, Message},
};
use athanor_spec::Ask;

use super::api::{ApiError, Prompt, Prompts, Request, Shape};

/// What turns text into asks.
pub(crate) struct Press {
    pub(crate) tokenizer: Tokenizer,
    /// How a conversation is written; without one, its texts are set one below the other.
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) shape: Shape,
    /// What only this validator knows, so that nobody can tell a user's seed from an audit's.
    pub(crate) secret: [u8; 32],
}

/// The asks of a request, in the order of its answers.
pub(crate) struct Prepared {
    /// One for each answer: `n` for each prompt.
    pub(crate) asks: Vec<Ask>,
    /// Tokens of the prompts, each counted once.
    pub(crate) prompt_tokens: usize,
    /// The draw by which miners are chosen: a function of seed and prompt where there is a seed.
    pub(crate) route: [u8; 32],
}

impl Press {
    /// Writes a request as asks; `random` is where seeds come from when the request names none.
    pub(crate) fn prepare(
        &self,
        request: &Request,
        random: [u8; 32],
    ) -> Result<Prepared, ApiError> {
        let prompts: Vec<Vec<u32>> = match &request.prompts {
            Prompts::Chat(messages) => vec![self.conversation(messages)?],
            Prompts::Texts(texts) => texts
                .iter()
                .map(|text| match text {
                    Prompt::Tokens(tokens) => Ok(tokens.clone()),
                    Prompt::Text(text) => {
                        let tokens = self.tokenizer.encode_prompt(text);
                        tokens.map_err(|error| unwritable("prompt", &error))
                    }
                })
                .collect::<Result<_, _>>()?,
        };
        let limit = self.shape.max_prompt_tokens;
        for prompt in &prompts {
            if prompt.is_empty() {
                return Err(ApiError::Invalid {
                    param: "prompt".to_owned(),
                    expected: "it has no token".to_owned(),
                });
            }
            if prompt.len() > limit as usize {
                return Err(ApiError::PromptTooLong {
                    tokens: prompt.len(),
                    limit,
                });
            }
        }
        // The seed of an audit is uniform: so is what becomes of a user's, for whoever does not know the secret.
        let source = match request.seed {
            Some(seed) => *blake3::keyed_hash(&self.secret, &seed.to_le_bytes()).as_bytes(),
            None => random,
        };
        let mut route = blake3::Hasher::new_keyed(&source);
        for token in prompts.iter().flatten() {
            route.update(&token.to_le_bytes());
        }
        let most = request.max_tokens.max(self.shape.least_tokens);
        let max_new_tokens = u16::try_from(most).unwrap_or(u16::MAX);
        let mut asks = Vec::with_capacity(prompts.len() * request.n);
        for prompt in &prompts {
            for _ in 0..request.n {
                let place = asks.len() as u64;
                let hash = blake3::keyed_hash(&source, &place.to_le_bytes());
                let mut seed = [0; 8];
                seed.copy_from_slice(&hash.as_bytes()[..8]);
                asks.push(Ask {
                    prompt: prompt.clone(),
                    max_new_tokens,
                    temperature_milli: request.temperature_milli,
                    seed: u64::from_le_bytes(seed),
                });
            }
        }
        Ok(Prepared {
            asks,
            prompt_tokens: prompts.iter().map(Vec::len).sum(),
            route: *route.finalize().as_bytes(),
        })
    }

    fn conversation(&self, messages: &[Message]) -> Result<Vec<u32>, ApiError> {
        let Some(template) = &self.template else {
            let texts: Vec<&str> = messages.iter().map(|said| said.content.as_str()).collect();
            let tokens = self.tokenizer.encode_prompt(&texts.join("\n"));
            return tokens.map_err(|error| unwritable("messages", &error));
        };
        let conversation = Conversation::new(messages);
        let prompt = template.render(&conversation, true, SystemTime::now());
        let prompt = prompt.map_err(|error| unwritable("messages", &error))?;
        // The template has written every special token that belongs there.
        let tokens = self.tokenizer.encode(&prompt);
        tokens.map_err(|error| unwritable("messages", &error))
    }
}

fn unwritable(param: &str, error: &dyn std::error::Error) -> ApiError {
    ApiError::Invalid {
        param: param.to_owned(),
        expected: error.to_string(),
    }
}
