//! Run a step's batches side by side, with a result that does not depend on the number of threads.

use crate::{
    cpu::{Batch, Tape, backward, forward},
    network::Network,
};

/// One batch with the layers that it runs through.
pub(crate) struct Work {
    /// What is run.
    pub(crate) batch: Batch,
    /// The layers, ascending; all of them for the whole network.
    pub(crate) layers: Vec<usize>,
}

/// The buffers of a fixed number of lanes. Each lane adds up its own gradients; they are summed in order at the end.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    gradients: Vec<f32>,
}

#[derive(Default)]
struct Lane {
    tape: Tape,
    gradients: Vec<f32>,
}

impl Lanes {
    /// `count` lanes.
    pub(crate) fn new(count: usize) -> Lanes {
        Lanes {
            lanes: (0..count).map(|_| Lane::default()).collect(),
            gradients: Vec::new(),
        }
    }

    /// Runs one batch per lane forwards and backwards and returns the lanes' losses and the summed gradients.
    ///
    /// `loss` gets a lane's number and its logits (rows x vocab), leaves dLoss/dLogit in them and returns what is to be
    /// reported. With `parallel` each lane has a thread of its own.
    pub(crate) fn run<T: Send>(
        &mut self,
        network: &Network,
        work: &[Work],
        parallel: bool,
        loss: impl Fn(usize, &mut [f32]) -> T + Sync,
    ) -> (Vec<T>, &mut [f32]) {
        let one = |index: usize, lane: &mut Lane, work: &Work| {
            let Network {
                layout, parameters, ..
            } = network;
            lane.gradients.clear();
            lane.gradients.resize(layout.len(), 0.0);
            forward(
                layout,
                parameters,
                &work.layers,
                &work.batch,
                &mut lane.tape,
            );
            let mut logits = std::mem::take(&mut lane.tape.logits);
            let report = loss(index, &mut logits);
            backward(
                layout,
                parameters,
                &work.batch,
                &lane.tape,
                &logits,
                &mut lane.gradients,
            );
            lane.tape.logits = logits;
            report
        };
        let lanes = self.lanes.iter_mut().zip(work).enumerate();
        let reports = if parallel {
            std::thread::scope(|scope| {
                let one = &one;
                let threads: Vec<_> = lanes
                    .map(|(index, (lane, work))| scope.spawn(move || one(index, lane, work)))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| {
                        thread
                            .join()
                            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                    })
                    .collect()
            })
        } else {
            lanes
                .map(|(index, (lane, work))| one(index, lane, work))
                .collect()
        };
        self.gradients.clear();
        self.gradients.resize(network.layout.len(), 0.0);
        for lane in &self.lanes[..work.len()] {
            for (sum, gradient) in self.gradients.iter_mut().zip(&lane.gradients) {
                *sum += gradient;
            }
        }
        (reports, &mut self.gradients)
    }
}
