//! Whether a file changes what it names, and nothing else.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use sp_core::crypto::Ss58Codec;

use super::*;

fn patched(patch: Value) -> Result<Value, GenesisError> {
    Genesis {
        patch,
        ..Genesis::development(Duration::from_secs(12))
    }
    .to_json()
}

fn ss58(name: &str) -> String {
    AccountId32::new(development_account(name)).to_ss58check()
}

#[test]
fn a_patch_changes_what_it_names() {
    let whole = patched(Value::Null).unwrap();
    let changed = patched(json!({
        "aura": { "slotDuration": 250 },
        "sudo": { "key": "//Bob" },
        "subtensorModule": { "subnets": [{ "netuid": 1, "tempo": 7 }] },
    }))
    .unwrap();
    let mut expected = whole.clone();
    expected["aura"]["slotDuration"] = json!(250);
    expected["sudo"]["key"] = json!(ss58("Bob"));
    expected["subtensorModule"]["subnets"][0]["tempo"] = json!(7);
    assert_eq!(changed, expected);
    assert_eq!(block_time(&changed), 250);
}

#[test]
fn a_subnet_of_another_number_is_a_new_one_and_the_list_is_replaced() {
    let neuron = json!({ "coldkey": "//Bob", "hotkey": "//Bob//hotkey", "stake": 5 });
    let patch = json!({ "subtensorModule": { "subnets": [{ "netuid": 9, "neurons": [neuron] }] } });
    let changed = patched(patch).unwrap();
    let subnets = changed["subtensorModule"]["subnets"].as_array().unwrap();
    assert_eq!(subnets.len(), 1);
    let mut expected = SubnetGenesis::new(9, development_account("Alice"));
    expected.neurons = vec![athanor_runtime::subtensor::NeuronGenesis {
        coldkey: development_account("Bob").into(),
        hotkey: development_account("Bob//hotkey").into(),
        stake: 5,
    }];
    assert_eq!(subnets[0], serde_json::to_value(expected).unwrap());
}

#[test]
fn toml_and_json_say_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let toml = write(
        "a.toml",
        "[sudo]\nkey = '//Eve'\n[[subtensorModule.subnets]]\nnetuid = 2\nyuma3 = false\n",
    );
    let json = write(
        "a.json",
        r#"{"sudo":{"key":"//Eve"},"subtensorModule":{"subnets":[{"netuid":2,"yuma3":false}]}}"#,
    );
    let read = |path| Genesis::read_patch(path).unwrap();
    assert_eq!(read(&toml), read(&json));

    for (name, text, expected) in [
        ("b.toml", "[sudo\n", "cannot be read as TOML"),
        ("b.json", "{\"sudo\": }", "cannot be read as JSON"),
        ("c.json", "[1]", "holds a table"),
    ] {
        let path = write(name, text);
        let error = Genesis::read_patch(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let missing = Genesis::read_patch(&directory.path().join("none")).unwrap_err();
    assert!(missing.to_string().contains("not found"), "{missing}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (patch, expected) in [
        (json!({ "sudo": { "key": "//" } }), "development account"),
        (
            json!({ "subtensorModule": { "subnets": [{ "tempo": 3 }] } }),
            "entry 0 of subtensorModule.subnets",
        ),
    ] {
        let error = patched(patch).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
