//! AdamW as one pass over weights, gradient and moments, with the state that burn's own keeps.

use burn::optim::{AdamWState, AdaptiveMomentumState, LearningRate, SimpleOptimizer};
use burn::tensor::Tensor;

use crate::backend::ModelBackend;
use crate::kernels::adamw::Update;

/// AdamW (Loshchilov and Hutter, 2019): burn's own to the bit, in one pass over memory where the backend has a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Decays of the two moments.
    pub betas: (f32, f32),
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled decay of the weights, times the rate of a step.
    pub weight_decay: f32,
}

impl<B: ModelBackend> SimpleOptimizer<B> for AdamW {
    type State<const D: usize> = AdamWState<B, D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<B, D>,
        gradient: Tensor<B, D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<B, D>, Option<Self::State<D>>) {
        let AdaptiveMomentumState {
            time,
            moment_1,
            moment_2,
            ..
        } = match state {
            Some(state) => state.momentum,
            None => {
                let zeros = || Tensor::zeros(gradient.dims(), &gradient.device());
                AdaptiveMomentumState::new(0, zeros(), zeros())
            }
        };
        let time = time + 1;
        let (beta_1, beta_2) = self.betas;
        let correction = |beta: f32| 1.0 - beta.powi(time as i32);
        let update = Update {
            betas: self.betas,
            corrections: (correction(beta_1), correction(beta_2)),
            epsilon: self.epsilon,
            keep: (1.0 - rate * f64::from(self.weight_decay)) as f32,
            rate: rate as f32,
        };
        let (weights, [moment_1, moment_2]) =
            B::adamw(&update, weights, gradient, [moment_1, moment_2]);
        let momentum = AdaptiveMomentumState::new(time, moment_1, moment_2);
        (weights, Some(AdamWState::new(momentum)))
    }

    fn to_device<const D: usize>(
        mut state: Self::State<D>,
        device: &<B as burn::tensor::backend::BackendTypes>::Device,
    ) -> Self::State<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

#[cfg(test)]
mod tests {
    use burn::optim::AdamWConfig;
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    type Row = Tensor<Flex, 2>;

    fn numbers(count: usize, salt: usize) -> Row {
        let values: Vec<f32> = (0..count)
            .map(|i| (((i + salt) * 7919 % 1000) as f32 - 500.0) / 300.0)
            .collect();
        Tensor::<Flex, 1>::from_floats(values.as_slice(), &FlexDevice).reshape([count / 10, 10])
    }

    fn bits(tensor: &Row) -> Vec<u32> {
        let data = tensor.clone().into_data().into_vec::<f32>().unwrap();
        data.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn it_is_burns_own_to_the_bit_in_place_or_not() {
        let theirs = AdamWConfig::new()
            .with_beta_2(0.99)
            .with_epsilon(1e-8)
            .with_weight_decay(0.05)
            .build();
        let ours = AdamW {
            betas: (0.9, 0.99),
            epsilon: 1e-8,
            weight_decay: 0.05,
        };
        let (mut expected, mut their_state) = (numbers(130, 1), None);
        let (mut found, mut our_state) = (numbers(130, 1), None);
        for step in 0..5 {
            let (rate, gradient) = (1e-2 / (step + 1) as f64, numbers(130, 17 * step + 3));
            (expected, their_state) = theirs.step(rate, expected, gradient.clone(), their_state);
            // A second holder of the weights keeps what it has.
            let held = (step % 2 == 0).then(|| (found.clone(), bits(&found)));
            (found, our_state) = SimpleOptimizer::step(&ours, rate, found, gradient, our_state);
            if let Some((held, before)) = held {
                assert_eq!(bits(&held), before);
            }
            assert_eq!(bits(&found), bits(&expected), "step {step}");
        }
    }
}
