//! The text of one answer while its tokens come, as far as the user wants it.
//!
//! A miner is asked for at least as many tokens as audits ask for, and draws to its end whatever the user's stop strings are;
//! what the user did not want is cut off here.

use athanor_model::{
    StopTokens, Tokenizer,
    text::{Detokenizer, Released, StopStrings},
    tokenizer::TokenizerError,
};

use super::api::Ended;

/// A growing text.
pub(crate) struct Wording {
    /// `None` once the text has ended.
    parts: Option<(Detokenizer, StopStrings)>,
    ends: StopTokens,
    most: usize,
    tokens: Vec<u32>,
    /// Bytes of text before each token.
    offsets: Vec<usize>,
    /// Bytes of text that the tokens gave, stop strings included.
    given: usize,
    /// Bytes that the user is shown.
    shown: usize,
    ended: Option<Ended>,
    /// Whether a stop string ended it.
    cut: bool,
}

impl Wording {
    /// An answer that ends with one of `ends`, at one of `stops`, or after `most` tokens.
    pub(crate) fn new(
        tokenizer: &Tokenizer,
        ends: StopTokens,
        stops: &[String],
        most: usize,
    ) -> Self {
        let stops = StopStrings::new(stops.iter().cloned());
        Self {
            parts: Some((Detokenizer::new(tokenizer.clone()), stops)),
            ends,
            most,
            tokens: Vec::new(),
            offsets: Vec::new(),
            given: 0,
            shown: 0,
            ended: None,
            cut: false,
        }
    }

    /// Takes the next token and returns the text that can be shown with it. After the end nothing changes any more.
    pub(crate) fn push(&mut self, token: u32) -> Result<String, TokenizerError> {
        let Some((detokenizer, stops)) = self.parts.as_mut() else {
            return Ok(String::new());
        };
        self.tokens.push(token);
        self.offsets.push(self.given);
        if self.ends.contains(token) {
            return self.end(Ended::Stop);
        }
        let piece = detokenizer.push(token)?;
        self.given += piece.len();
        let Released { mut text, stopped } = stops.push(&piece);
        self.shown += text.len();
        if stopped {
            (self.parts, self.ended, self.cut) = (None, Some(Ended::Stop), true);
        } else if self.tokens.len() == self.most {
            text += &self.end(Ended::Length)?;
        }
        Ok(text)
    }

    /// The answer has no more tokens: the rest of the text.
    pub(crate) fn end(&mut self, why: Ended) -> Result<String, TokenizerError> {
        let Some((detokenizer, mut stops)) = self.parts.take() else {
            return Ok(String::new());
        };
        self.ended = Some(why);
        let Released { mut text, stopped } = stops.push(&detokenizer.finish()?);
        if stopped {
            (self.ended, self.cut) = (Some(Ended::Stop), true);
        } else {
            text += &stops.finish();
        }
        self.shown += text.len();
        Ok(text)
    }

    /// Why the text has ended, if it has.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Tokens that were needed for it, the one that ends it included.
    pub(crate) fn used(&self) -> usize {
        self.tokens.len()
    }

    /// The tokens that the user sees something of, each with its place in the answer and the bytes of text before it. The token
    /// that ends the answer has no text and is among them only `with_end`.
    pub(crate) fn seen(&self, with_end: bool) -> Vec<(usize, u32, usize)> {
        let tokens = self.tokens.iter().zip(&self.offsets).enumerate();
        tokens
            .filter(|(_, (token, offset))| {
                let is_end = self.ends.contains(**token);
                (!self.cut || **offset < self.shown) && (with_end || !is_end)
            })
            .map(|(place, (token, offset))| (place, *token, *offset))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One token for each letter, and one that ends a text.
    fn tokenizer() -> Tokenizer {
        let letters: Vec<String> = ('a'..='z').map(String::from).collect();
        let mut vocab = serde_json::Map::new();
        for (id, letter) in letters.iter().enumerate() {
            vocab.insert(letter.clone(), id.into());
        }
        vocab.insert("</s>".into(), 26.into());
        let json = serde_json::json!({
            "version": "1.0",
            "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
            "added_tokens": [{
                "id": 26, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            }],
            "pre_tokenizer": {"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated", "invert": false},
            "decoder": {"type": "Fuse"},
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "a"},
        });
        Tokenizer::from_json(json.to_string().as_bytes()).unwrap()
    }

    fn say(
        tokens: &[u32],
        stops: &[&str],
        most: usize,
    ) -> (String, Option<Ended>, usize, Vec<u32>) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut wording = Wording::new(&tokenizer(), Some(26).into(), &stops, most);
        let mut text = String::new();
        for token in tokens {
            text += &wording.push(*token).unwrap();
        }
        text += &wording.end(Ended::Length).unwrap();
        let seen = wording
            .seen(false)
            .iter()
            .map(|(_, token, _)| *token)
            .collect();
        (text, wording.ended(), wording.used(), seen)
    }

    #[test]
    fn a_text_ends_with_its_end_its_bound_or_its_stop_string() {
        let abc = [0, 1, 2, 3, 26, 4];
        assert_eq!(
            say(&abc, &[], 9),
            ("abcd".into(), Some(Ended::Stop), 5, vec![0, 1, 2, 3])
        );
        assert_eq!(
            say(&abc, &[], 2),
            ("ab".into(), Some(Ended::Length), 2, vec![0, 1])
        );
        assert_eq!(
            say(&abc, &["cd"], 9),
            ("ab".into(), Some(Ended::Stop), 4, vec![0, 1])
        );
        // What may be the beginning of a stop string is shown when it turns out to be none.
        assert_eq!(
            say(&abc, &["dx"], 9),
            ("abcd".into(), Some(Ended::Stop), 5, vec![0, 1, 2, 3])
        );
        assert_eq!(
            say(&abc[..3], &[], 9),
            ("abc".into(), Some(Ended::Length), 3, vec![0, 1, 2])
        );
    }

    proptest! {
        #[test]
        fn what_is_seen_is_the_text(
            tokens in prop::collection::vec(0_u32..5, 0..40),
            stop in "[a-e]{1,3}",
            most in 1_usize..50,
        ) {
            let (text, ended, used, seen) = say(&tokens, &[&stop], most);
            let all: String = tokens.iter().take(most).map(|id| (b'a' + *id as u8) as char).collect();
            let expected = all.split_once(&stop).map_or(all.as_str(), |(before, _)| before);
            prop_assert_eq!(&text, expected);
            let spelt: String = seen.iter().map(|id| (b'a' + *id as u8) as char).collect();
            prop_assert_eq!(&spelt, expected);
            prop_assert!(used <= most);
            let is_cut = all.contains(&stop);
            prop_assert_eq!(ended, Some(if is_cut { Ended::Stop } else { Ended::Length }));
        }
    }
}
