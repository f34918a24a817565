//! The tokens that end an answer: chat models have several.

/// The most that are taken from a file.
pub(super) const MAX_STOP_TOKENS: usize = 64;

/// Token ids of which any one ends a sequence, in the order in which they were named, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopTokens(Vec<u32>);

impl StopTokens {
    /// Whether the token ends a sequence.
    pub fn contains(&self, token: u32) -> bool {
        self.0.contains(&token)
    }

    /// These, or `fallback` where nothing ends a sequence: a configuration's word goes before its tokenizer's.
    pub fn or(self, fallback: Option<u32>) -> Self {
        if self.is_empty() {
            fallback.into()
        } else {
            self
        }
    }

    /// The same where the fallback takes an effort, which is made only if it is needed, and may fail.
    pub fn or_try<E>(self, fallback: impl FnOnce() -> Result<Option<u32>, E>) -> Result<Self, E> {
        if self.is_empty() {
            Ok(fallback()?.into())
        } else {
            Ok(self)
        }
    }

    /// The one that was named first, which training texts end with.
    pub fn first(&self) -> Option<u32> {
        self.0.first().copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing ends a sequence.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<u32> for StopTokens {
    fn from_iter<I: IntoIterator<Item = u32>>(tokens: I) -> Self {
        let mut stop = Self::default();
        stop.extend(tokens);
        stop
    }
}

impl Extend<u32> for StopTokens {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, tokens: I) {
        for token in tokens {
            if !self.contains(token) {
                self.0.push(token);
            }
        }
    }
}

impl From<Option<u32>> for StopTokens {
    fn from(token: Option<u32>) -> Self {
        token.into_iter().collect()
    }
}
