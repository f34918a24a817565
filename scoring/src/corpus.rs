//! Hold the English text that prompts, training and evaluation draw from.
//!
//! One paragraph per line, ASCII, about 1 MB: prose of the Rust books (`scoring/corpus/NOTICE.md` names source and licence).

use rand::Rng;

/// The whole corpus, one paragraph per line.
pub static TEXT: &str = include_str!("../corpus/rust-books.txt");

/// One paragraph in so many is held out of training: enough for a steady loss, little enough to miss nothing.
const HELD_OUT_EVERY: usize = 24;

/// Paragraphs that training may see, in corpus order.
pub fn training() -> impl Iterator<Item = &'static str> {
    split(|index| index % HELD_OUT_EVERY != HELD_OUT_EVERY - 1)
}

/// Paragraphs that training never sees, in corpus order.
pub fn held_out() -> impl Iterator<Item = &'static str> {
    split(|index| index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1)
}

/// A passage of at most `chars` bytes that starts and ends at a word, drawn uniformly by its starting paragraph.
///
/// A passage stays within one paragraph, so it may be shorter than asked.
pub fn passage(rng: &mut impl Rng, chars: usize) -> &'static str {
    let start = rng.random_range(0..TEXT.len());
    let begin = TEXT[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = TEXT[start..].find('\n').map_or(TEXT.len(), |at| start + at);
    let paragraph = &TEXT[begin..end];
    if paragraph.len() <= chars {
        return paragraph;
    }
    // From the first word that starts at or after a random place to the last one that ends within the bound.
    let offset = rng.random_range(0..=paragraph.len() - chars);
    let from = match offset {
        0 => 0,
        _ => paragraph[offset - 1..]
            .find(' ')
            .map_or(0, |at| offset + at),
    };
    let rest = &paragraph[from..];
    let cut = match rest.len() <= chars {
        true => rest.len(),
        false => rest[..=chars].rfind(' ').unwrap_or(chars),
    };
    &rest[..cut]
}

fn split(keep: impl Fn(usize) -> bool) -> impl Iterator<Item = &'static str> {
    TEXT.lines()
        .enumerate()
        .filter(move |(index, _)| keep(*index))
        .map(|(_, line)| line)
}

#[cfg(test)]
mod tests;
