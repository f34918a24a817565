//! Attention of one new token to all earlier ones of its sequence, over a cache.
//!
//! Keys are cached one component after the other, so that scores of neighbouring positions are computed together;
//! values are cached one position after the other. A token's result depends on its own sequence only.

use super::{lanes, wide};

/// Positions whose scores are computed together; the cache's length is a multiple of it.
pub(crate) const TILE: usize = 32;

wide! {
    /// `q` and `out` are `[heads * head_dim]`; `keys` is `[key_heads, head_dim, capacity]`, `values` is
    /// `[capacity, key_heads * head_dim]`; the token sees positions `first..seen`. `scores` is scratch of `capacity`.
    pub(crate) fn attend(
        q: &[f32],
        keys: &[f32],
        values: &[f32],
        capacity: usize,
        head_dim: usize,
        first: usize,
        seen: usize,
        scores: &mut [f32],
        out: &mut [f32],
    ) {
        let key_width = keys.len() / capacity;
        let group = q.len() / key_width;
        let scale = 1.0 / (head_dim as f32).sqrt();
        let heads = q.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim));
        for (head, (q, out)) in heads.enumerate() {
            let key_head = head / group;
            let keys = &keys[key_head * head_dim * capacity..][..head_dim * capacity];
            for start in (first / TILE * TILE..seen).step_by(TILE) {
                let mut tile = [0.0f32; TILE];
                for (q, keys) in q.iter().zip(keys.chunks_exact(capacity)) {
                    let keys = &keys[start..start + TILE];
                    for i in 0..TILE {
                        tile[i] += q * keys[i];
                    }
                }
                for i in 0..TILE {
                    scores[start + i] = tile[i] * scale;
                }
            }
            let scores = &mut scores[first..seen];
            let largest = lanes::max(scores);
            for score in scores.iter_mut() {
                *score = lanes::exp(*score - largest);
            }
            let inverse = 1.0 / lanes::sum(scores);
            out.fill(0.0);
            let values = values[first * key_width..].chunks_exact(key_width);
            for (score, values) in scores.iter().zip(values) {
                let weight = score * inverse;
                let values = &values[key_head * head_dim..][..head_dim];
                for i in 0..head_dim {
                    out[i] += weight * values[i];
                }
            }
        }
    }
}
