//! The commitment record as the `Commitments` pallet stores it: a short list of raw chunks.

use athanor_spec::{BlockNumber, Commitment, commitment::Record};
use scale_decode::DecodeAsType;
use scale_value::{Composite, Primitive, Value, ValueDef};

/// Bytes that one `Data::RawN` can hold.
const CHUNK: usize = 128;

/// `Commitments.CommitmentOf`, as far as it is used.
#[derive(DecodeAsType)]
pub(crate) struct Registration {
    pub(crate) block: u32,
    pub(crate) info: CommitmentInfo,
}

/// The committed fields: an enum with a variant per length, so decoded dynamically.
#[derive(DecodeAsType)]
pub(crate) struct CommitmentInfo {
    pub(crate) fields: Vec<Value>,
}

impl Registration {
    /// The record and the block of its commit, if it is one of ours.
    pub(crate) fn ours(&self) -> Option<(Commitment, BlockNumber)> {
        Some((self.info.record()?.commitment, BlockNumber(self.block)))
    }
}

impl CommitmentInfo {
    /// The record, if the bytes are one: anybody may have committed to anything.
    pub(crate) fn record(&self) -> Option<Record> {
        let mut bytes = Vec::with_capacity(Commitment::BYTES);
        for field in &self.fields {
            let ValueDef::Variant(variant) = &field.value else {
                return None;
            };
            if !variant.name.starts_with("Raw") && variant.name != "BigRaw" {
                return None;
            }
            flatten(&variant.values, &mut bytes)?;
        }
        Record::from_bytes(&bytes).ok()
    }
}

fn flatten(values: &Composite<()>, bytes: &mut Vec<u8>) -> Option<()> {
    for value in values.values() {
        match &value.value {
            ValueDef::Composite(inner) => flatten(inner, bytes)?,
            ValueDef::Primitive(Primitive::U128(byte)) => bytes.push(u8::try_from(*byte).ok()?),
            _ => return None,
        }
    }
    Some(())
}

/// The `info` argument of `Commitments.set_commitment`.
pub(crate) fn info(record: &Record) -> Value {
    let bytes = record.to_bytes();
    let fields = bytes.chunks(CHUNK).map(|chunk| {
        Value::unnamed_variant(format!("Raw{}", chunk.len()), [Value::from_bytes(chunk)])
    });
    Value::named_composite([("fields", Value::unnamed_composite(fields))])
}
