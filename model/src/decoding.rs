//! Continue many sequences at once, while the caller draws their tokens: how a network in training generates.
//!
//! Serving has its own loop ([`crate::engine`]); both run the same decoders.

use crate::{
    Transformer,
    backend::ModelBackend,
    config::Config,
    decode::{Decoder, LoadError, Piece, Weights},
    device::DeviceChoice,
    kernels::packed::WeightFormat,
    tensors::{Tensors, TensorsError},
};

/// A model with the caches of a fixed number of sequences, as a backend makes them.
pub struct Caches(pub(crate) Box<dyn Decoder>);

/// Sequences in the course of being continued by one model.
pub struct Decoding {
    caches: Caches,
    slots: usize,
    /// Slots of the sequences that go on.
    open: Vec<usize>,
    logits: Vec<f32>,
}

impl Decoding {
    /// Room for `slots` sequences at once of up to `max_context` tokens, or as many as the model takes. The weights are
    /// the model's now: training it further does not change them.
    pub fn new<B: ModelBackend>(
        model: &Transformer<B>,
        slots: usize,
        max_context: usize,
    ) -> Result<Self, TensorsError> {
        let max_context = max_context.min(model.config().max_position_embeddings);
        Ok(Self {
            caches: B::caches(model, slots, max_context)?,
            slots,
            open: Vec::new(),
            logits: Vec::new(),
        })
    }

    /// The same of weights on the host, which are kept on the device in that format.
    pub fn of_tensors(
        config: &Config,
        tensors: &Tensors,
        (device, format): (DeviceChoice, WeightFormat),
        slots: usize,
        max_context: usize,
    ) -> Result<Self, LoadError> {
        let weights = Weights::new(config, tensors, device, format)?;
        Ok(Self {
            caches: Caches(weights.decoder(slots, max_context)),
            slots,
            open: Vec::new(),
            logits: Vec::new(),
        })
    }

    /// Bytes of weights that a step reads, whatever the number of sequences.
    pub fn weight_bytes(&self) -> usize {
        self.caches.0.weight_bytes()
    }

    /// How many sequences there is room for.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The longest sequence that there is room for, in tokens.
    pub fn max_context(&self) -> usize {
        self.caches.0.max_context()
    }

    /// Forgets what was there and runs the prompts, none of them empty.
    ///
    /// # Panics
    /// When there are more prompts than slots, or one is longer than [`Self::max_context`].
    pub fn start(&mut self, prompts: &[&[u32]]) {
        assert!(prompts.len() <= self.slots, "every prompt has a slot");
        self.open = (0..prompts.len()).collect();
        let mut pieces = Vec::with_capacity(prompts.len());
        for (slot, tokens) in prompts.iter().enumerate() {
            self.caches.0.clear(slot);
            let from = tokens.len().saturating_sub(1);
            pieces.push(Piece { slot, tokens, from });
        }
        self.caches.0.forward(&pieces, &mut self.logits);
    }

    /// The logits that follow each open sequence, a row of the vocabulary's size for each; the caller may overwrite them.
    pub fn logits(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let vocab = self.caches.0.vocab();
        self.logits.chunks_exact_mut(vocab)
    }

    /// Keeps only the open sequences for which `keep` is true, in order.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut keep = keep.iter();
        self.open
            .retain(|_| keep.next().copied().unwrap_or_default());
    }

    /// Appends one token to each open sequence and computes the next logits.
    ///
    /// # Panics
    /// When a sequence outgrows [`Self::max_context`].
    pub fn append(&mut self, tokens: &[u32]) {
        let pieces: Vec<Piece<'_>> = self
            .open
            .iter()
            .zip(tokens.chunks(1))
            .map(|(&slot, tokens)| Piece {
                slot,
                tokens,
                from: 0,
            })
            .collect();
        self.caches.0.forward(&pieces, &mut self.logits);
    }
}

#[cfg(test)]
mod tests;
