//! Learn the byte-level BPE vocabulary that teacher and students share.

use athanor_scoring::{corpus, task};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;
use tokenizers::{
    AddedToken, Tokenizer,
    decoders::byte_level::ByteLevel as ByteLevelDecoder,
    models::bpe::{BPE, BpeTrainer},
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    tokenizer::SplitDelimiterBehavior,
};

/// The token that ends a sequence.
pub const END: &str = "<|endoftext|>";

/// GPT-2's split, but with every digit on its own, so that numbers are spelt one way.
const SPLIT: &str = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Task items per family beside the corpus: enough that every single letter after a space becomes one token.
const ITEMS: usize = 500;

/// Why a vocabulary could not be learnt.
#[derive(Debug, Error)]
#[error("learning the vocabulary failed: {0}")]
pub struct VocabularyError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Learns `size` tokens from the corpus and the task families, and returns the bytes of a `tokenizer.json`.
pub fn learn(size: usize, seed: u64) -> Result<Vec<u8>, VocabularyError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let items = task::Family::TAUGHT
        .into_iter()
        .flat_map(|family| vec![family; ITEMS])
        .map(|family| {
            let item = task::generate(family, &task::TAUGHT, &mut rng);
            format!("{}{}", item.prompt, item.completion())
        });
    let texts: Vec<String> = corpus::training().map(str::to_owned).chain(items).collect();

    let mut trainer = BpeTrainer::builder()
        .vocab_size(size)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(END, true)])
        .build();
    let split = Split::new(
        SplitPattern::Regex(SPLIT.into()),
        SplitDelimiterBehavior::Isolated,
        false,
    )
    .map_err(VocabularyError)?;
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer
        .with_pre_tokenizer(Some(Sequence::new(vec![
            split.into(),
            ByteLevel::new(false, false, false).into(),
        ])))
        .with_decoder(Some(ByteLevelDecoder::new(false, false, false)));
    let mut wrapped = trainer_of(&mut trainer);
    tokenizer
        .train(&mut wrapped, texts.into_iter())
        .map_err(VocabularyError)?;
    Ok(tokenizer
        .to_string(true)
        .map_err(VocabularyError)?
        .into_bytes())
}

fn trainer_of(trainer: &mut BpeTrainer) -> tokenizers::models::TrainerWrapper {
    std::mem::take(trainer).into()
}
