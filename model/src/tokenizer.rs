//! Text to token ids and back, by a Hugging Face `tokenizer.json`.

use std::{
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use serde::de::IgnoredAny;
use thiserror::Error;

/// The largest `tokenizer.json` that is read, in bytes.
pub const MAX_TOKENIZER_BYTES: u64 = 32 << 20;

/// Names under which an end-of-sequence token is looked for, in this order.
const EOS_NAMES: [&str; 4] = ["<|endoftext|>", "</s>", "<eos>", "<|eot_id|>"];

/// A tokenizer, ready to encode and decode.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    eos: Option<u32>,
}

/// Why a tokenizer could not be opened or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is larger than is read.
    #[error("tokenizer.json has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The file is not a tokenizer.
    #[error("not a tokenizer.json: {source}")]
    Format {
        /// What the parser says.
        source: tokenizers::Error,
    },
    /// The file is JSON, and the tokenizer's parts are damaged.
    #[error("the parts of tokenizer.json are damaged")]
    Damaged,
    /// A text or a list of ids that the tokenizer refuses.
    #[error("the tokenizer refused its input: {source}")]
    Input {
        /// What the tokenizer says.
        source: tokenizers::Error,
    },
}

impl Tokenizer {
    /// Opens `tokenizer.json` in a model's directory.
    pub fn open(dir: &Path) -> Result<Self, TokenizerError> {
        let path = dir.join("tokenizer.json");
        let read = |source| TokenizerError::Read {
            path: path.clone(),
            source,
        };
        let bytes = std::fs::metadata(&path).map_err(read)?.len();
        if bytes > MAX_TOKENIZER_BYTES {
            return Err(TokenizerError::TooLarge {
                bytes,
                limit: MAX_TOKENIZER_BYTES,
            });
        }
        Self::from_json(&std::fs::read(&path).map_err(read)?)
    }

    /// Reads the contents of a `tokenizer.json`, which may come from anybody.
    pub fn from_json(json: &[u8]) -> Result<Self, TokenizerError> {
        let format = |source| TokenizerError::Format { source };
        // The library panics over a decoder that is no JSON, and over a normaliser whose table is damaged.
        serde_json::from_slice::<IgnoredAny>(json).map_err(|error| format(error.into()))?;
        let inner = catch_unwind(|| tokenizers::Tokenizer::from_bytes(json))
            .map_err(|_| TokenizerError::Damaged)?
            .map_err(format)?;
        let eos = EOS_NAMES.iter().find_map(|name| inner.token_to_id(name));
        Ok(Self { inner, eos })
    }

    /// Token ids of a text, without any special token added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.ids(text, false)
    }

    /// Token ids of a text that a model is to continue, with the special tokens that this tokenizer puts before one.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.ids(text, true)
    }

    fn ids(&self, text: &str, with_special: bool) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self
            .inner
            .encode_fast(text, with_special)
            .map_err(|source| TokenizerError::Input { source })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of token ids; special tokens are left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.inner
            .decode(ids, true)
            .map_err(|source| TokenizerError::Input { source })
    }

    /// The token that ends an answer, if the vocabulary has one of the usual names for it.
    pub fn eos_id(&self) -> Option<u32> {
        self.eos
    }

    /// Id of one token by its exact spelling.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// How the vocabulary spells a token, special ones included.
    pub fn spelling(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Whether a token is special: it steers and has no text.
    pub fn is_special(&self, id: u32) -> bool {
        let added = self.inner.get_added_vocabulary();
        let token = added.get_added_tokens_decoder().get(&id);
        token.is_some_and(|token| token.special)
    }

    /// Number of token ids, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}
