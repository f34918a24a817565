//! Which processor a model runs on: asked for by name, probed at start, never burn's default device.

use std::fmt;
use std::str::FromStr;

use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use thiserror::Error;

use crate::backend::TrainBackend;

/// What the operator asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA card that works, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CPU by burn's kernels rather than our own: slower, and what an audit tells apart from ours by rounding alone.
    Flex,
    /// The CUDA card with that index; an error when it does not work.
    Cuda(usize),
}

/// A word that names no device.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{found:?} is not a device; use auto, cpu, flex or cuda:N with N the card's index")]
pub struct ParseDeviceError {
    /// The word.
    pub found: String,
}

/// A device that was asked for and does not work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The program was built for the CPU only.
    #[error(
        "cuda:{index}: this program was built without CUDA; build it with `--features cuda`, or use cpu"
    )]
    NotBuilt {
        /// Index of the card.
        index: usize,
    },
    /// The card or its driver did not answer.
    #[error("cuda:{index} does not work ({reason}); check the driver with nvidia-smi, or use cpu")]
    Unusable {
        /// Index of the card.
        index: usize,
        /// What the driver said.
        reason: String,
    },
}

/// A device that was found to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Cpu,
    Flex,
    #[cfg(feature = "cuda")]
    Cuda(usize),
}

impl Device {
    /// The choice that leads to it again.
    pub(crate) fn name(self) -> DeviceChoice {
        match self {
            Self::Cpu => DeviceChoice::Cpu,
            Self::Flex => DeviceChoice::Flex,
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => DeviceChoice::Cuda(index),
        }
    }
}

/// Work that is written for any backend: what a thread does on the device that was chosen for it.
///
/// A trait because a closure cannot be generic over the backend.
pub trait OnDevice {
    /// What comes of it.
    type Output;

    /// Does it on one device.
    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output;
}

impl FromStr for DeviceChoice {
    type Err = ParseDeviceError;

    fn from_str(word: &str) -> Result<Self, ParseDeviceError> {
        let error = || ParseDeviceError {
            found: word.to_owned(),
        };
        match word {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "flex" => Ok(Self::Flex),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = word.strip_prefix("cuda:").ok_or_else(error)?;
                index.parse().map(Self::Cuda).map_err(|_| error())
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Cpu => write!(f, "cpu"),
            Self::Flex => write!(f, "flex"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl DeviceChoice {
    /// Finds the device and does the work there.
    pub fn dispatch<W: OnDevice>(self, work: W) -> Result<W::Output, DeviceError> {
        Ok(match self.resolve()? {
            // Training runs on burn's kernels either way.
            Device::Cpu | Device::Flex => {
                crate::kernels::aligned::keep_freed_memory();
                work.run::<Autodiff<Flex>>(FlexDevice)
            }
            #[cfg(feature = "cuda")]
            Device::Cuda(index) => {
                work.run::<Autodiff<burn_cuda::Cuda>>(burn_cuda::CudaDevice { index })
            }
        })
    }

    /// Finds the device. `Auto` falls back to the CPU and says why in the log.
    pub(crate) fn resolve(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Flex => Ok(Device::Flex),
            Self::Cuda(index) => cuda(index),
            Self::Auto => match cuda(0) {
                Ok(device) => Ok(device),
                Err(DeviceError::NotBuilt { .. }) => Ok(Device::Cpu),
                Err(error) => {
                    tracing::info!(%error, "running on the CPU");
                    Ok(Device::Cpu)
                }
            },
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(index: usize) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt { index })
}

/// Probes a card with one small computation. A missing driver panics somewhere below burn, hence the catch.
#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device, DeviceError> {
    use burn::tensor::Tensor;
    use burn_cuda::{Cuda, CudaDevice};

    let probe = || {
        let device = CudaDevice { index };
        let ones = Tensor::<Cuda, 1>::ones([4], &device);
        ones.sum()
            .into_data()
            .convert::<f32>()
            .into_vec::<f32>()
            .ok()
    };
    match std::panic::catch_unwind(probe) {
        Ok(Some(sum)) if sum == [4.0] => Ok(Device::Cuda(index)),
        Ok(_) => Err(DeviceError::Unusable {
            index,
            reason: "it computed a wrong sum".into(),
        }),
        Err(panic) => Err(DeviceError::Unusable {
            index,
            reason: crate::engine::panic_message(panic.as_ref()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_as_it_is_written() {
        for choice in [
            DeviceChoice::Auto,
            DeviceChoice::Cpu,
            DeviceChoice::Flex,
            DeviceChoice::Cuda(3),
        ] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        for word in ["", "gpu", "cuda:", "cuda:-1", "cuda:x"] {
            assert!(
                word.parse::<DeviceChoice>()
                    .unwrap_err()
                    .to_string()
                    .contains("cuda:N")
            );
        }
    }

    #[test]
    fn auto_always_finds_a_device() {
        DeviceChoice::Auto.resolve().unwrap();
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_card_asked_for_by_name_is_an_error_that_names_the_next_step() {
        let error = DeviceChoice::Cuda(1).resolve().unwrap_err();
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }
}
