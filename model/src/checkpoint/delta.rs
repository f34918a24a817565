//! What changed between two files of weights, for whoever has the older one.
//!
//! Training moves most weights by a few units in the last place, the more the smaller they are. So each number becomes the
//! distance between its old and its new value on the line of all floats of its type; the distances are put in the order
//! of the old values' exponents, split into planes of bytes, and deflated. The result restores the newer file bit for bit;
//! whether it did is for the reader to check against the file's hash.
//!
//! ```text
//! delta = "athdelt1" zlib( header of the newer file, then per tensor in the file's order: mode, data )
//! mode  = 0: data is the tensor's bytes
//!         1: data is the tensor's distances, least significant bytes first, in the order of the older file's exponents
//! ```

use std::io::{Read, Write};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use safetensors::{
    Dtype, SafeTensorError, SafeTensors,
    tensor::{Metadata, TensorInfo},
};
use thiserror::Error;

/// The first bytes of a delta: name and version.
const MAGIC: &[u8; 8] = b"athdelt1";
/// A tensor as it is.
const WHOLE: u8 = 0;
/// A tensor as distances from the older one.
const DISTANCES: u8 = 1;

/// Why a delta cannot be made or applied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// A file is not one of safetensors.
    #[error("not a safetensors file: {0}")]
    File(#[from] SafeTensorError),
    /// The delta does not begin like one.
    #[error("not a delta, or one of another version")]
    Magic,
    /// The delta ends early, goes on for too long, or is not of the file that it should give.
    #[error("the delta is damaged, or is not of this file")]
    Damaged,
}

impl From<std::io::Error> for DeltaError {
    fn from(_: std::io::Error) -> Self {
        // Neither side is a device: only what the stream holds can be wrong.
        Self::Damaged
    }
}

/// Encodes the safetensors file `new` for a reader that has the safetensors file `base`.
pub fn encode(base: &[u8], new: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let (base, new) = (Parts::of(base)?, Parts::of(new)?);
    let mut stream = ZlibEncoder::new(MAGIC.to_vec(), Compression::default());
    stream.write_all(new.header)?;
    for (name, info) in new.tensors() {
        let bytes = new.bytes(info);
        match base.like(&name, info) {
            Some((float, old)) => {
                stream.write_all(&[DISTANCES])?;
                stream.write_all(&float.distances(old, bytes))?;
            }
            None => {
                stream.write_all(&[WHOLE])?;
                stream.write_all(bytes)?;
            }
        }
    }
    Ok(stream.finish()?)
}

/// Restores the file of `length` bytes that a delta was made of. Memory and time are bounded by the two files' sizes.
pub fn apply(base: &[u8], delta: &[u8], length: usize) -> Result<Vec<u8>, DeltaError> {
    let base = Parts::of(base)?;
    let stream = delta.strip_prefix(MAGIC).ok_or(DeltaError::Magic)?;
    let mut stream = ZlibDecoder::new(stream);
    let mut header = [0; 8];
    stream.read_exact(&mut header)?;
    let rest = usize::try_from(u64::from_le_bytes(header)).map_err(|_| DeltaError::Damaged)?;
    let start = rest.checked_add(8).filter(|start| *start <= length);
    let start = start.ok_or(DeltaError::Damaged)?;
    let mut new = vec![0; length];
    new[..8].copy_from_slice(&header);
    stream.read_exact(&mut new[8..start])?;
    let (_, metadata) = SafeTensors::read_metadata(&new)?;
    for (name, info) in in_order(&metadata) {
        let mut mode = [0];
        stream.read_exact(&mut mode)?;
        let (from, to) = info.data_offsets;
        let bytes = &mut new[start + from..start + to];
        stream.read_exact(bytes)?;
        match (mode[0], base.like(&name, info)) {
            (WHOLE, _) => {}
            (DISTANCES, Some((float, old))) => {
                let restored = float.restore(old, bytes);
                bytes.copy_from_slice(&restored);
            }
            _ => return Err(DeltaError::Damaged),
        }
    }
    match stream.read(&mut [0])? {
        0 => Ok(new),
        _ => Err(DeltaError::Damaged),
    }
}

/// A file of safetensors, taken apart.
struct Parts<'a> {
    /// Everything before the tensors.
    header: &'a [u8],
    data: &'a [u8],
    metadata: Metadata,
}

impl<'a> Parts<'a> {
    fn of(file: &'a [u8]) -> Result<Self, DeltaError> {
        let (rest, metadata) = SafeTensors::read_metadata(file)?;
        let (header, data) = file.split_at(rest + 8);
        Ok(Self {
            header,
            data,
            metadata,
        })
    }

    fn tensors(&self) -> impl Iterator<Item = (String, &TensorInfo)> {
        in_order(&self.metadata)
    }

    fn bytes(&self, info: &TensorInfo) -> &'a [u8] {
        let (from, to) = info.data_offsets;
        &self.data[from..to]
    }

    /// The tensor of this name, if it is one of floats of the same type and shape.
    fn like(&self, name: &str, info: &TensorInfo) -> Option<(Float, &'a [u8])> {
        let found = self.metadata.info(name)?;
        let alike = found.dtype == info.dtype && found.shape == info.shape;
        Float::of(info.dtype)
            .filter(|_| alike)
            .map(|float| (float, self.bytes(found)))
    }
}

/// The tensors in the order of their bytes.
fn in_order(metadata: &Metadata) -> impl Iterator<Item = (String, &TensorInfo)> {
    let names = metadata.offset_keys().into_iter();
    names.filter_map(|name| Some((metadata.info(&name)?, name)).map(|(info, name)| (name, info)))
}

/// How a type of float is laid out.
#[derive(Clone, Copy)]
struct Float {
    bytes: usize,
    mantissa: u32,
    exponent: u32,
}

impl Float {
    fn of(dtype: Dtype) -> Option<Self> {
        let (bytes, mantissa, exponent) = match dtype {
            Dtype::F16 => (2, 10, 5),
            Dtype::BF16 => (2, 7, 8),
            Dtype::F32 => (4, 23, 8),
            _ => return None,
        };
        Some(Self {
            bytes,
            mantissa,
            exponent,
        })
    }

    fn sign(self) -> u32 {
        1 << (8 * self.bytes - 1)
    }

    /// All bits of the type.
    fn all(self) -> u32 {
        u32::MAX >> (32 - 8 * self.bytes)
    }

    fn read(self, bytes: &[u8]) -> u32 {
        let read = bytes.iter().rev();
        read.fold(0, |bits, &byte| bits << 8 | u32::from(byte))
    }

    /// The place of a float on the line of all floats of its type, from the lowest to the highest.
    fn place(self, bits: u32) -> u32 {
        match bits & self.sign() {
            0 => bits | self.sign(),
            _ => !bits & self.all(),
        }
    }

    fn at(self, place: u32) -> u32 {
        match place & self.sign() {
            0 => !place & self.all(),
            _ => place & !self.sign(),
        }
    }

    /// Which numbers stand where: stably sorted by the exponents of the older tensor.
    fn order(self, old: &[u8]) -> Vec<usize> {
        let class = |number: &[u8]| {
            let exponent = self.read(number) >> self.mantissa & !(u32::MAX << self.exponent);
            exponent as usize
        };
        let mut starts = vec![0; (1 << self.exponent) + 1];
        for number in old.chunks_exact(self.bytes) {
            starts[class(number) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut order = vec![0; old.len() / self.bytes];
        for (index, number) in old.chunks_exact(self.bytes).enumerate() {
            let start = &mut starts[class(number)];
            order[*start] = index;
            *start += 1;
        }
        order
    }

    /// Distances from the old numbers to the new ones, small ones of either sign as small numbers, in planes of bytes.
    fn distances(self, old: &[u8], new: &[u8]) -> Vec<u8> {
        let order = self.order(old);
        let mut planes = vec![0; old.len()];
        for (at, index) in order.iter().enumerate() {
            let number = index * self.bytes..(index + 1) * self.bytes;
            let (from, to) = (self.read(&old[number.clone()]), self.read(&new[number]));
            let distance = self.place(to).wrapping_sub(self.place(from)) & self.all();
            let negative = distance & self.sign() != 0;
            let folded = (distance << 1) ^ if negative { u32::MAX } else { 0 };
            for plane in 0..self.bytes {
                planes[plane * order.len() + at] = (folded >> (8 * plane)) as u8;
            }
        }
        planes
    }

    /// What [`Self::distances`] was made of.
    fn restore(self, old: &[u8], planes: &[u8]) -> Vec<u8> {
        let order = self.order(old);
        let mut new = vec![0; old.len()];
        for (at, index) in order.iter().enumerate() {
            let folded = (0..self.bytes).rev().fold(0, |folded, plane| {
                folded << 8 | u32::from(planes[plane * order.len() + at])
            });
            let distance = folded >> 1 ^ if folded & 1 == 1 { u32::MAX } else { 0 };
            let number = index * self.bytes..(index + 1) * self.bytes;
            let place = self.place(self.read(&old[number.clone()]));
            let bits = self.at(place.wrapping_add(distance) & self.all());
            new[number].copy_from_slice(&bits.to_le_bytes()[..self.bytes]);
        }
        new
    }
}

#[cfg(test)]
mod tests;
