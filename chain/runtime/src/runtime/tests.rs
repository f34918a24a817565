//! Whether clients find what they look for: names, numbers, argument types, keys and defaults as on Bittensor.
//!
//! `finney.txt` lists, for what this runtime has in common with Bittensor's main network at spec version 365, how it is
//! declared there. Types are written by their last name; `NetUid` and the like are the integers that they show as.

use std::collections::BTreeSet;

use frame_support::__private::metadata_ir::{
    MetadataIR, StorageEntryModifierIR, StorageEntryTypeIR,
};
use scale_info::{MetaType, TypeDef, TypeDefPrimitive, form::MetaForm};

use super::Runtime;

/// A type as `finney.txt` writes it.
fn name(meta: &MetaType) -> String {
    let ty = meta.type_info();
    match &ty.type_def {
        TypeDef::Primitive(TypeDefPrimitive::Str) => "str".to_owned(),
        TypeDef::Primitive(primitive) => format!("{primitive:?}").to_lowercase(),
        TypeDef::Compact(inner) => format!("Compact<{}>", name(&inner.type_param)),
        TypeDef::Sequence(inner) => format!("Vec<{}>", name(&inner.type_param)),
        TypeDef::Array(inner) => format!("[{};{}]", name(&inner.type_param), inner.len),
        TypeDef::Tuple(tuple) => {
            format!(
                "({})",
                tuple.fields.iter().map(name).collect::<Vec<_>>().join(", ")
            )
        }
        _ => match *ty
            .path
            .segments
            .last()
            .expect("a composite type has a path")
        {
            "AccountId32" => "AccountId".to_owned(),
            "U64F64" => "FixedU128".to_owned(),
            other => other.to_owned(),
        },
    }
}

fn storage(ir: &MetadataIR<MetaForm>, lines: &mut BTreeSet<String>) {
    for pallet in &ir.pallets {
        for entry in pallet.storage.iter().flat_map(|storage| &storage.entries) {
            let (keys, value) = match &entry.ty {
                StorageEntryTypeIR::Plain(value) => (String::new(), value),
                StorageEntryTypeIR::Map {
                    hashers,
                    key,
                    value,
                } => {
                    let types = match &key.type_info().type_def {
                        TypeDef::Tuple(tuple) if hashers.len() > 1 => tuple.fields.clone(),
                        _ => vec![*key],
                    };
                    let keys: Vec<String> = hashers
                        .iter()
                        .zip(&types)
                        .map(|(hasher, key)| format!("{hasher:?} {}", name(key)))
                        .collect();
                    (keys.join(", "), value)
                }
            };
            let missing = match entry.modifier {
                StorageEntryModifierIR::Optional => "optional".to_owned(),
                StorageEntryModifierIR::Default => {
                    let bytes = entry.default.iter().map(|byte| format!("{byte:02x}"));
                    format!("0x{}", bytes.collect::<String>())
                }
            };
            let (pallet, entry, value) = (pallet.name, entry.name, name(value));
            lines.insert(format!(
                "storage {pallet} {entry} [{keys}] -> {value} {missing}"
            ));
        }
    }
}

/// The variants of an enum of calls, errors or events.
fn variants(kind: &str, pallet: &str, ty: &MetaType, lines: &mut BTreeSet<String>) {
    let TypeDef::Variant(variants) = ty.type_info().type_def else {
        return;
    };
    for variant in variants.variants {
        let fields: Vec<String> = variant
            .fields
            .iter()
            .map(|field| match (kind, field.name) {
                ("call", Some(argument)) => format!("{argument}: {}", name(&field.ty)),
                _ => name(&field.ty),
            })
            .collect();
        let fields = match kind {
            "error" => String::new(),
            _ => format!("({})", fields.join(", ")),
        };
        lines.insert(format!(
            "{kind} {pallet} {} {}{fields}",
            variant.index, variant.name
        ));
    }
}

fn surface() -> BTreeSet<String> {
    let ir = Runtime::metadata_ir();
    let mut lines = BTreeSet::new();
    storage(&ir, &mut lines);
    for pallet in &ir.pallets {
        for (kind, ty) in [
            ("call", pallet.calls.as_ref().map(|calls| calls.ty)),
            ("error", pallet.error.as_ref().map(|errors| errors.ty)),
            ("event", pallet.event.as_ref().map(|events| events.ty)),
        ] {
            if let Some(ty) = ty {
                variants(kind, pallet.name, &ty, &mut lines);
            }
        }
    }
    lines
}

#[test]
fn what_is_shared_with_bittensor_is_declared_as_there() {
    // The slot duration is read from storage when the metadata is made.
    sp_io::TestExternalities::default().execute_with(|| {
        let ours = surface();
        let differing: Vec<&str> = include_str!("finney.txt")
            .lines()
            .filter(|line| !ours.contains(*line))
            .collect();
        let near = |line: &str| {
            let start: Vec<&str> = line.split([' ', '(']).take(3).collect();
            let ours = ours
                .iter()
                .find(|ours| ours.split([' ', '(']).take(3).eq(start.iter().copied()));
            format!("there {line}\nhere  {ours:?}")
        };
        let report: Vec<String> = differing.into_iter().map(near).collect();
        assert!(report.is_empty(), "{}", report.join("\n"));
    });
}

#[test]
fn pallets_and_extensions_are_in_bittensors_places() {
    sp_io::TestExternalities::default().execute_with(|| {
        let ir = Runtime::metadata_ir();
        let pallets: Vec<(&str, u8)> = ir
            .pallets
            .iter()
            .map(|pallet| (pallet.name, pallet.index))
            .collect();
        assert_eq!(
            pallets,
            [
                ("System", 0),
                ("Timestamp", 2),
                ("Aura", 3),
                ("Balances", 5),
                ("TransactionPayment", 6),
                ("SubtensorModule", 7),
                ("Utility", 11),
                ("Sudo", 12),
                ("Commitments", 18)
            ]
        );
        let extensions: Vec<&str> = ir
            .extrinsic
            .extensions_in_versions
            .iter()
            .map(|extension| extension.identifier)
            .collect();
        assert_eq!(
            extensions,
            [
                "CheckNonZeroSender",
                "CheckSpecVersion",
                "CheckTxVersion",
                "CheckGenesis",
                "CheckMortality",
                "CheckNonce",
                "CheckWeight",
                "ChargeTransactionPayment",
                "SudoTransactionExtension",
                "SubtensorTransactionExtension",
                "DrandPriority",
                "CheckMetadataHash"
            ]
        );
    });
}
