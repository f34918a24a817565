//! What this build takes for granted about a runtime, checked against the metadata that the node serves.
//!
//! Types are compared as text in a small notation: newtypes and bounded vectors are written as what they hold, so a
//! runtime that renames a wrapper stays compatible, and one that widens a number does not.

use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive};
use subxt::Metadata;

use crate::{
    ReadError,
    calls::{self, Signature},
    items::{self, Api, Item},
};

/// Deeper types than any that is compared; a recursive one ends here.
const MAX_DEPTH: usize = 8;

/// The type of a storage item's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// The whole type, in the notation of [`describe`].
    Exactly(&'static str),
    /// A structure that has at least these fields.
    Fields(&'static [(&'static str, &'static str)]),
}

/// Whether every chain must have an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Without it this is no Bittensor chain.
    Always,
    /// Some runtimes lack it; whoever uses it copes, or says so then.
    WhereKnown,
}

/// Compares every storage item and call of ours with a runtime's.
pub(crate) fn check(metadata: &Metadata) -> Result<(), ReadError> {
    items::ALL
        .iter()
        .try_for_each(|item| check_item(metadata, item))?;
    calls::ALL
        .iter()
        .try_for_each(|call| check_call(metadata, call))?;
    check_api(metadata, &items::SELECTIVE_METAGRAPH)?;
    check_api(metadata, &items::QUERY_INFO)
}

pub(crate) fn check_api(metadata: &Metadata, api: &Api) -> Result<(), ReadError> {
    let found = metadata.runtime_api_trait_by_name(api.name);
    let Some(method) = found.and_then(|found| found.method_by_name(api.function)) else {
        return missing(api.need, api.name, api.function);
    };
    let types = metadata.types();
    let inputs: Vec<String> = method
        .inputs()
        .zip(0..)
        .map(|(input, at)| match api.inputs.get(at) {
            Some(&items::EXTRINSIC) => items::EXTRINSIC.to_owned(),
            _ => describe(types, input.id),
        })
        .collect();
    let output = match optional(types, method.output_ty()) {
        Some(inner) if api.optional => describe_fields(types, inner, api.fields),
        None if !api.optional => describe_fields(types, method.output_ty(), api.fields),
        _ => describe(types, method.output_ty()),
    };
    let answer = |fields: String| match api.optional {
        true => format!("Option<{fields}>"),
        false => fields,
    };
    let found = format!("({}) -> {}", inputs.join(", "), answer(output));
    let known = write_fields(api.fields.iter().copied());
    let expected = format!("({}) -> {}", api.inputs.join(", "), answer(known));
    same(api.name, api.function, expected, found)
}

/// What an `Option` holds.
fn optional(types: &PortableRegistry, id: u32) -> Option<u32> {
    let found = types.resolve(id)?;
    let inner = found.type_params.first()?.ty?;
    (found.path.ident()? == "Option").then_some(inner.id)
}

fn missing(need: Need, pallet: &str, name: &str) -> Result<(), ReadError> {
    match need {
        Need::WhereKnown => Ok(()),
        Need::Always => Err(ReadError::UnknownName {
            pallet: pallet.to_owned(),
            name: name.to_owned(),
        }),
    }
}

pub(crate) fn check_item(metadata: &Metadata, item: &Item) -> Result<(), ReadError> {
    let storage = metadata
        .pallet_by_name(item.pallet)
        .and_then(|pallet| pallet.storage());
    let Some(entry) = storage.and_then(|storage| storage.entry_by_name(item.name)) else {
        return missing(item.need, item.pallet, item.name);
    };
    let types = metadata.types();
    let keys: Vec<String> = entry
        .keys()
        .map(|key| describe(types, key.key_id))
        .collect();
    let value = match item.value {
        Value::Exactly(_) => describe(types, entry.value_ty()),
        Value::Fields(fields) => describe_fields(types, entry.value_ty(), fields),
    };
    let found = format!("[{}] -> {value}", keys.join(", "));
    let known = match item.value {
        Value::Exactly(known) => known.to_owned(),
        Value::Fields(fields) => write_fields(fields.iter().copied()),
    };
    let expected = format!("[{}] -> {known}", item.keys.join(", "));
    same(item.pallet, item.name, expected, found)
}

pub(crate) fn check_call(metadata: &Metadata, call: &Signature) -> Result<(), ReadError> {
    let pallet = metadata.pallet_by_name(call.pallet);
    let Some(variant) = pallet.and_then(|pallet| pallet.call_variant_by_name(call.name)) else {
        return missing(call.need, call.pallet, call.name);
    };
    let arguments: Vec<(&str, String)> = variant
        .fields
        .iter()
        .map(|field| {
            (
                field.name.as_deref().unwrap_or_default(),
                describe(metadata.types(), field.ty.id),
            )
        })
        .collect();
    let found = write_fields(
        arguments
            .iter()
            .map(|(name, described)| (*name, described.as_str())),
    );
    let expected = write_fields(call.arguments.iter().copied());
    same(call.pallet, call.name, expected, found)
}

fn same(
    pallet: &'static str,
    name: &'static str,
    expected: String,
    found: String,
) -> Result<(), ReadError> {
    if expected == found {
        return Ok(());
    }
    Err(ReadError::OtherType {
        pallet,
        name,
        expected,
        found,
    })
}

fn write_fields<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let fields: Vec<String> = fields.map(|(name, of)| format!("{name}: {of}")).collect();
    format!("{{{}}}", fields.join(", "))
}

/// Those fields of a structure that are asked for, as far as it has them.
fn describe_fields(types: &PortableRegistry, id: u32, fields: &[(&str, &str)]) -> String {
    let Some(TypeDef::Composite(composite)) = types.resolve(id).map(|found| &found.type_def) else {
        return describe(types, id);
    };
    let found: Vec<(&str, String)> = fields
        .iter()
        .filter_map(|(name, _)| {
            let field = composite
                .fields
                .iter()
                .find(|field| field.name.as_deref() == Some(name))?;
            Some((*name, describe(types, field.ty.id)))
        })
        .collect();
    write_fields(found.iter().map(|(name, of)| (*name, of.as_str())))
}

/// A type in this module's notation: `u16`, `[u8; 32]`, `Vec<(u16, u16)>`, `Option<bool>`, `enum Data`.
pub(crate) fn describe(types: &PortableRegistry, id: u32) -> String {
    describe_to(types, id, MAX_DEPTH)
}

fn describe_to(types: &PortableRegistry, id: u32, depth: usize) -> String {
    let (Some(found), Some(depth)) = (types.resolve(id), depth.checked_sub(1)) else {
        return "?".to_owned();
    };
    let inner = |id| describe_to(types, id, depth);
    match &found.type_def {
        TypeDef::Primitive(primitive) => primitive_name(primitive).to_owned(),
        TypeDef::Sequence(sequence) => format!("Vec<{}>", inner(sequence.type_param.id)),
        TypeDef::Array(array) => format!("[{}; {}]", inner(array.type_param.id), array.len),
        TypeDef::Compact(compact) => format!("Compact<{}>", inner(compact.type_param.id)),
        TypeDef::BitSequence(_) => "BitVec".to_owned(),
        TypeDef::Tuple(tuple) => {
            let fields: Vec<String> = tuple.fields.iter().map(|field| inner(field.id)).collect();
            format!("({})", fields.join(", "))
        }
        TypeDef::Composite(composite) => match composite.fields.as_slice() {
            [only] => inner(only.ty.id),
            _ => format!("struct {}", found.path.ident().unwrap_or_default()),
        },
        TypeDef::Variant(_) => {
            let name = found.path.ident().unwrap_or_default();
            let parameters: Vec<String> = found
                .type_params
                .iter()
                .filter_map(|parameter| parameter.ty.map(|of| inner(of.id)))
                .collect();
            match name.as_str() {
                "Option" => format!("Option<{}>", parameters.join(", ")),
                _ => format!("enum {name}"),
            }
        }
    }
}

fn primitive_name(primitive: &TypeDefPrimitive) -> &'static str {
    match primitive {
        TypeDefPrimitive::Bool => "bool",
        TypeDefPrimitive::Char => "char",
        TypeDefPrimitive::Str => "str",
        TypeDefPrimitive::U8 => "u8",
        TypeDefPrimitive::U16 => "u16",
        TypeDefPrimitive::U32 => "u32",
        TypeDefPrimitive::U64 => "u64",
        TypeDefPrimitive::U128 => "u128",
        TypeDefPrimitive::U256 => "u256",
        TypeDefPrimitive::I8 => "i8",
        TypeDefPrimitive::I16 => "i16",
        TypeDefPrimitive::I32 => "i32",
        TypeDefPrimitive::I64 => "i64",
        TypeDefPrimitive::I128 => "i128",
        TypeDefPrimitive::I256 => "i256",
    }
}
