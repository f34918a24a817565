//! What a runtime's metadata declares, item by item, in words that can be compared between two runtimes.

use std::collections::BTreeMap;

use codec::Decode;
use frame_metadata::{
    RuntimeMetadata, RuntimeMetadataPrefixed,
    v15::{RuntimeMetadataV15, StorageEntryModifier, StorageEntryType},
};
use scale_info::{PortableRegistry, TypeDef, form::PortableForm};

/// Items by kind and name, such as `call SubtensorModule.set_weights`, with how each is declared.
pub(super) type Surface = BTreeMap<String, String>;

/// Types whose insides depend on which pallets a runtime has; they are known by name.
const BY_NAME: &[&str] = &[
    "RuntimeCall",
    "RuntimeEvent",
    "RuntimeError",
    "OriginCaller",
    "DispatchError",
    "DispatchInfo",
    "DispatchEventInfo",
    "PostDispatchInfo",
    "UncheckedExtrinsic",
    "Block",
    "Header",
    "RuntimeVersion",
    "InherentData",
];

pub(super) fn read(mut bytes: &[u8]) -> RuntimeMetadataV15 {
    let prefixed = RuntimeMetadataPrefixed::decode(&mut bytes).unwrap();
    match prefixed.1 {
        RuntimeMetadata::V15(metadata) => metadata,
        other => panic!("version {} was asked as 15", other.version()),
    }
}

pub(super) fn surface(metadata: &RuntimeMetadataV15) -> Surface {
    let types = &metadata.types;
    let mut items = Surface::new();
    for pallet in &metadata.pallets {
        let name = &pallet.name;
        items.insert(format!("pallet {name}"), pallet.index.to_string());
        for entry in pallet.storage.iter().flat_map(|storage| &storage.entries) {
            let (keys, value) = match &entry.ty {
                StorageEntryType::Plain(value) => (String::new(), value),
                StorageEntryType::Map {
                    hashers,
                    key,
                    value,
                } => (format!("{hashers:?} {}", shape(types, key.id)), value),
            };
            let value = shape(types, value.id);
            let missing = match entry.modifier {
                StorageEntryModifier::Optional => "optional".to_owned(),
                StorageEntryModifier::Default => {
                    let default = &entry.default;
                    let bytes = default.iter().map(|byte| format!("{byte:02x}"));
                    format!("default 0x{}", bytes.collect::<String>())
                }
            };
            let entry = &entry.name;
            items.insert(
                format!("storage {name}.{entry}"),
                format!("[{keys}] -> {value} {missing}"),
            );
        }
        for constant in &pallet.constants {
            let key = format!("constant {name}.{}", constant.name);
            items.insert(key, shape(types, constant.ty.id));
        }
        for (kind, id) in [
            ("call", pallet.calls.as_ref().map(|calls| calls.ty.id)),
            ("error", pallet.error.as_ref().map(|errors| errors.ty.id)),
            ("event", pallet.event.as_ref().map(|events| events.ty.id)),
        ] {
            if let Some(id) = id {
                variants(types, kind, name, id, &mut items);
            }
        }
    }
    for api in &metadata.apis {
        for method in &api.methods {
            let inputs: Vec<String> = method
                .inputs
                .iter()
                .map(|input| format!("{}: {}", input.name, shape(types, input.ty.id)))
                .collect();
            let output = shape(types, method.output.id);
            items.insert(
                format!("api {}.{}", api.name, method.name),
                format!("({}) -> {output}", inputs.join(", ")),
            );
        }
    }
    items
}

/// The variants of an enum of calls, errors or events.
fn variants(types: &PortableRegistry, kind: &str, pallet: &str, id: u32, items: &mut Surface) {
    let TypeDef::Variant(variants) = &types.resolve(id).unwrap().type_def else {
        return;
    };
    for variant in &variants.variants {
        let fields = match kind {
            "error" => String::new(),
            _ => fields(types, &variant.fields, 0),
        };
        items.insert(
            format!("{kind} {pallet}.{}", variant.name),
            format!("{}{fields}", variant.index),
        );
    }
}

/// What a type is made of. Names of types do not matter, names of fields and variants do.
fn shape(types: &PortableRegistry, id: u32) -> String {
    shape_within(types, id, 0)
}

fn shape_within(types: &PortableRegistry, id: u32, depth: u8) -> String {
    let ty = types.resolve(id).unwrap();
    let last = ty.path.segments.last().map_or("", |name| name);
    if BY_NAME.contains(&last) || depth > 8 {
        return last.to_owned();
    }
    let inner = |id: u32| shape_within(types, id, depth + 1);
    match &ty.type_def {
        TypeDef::Primitive(primitive) => format!("{primitive:?}").to_lowercase(),
        TypeDef::Compact(compact) => format!("compact {}", inner(compact.type_param.id)),
        TypeDef::Sequence(sequence) => format!("[{}]", inner(sequence.type_param.id)),
        TypeDef::Array(array) => format!("[{}; {}]", inner(array.type_param.id), array.len),
        TypeDef::Tuple(tuple) => {
            let parts: Vec<String> = tuple.fields.iter().map(|field| inner(field.id)).collect();
            format!("({})", parts.join(", "))
        }
        TypeDef::BitSequence(_) => "bits".to_owned(),
        TypeDef::Composite(composite) => fields(types, &composite.fields, depth),
        TypeDef::Variant(variants) => {
            let variants: Vec<String> = variants
                .variants
                .iter()
                .map(|variant| {
                    let fields = fields(types, &variant.fields, depth);
                    format!("{} {}{fields}", variant.index, variant.name)
                })
                .collect();
            format!("<{}>", variants.join(" | "))
        }
    }
}

fn fields(
    types: &PortableRegistry,
    fields: &[scale_info::Field<PortableForm>],
    depth: u8,
) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|field| {
            let shape = shape_within(types, field.ty.id, depth + 1);
            match &field.name {
                Some(name) => format!("{name}: {shape}"),
                None => shape,
            }
        })
        .collect();
    format!("({})", fields.join(", "))
}
