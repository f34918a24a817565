//! A decoder that follows a script: panics, waits or records on cue.

use std::sync::{Arc, Mutex, mpsc};

use super::{Decoder, Piece};

/// Number of token ids of every scripted decoder.
pub(crate) const VOCAB: usize = 16;

/// Its logits prefer the token after the last one fed, so that greedy answers count upwards.
pub(crate) struct Scripted {
    max_context: usize,
    /// The turn, counted from zero, that panics.
    panics_at: Option<usize>,
    words: &'static str,
    /// Each turn takes one message before it computes.
    gate: Option<mpsc::Receiver<()>>,
    /// Number of pieces of each turn.
    pub(crate) turns: Arc<Mutex<Vec<usize>>>,
}

impl Scripted {
    /// Counts upwards.
    pub(crate) fn counting(max_context: usize) -> Self {
        Self {
            max_context,
            panics_at: None,
            words: "scripted panic",
            gate: None,
            turns: Arc::default(),
        }
    }

    /// Counts upwards but panics once, at that turn.
    pub(crate) fn panics_at(turn: usize) -> Self {
        Self {
            panics_at: Some(turn),
            ..Self::counting(64)
        }
    }

    /// Counts upwards, one turn for each message sent.
    pub(crate) fn gated() -> (Self, mpsc::Sender<()>) {
        Self::gated_up_to(64)
    }

    /// The same with room for that many tokens.
    pub(crate) fn gated_up_to(max_context: usize) -> (Self, mpsc::Sender<()>) {
        let (open, gate) = mpsc::channel();
        let scripted = Self {
            gate: Some(gate),
            ..Self::counting(max_context)
        };
        (scripted, open)
    }

    /// Counts upwards but panics in its first turn with these words.
    pub(crate) fn panics_with(words: &'static str) -> Self {
        Self {
            words,
            ..Self::panics_at(0)
        }
    }
}

impl Decoder for Scripted {
    fn vocab(&self) -> usize {
        VOCAB
    }

    fn max_context(&self) -> usize {
        self.max_context
    }

    fn weight_bytes(&self) -> usize {
        0
    }

    fn share(&mut self, _from: usize, _to: usize, _tokens: usize) {}

    fn forward(&mut self, pieces: &[Piece<'_>], logits: &mut Vec<f32>) {
        if let Some(gate) = &self.gate {
            // A test that has dropped its end wants the rest to run freely.
            let _ = gate.recv();
        }
        let turn = {
            let mut turns = self.turns.lock().unwrap();
            turns.push(pieces.len());
            turns.len() - 1
        };
        assert!(self.panics_at != Some(turn), "{}", self.words);
        logits.clear();
        for piece in pieces {
            for token in &piece.tokens[piece.from..] {
                let next = (*token as usize + 1) % VOCAB;
                logits.extend((0..VOCAB).map(|v| if v == next { 5.0 } else { 0.0 }));
            }
        }
    }
}
