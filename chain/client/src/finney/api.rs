//! The runtime API that a metagraph is read by.

use codec::{Compact, Encode as _};
use scale_decode::DecodeAsType as _;
use subxt::Metadata;

use super::{HOTKEY, finney};
use crate::{
    contract::{self, Need},
    items, metagraph,
};

#[test]
fn the_api_that_gives_a_metagraph_is_finneys_field_by_field() {
    let metadata = finney();
    contract::check_api(&metadata, &items::SELECTIVE_METAGRAPH).unwrap();
    contract::check_api(&metadata, &items::QUERY_INFO).unwrap();
    let other = items::Api {
        fields: &[
            ("hotkeys", "Option<Vec<[u8; 32]>>"),
            ("emission", "Option<Vec<u64>>"),
        ],
        ..items::SELECTIVE_METAGRAPH
    };
    let error = contract::check_api(&metadata, &other)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`SubnetInfoRuntimeApi.get_selective_metagraph`")
            && error.contains("emission: Option<Vec<Compact<u64>>>"),
        "{error}"
    );
    let absent = items::Api {
        function: "get_gone",
        need: Need::Always,
        ..items::SELECTIVE_METAGRAPH
    };
    let error = contract::check_api(&metadata, &absent)
        .unwrap_err()
        .to_string();
    assert!(error.contains("SubnetInfoRuntimeApi.get_gone"), "{error}");
}

/// An answer as finney encodes it, every field of the structure in its place: those that were not asked for are `None`.
#[test]
fn a_metagraph_decodes_from_finneys_own_encoding() {
    let metadata = finney();
    let api = metadata
        .runtime_api_trait_by_name(items::SELECTIVE_METAGRAPH.name)
        .unwrap();
    let method = api
        .method_by_name(items::SELECTIVE_METAGRAPH.function)
        .unwrap();
    let compact =
        |values: &[u64]| -> Vec<Compact<u64>> { values.iter().copied().map(Compact).collect() };
    let shares =
        |values: &[u16]| -> Vec<Compact<u16>> { values.iter().copied().map(Compact).collect() };
    let axon = |ip: u128, port: u16, ip_type: u8| (5u64, 1u32, ip, port, [ip_type, 4u8, 0, 0]);
    let parts: [(&str, Vec<u8>); 12] = [
        ("hotkeys", vec![HOTKEY.0, [9; 32]].encode()),
        ("coldkeys", vec![[8u8; 32], [8; 32]].encode()),
        (
            "axons",
            vec![axon(0x0a00_0001, 9000, 4), axon(0, 0, 0)].encode(),
        ),
        ("active", vec![true, false].encode()),
        ("validator_permit", vec![false, true].encode()),
        ("last_update", compact(&[77, 1 << 40]).encode()),
        ("emission", compact(&[5, 6]).encode()),
        ("dividends", shares(&[0, 65535]).encode()),
        ("incentives", shares(&[65535, 1]).encode()),
        ("consensus", shares(&[3, 4]).encode()),
        ("block_at_registration", compact(&[11, 12]).encode()),
        ("total_stake", compact(&[21, 22]).encode()),
    ];
    let bytes = selective(&metadata, method.output_ty(), &parts);
    let answer = Option::<metagraph::api::Answer>::decode_as_type(
        &mut &bytes[..],
        method.output_ty(),
        metadata.types(),
    );
    let expected = "Answer { hotkeys: Some([[7";
    let found = format!("{:?}", answer.unwrap().unwrap());
    assert!(found.starts_with(expected), "{found}");
    for part in [
        "last_update: Some([77, 1099511627776])",
        "dividends: Some([0, 65535])",
        "active: Some([true, false])",
        "block_at_registration: Some([11, 12])",
        "total_stake: Some([21, 22])",
        "port: 9000",
        "commitments: None",
    ] {
        assert!(found.contains(part), "no {part} in {found}");
    }
}

/// `Some` of the structure, with these parts and no others.
fn selective(metadata: &Metadata, output: u32, parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let inner = metadata.types().resolve(output).unwrap().type_params[0]
        .ty
        .unwrap();
    let scale_info::TypeDef::Composite(fields) =
        &metadata.types().resolve(inner.id).unwrap().type_def
    else {
        panic!("not a structure");
    };
    let mut bytes = vec![1];
    let mut given = 0;
    for field in &fields.fields {
        let name = field.name.as_deref().unwrap();
        match parts.iter().find(|(part, _)| *part == name) {
            _ if name == "netuid" => Compact(1u16).encode_to(&mut bytes),
            Some((_, part)) => {
                bytes.push(1);
                bytes.extend(part);
                given += 1;
            }
            None => bytes.push(0),
        }
    }
    assert_eq!(given, parts.len());
    bytes
}
