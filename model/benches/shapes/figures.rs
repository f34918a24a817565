//! What is measured of a shape.

use std::time::Instant;

use athanor_model::{
    AdamW, Decoding, DeviceChoice, OnDevice, TrainBackend, Transformer, WeightFormat,
};
use burn::optim::{GradientsParams, Optimizer, adaptor::OptimizerAdaptor};
use burn::tensor::{Int, Tensor, TensorData};

use crate::shapes::Shape;

/// Tokens of the prompt that a prefill takes in.
const PREFILL: usize = 256;
/// Tokens of the prompt before a decode, and decoded tokens of each sequence.
const PROMPT: usize = 16;
const DECODED: usize = 32;
/// Tokens of each sequence of a training step.
const TRAINED: usize = 128;

/// One line of the table for each shape.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    /// A prompt of 256 tokens, up to the logits of its last one.
    Prefill,
    /// 32 tokens of that many sequences at once.
    Decode(usize),
    /// Forward, next-token loss, backward and AdamW.
    Train,
}

impl Figure {
    /// All lines in the table's order.
    pub(crate) const ALL: [Self; 4] =
        [Self::Prefill, Self::Decode(1), Self::Decode(8), Self::Train];

    /// The line's name.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Prefill => "prefill".into(),
            Self::Decode(batch) => format!("decode{batch}"),
            Self::Train => "train".into(),
        }
    }

    /// Tokens per second of each round, after one that is not counted; training is always in f32.
    pub(crate) fn measure(self, shape: &Shape, format: WeightFormat, rounds: usize) -> Vec<f64> {
        match self {
            Self::Prefill => prefill(shape, format, rounds),
            Self::Decode(batch) => decode(shape, format, batch, rounds),
            Self::Train => train(shape, rounds),
        }
    }
}

fn rates(rounds: usize, tokens: usize, mut round: impl FnMut()) -> Vec<f64> {
    round();
    let mut rate = || {
        let start = Instant::now();
        round();
        tokens as f64 / start.elapsed().as_secs_f64()
    };
    (0..rounds).map(|_| rate()).collect()
}

fn decoding(shape: &Shape, format: WeightFormat, slots: usize) -> Decoding {
    let device = (DeviceChoice::Cpu, format);
    Decoding::of_tensors(&shape.config(), &shape.tensors(), device, slots, 512)
        .expect("random weights fit their shape")
}

fn prefill(shape: &Shape, format: WeightFormat, rounds: usize) -> Vec<f64> {
    let mut decoding = decoding(shape, format, 1);
    let prompt: Vec<u32> = shape.ids(PREFILL).collect();
    rates(rounds, PREFILL, || decoding.start(&[&prompt]))
}

fn decode(shape: &Shape, format: WeightFormat, batch: usize, rounds: usize) -> Vec<f64> {
    let mut decoding = decoding(shape, format, batch);
    let prompt: Vec<u32> = shape.ids(PROMPT).collect();
    let prompts = vec![prompt.as_slice(); batch];
    let next: Vec<u32> = shape.ids(batch).collect();
    decoding.start(&prompts);
    let mut rates = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        decoding.start(&prompts);
        let start = Instant::now();
        for _ in 0..DECODED {
            decoding.append(&next);
        }
        let rate = (batch * DECODED) as f64 / start.elapsed().as_secs_f64();
        if round > 0 {
            rates.push(rate);
        }
    }
    rates
}

fn train(shape: &Shape, rounds: usize) -> Vec<f64> {
    let steps = Steps { shape, rounds };
    // As a trainer chooses its device.
    let rates = DeviceChoice::Cpu.dispatch(steps);
    rates.expect("every machine has a CPU")
}

struct Steps<'a> {
    shape: &'a Shape,
    rounds: usize,
}

impl OnDevice for Steps<'_> {
    type Output = Vec<f64>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Vec<f64> {
        steps::<B>(self.shape, self.rounds, &device)
    }
}

fn steps<Train: TrainBackend>(shape: &Shape, rounds: usize, device: &Train::Device) -> Vec<f64> {
    let tensors = shape.tensors();
    let model = Transformer::<Train>::from_tensors(&shape.config(), &tensors, device)
        .expect("random weights fit their shape");
    drop(tensors);
    let mut model = Some(model);
    let mut adam: OptimizerAdaptor<AdamW, Transformer<Train>, Train> = AdamW {
        betas: (0.9, 0.999),
        epsilon: 1e-8,
        weight_decay: 0.01,
    }
    .into();
    let rows = shape.train_batch * TRAINED;
    let ids: Vec<i32> = shape.ids(rows).map(|id| id as i32).collect();
    let input = TensorData::new(ids, [shape.train_batch, TRAINED]);
    let input = Tensor::<Train, 2, Int>::from_data(input, device);
    let target = input.clone().reshape([rows, 1]);
    rates(rounds, rows, || {
        if let Some(decoder) = model.take() {
            let logits = decoder.logits(decoder.hidden(input.clone()));
            let loss = Train::log_probabilities(logits).gather(1, target.clone());
            let gradients = loss.mean().neg().backward();
            let gradients = GradientsParams::from_grads(gradients, &decoder);
            model = Some(adam.step(1e-4, decoder, gradients));
        }
    })
}
