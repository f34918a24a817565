//! Pieces together are the text, whatever the tokenizer's way of writing bytes and spaces.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn tokenizer(vocabulary: Vec<String>, decoder: &Value, pre_tokenizer: &Value) -> Tokenizer {
    let end = vocabulary.len();
    let vocabulary: serde_json::Map<String, Value> = vocabulary
        .into_iter()
        .enumerate()
        .map(|(id, token)| (token, id.into()))
        .collect();
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [{
            "id": end, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary, "merges": [],
        },
    });
    Tokenizer::from_json(json.to_string().as_bytes()).unwrap()
}

/// One token per byte, each written as a printable character, as GPT-2 and its heirs do.
fn byte_level() -> Tokenizer {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut others = 0;
    let vocabulary = (0..=255_u32).map(|byte| {
        let code = match printable(byte) {
            true => byte,
            false => {
                others += 1;
                255 + others
            }
        };
        char::from_u32(code).unwrap().to_string()
    });
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    tokenizer(vocabulary.collect(), &level, &level)
}

/// Words with their spaces, and a token per byte for what is not among them, as Llama 2 does.
fn byte_fallback() -> Tokenizer {
    let bytes = (0..=255_u32).map(|byte| format!("<0x{byte:02X}>"));
    let words = ["▁", "▁yes", "no", "▁né"].map(str::to_owned);
    let decoder = json!({"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]});
    tokenizer(bytes.chain(words).collect(), &decoder, &Value::Null)
}

fn pieces(tokenizer: &Tokenizer, tokens: &[u32]) -> Vec<String> {
    let mut detokenizer = Detokenizer::new(tokenizer.clone());
    let mut pieces: Vec<String> = tokens
        .iter()
        .map(|&token| detokenizer.push(token).unwrap())
        .collect();
    pieces.push(detokenizer.finish().unwrap());
    pieces
}

/// Token ids of a text's bytes; in both vocabularies a byte's token has its number.
fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

#[test]
fn a_character_comes_when_its_last_byte_has_come() {
    for tokenizer in [byte_level(), byte_fallback()] {
        let found = pieces(&tokenizer, &bytes("a€🦀"));
        assert_eq!(found, ["a", "", "", "€", "", "", "", "🦀", ""]);
    }
}

#[test]
fn spaces_between_words_stay_and_the_first_goes() {
    let tokenizer = byte_fallback();
    let [space, yes, no, ne] = [256, 257, 258, 259];
    let found = pieces(&tokenizer, &[yes, no, yes, space, ne]);
    assert_eq!(found, ["yes", "no", " yes", " ", " né", ""]);
}

#[test]
fn a_special_token_has_no_text_and_changes_none() {
    let tokenizer = byte_fallback();
    let [yes, end] = [257, 260];
    assert!(tokenizer.is_special(end));
    assert_eq!(
        pieces(&tokenizer, &[yes, end, yes]),
        ["yes", "", " yes", ""]
    );
}

#[test]
fn a_text_that_ends_inside_a_character_says_so() {
    let found = pieces(&byte_level(), &bytes("a€")[..3]);
    assert_eq!(found, ["a", "", "", "\u{fffd}"]);
}

#[test]
fn noise_is_given_before_long() {
    for tokenizer in [byte_level(), byte_fallback()] {
        let mut detokenizer = Detokenizer::new(tokenizer);
        let mut text = String::new();
        for _ in 0..500 {
            text.push_str(&detokenizer.push(0x80).unwrap());
            assert!(detokenizer.window.len() <= 2 * LONGEST_WAIT);
        }
        assert!(text.chars().count() >= 450);
    }
}

proptest! {
    #[test]
    fn pieces_together_are_the_text(text in "[ a-zé€🦀\u{fffd}\n]{0,60}") {
        for tokenizer in [byte_level(), byte_fallback()] {
            let tokens = bytes(&text);
            prop_assert_eq!(pieces(&tokenizer, &tokens).concat(), tokenizer.decode(&tokens).unwrap());
        }
    }

    #[test]
    fn bytes_in_any_order_are_given_as_the_whole_would_be(tokens in prop::collection::vec(0_u32..256, 0..LONGEST_WAIT)) {
        let tokenizer = byte_level();
        prop_assert_eq!(pieces(&tokenizer, &tokens).concat(), tokenizer.decode(&tokens).unwrap());
    }
}
