//! Reading and writing weights, and what a hostile file meets.

use super::*;
use crate::config::tests::tiny;

fn random() -> Tensors {
    Tensors::random(&tiny(), 7)
}

#[test]
fn weights_survive_a_file_exactly_in_f32_and_rounded_in_f16() {
    let tensors = random();
    let exact = Tensors::from_safetensors(&tensors.to_safetensors(Precision::F32)).unwrap();
    assert_eq!(exact, tensors);
    assert_eq!(exact.digest(), tensors.digest());
    let rounded = Tensors::from_safetensors(&tensors.to_safetensors(Precision::F16)).unwrap();
    for ((name, a), (_, b)) in tensors.iter().zip(rounded.iter()) {
        for (a, b) in a.data.iter().zip(&b.data) {
            assert!((a - b).abs() <= a.abs() / 1024.0 + 1e-6, "{name}: {a} {b}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_seed_others() {
    assert_eq!(random().digest(), random().digest());
    assert_ne!(random().digest(), Tensors::random(&tiny(), 8).digest());
}

#[test]
fn the_digest_sees_every_value_and_every_name() {
    let mut changed = random();
    let mut norm = changed.remove(FINAL_NORM).unwrap();
    norm.data[3] += 1e-6;
    changed.insert(FINAL_NORM, norm.clone());
    assert_ne!(changed.digest(), random().digest());
    changed.remove(FINAL_NORM);
    changed.insert("model.nrom.weight", norm);
    assert_ne!(changed.digest(), random().digest());
}

#[test]
fn a_tensor_that_is_missing_extra_or_misshapen_is_named() {
    let check = |edit: &dyn Fn(&mut Tensors), name: &str| {
        let mut tensors = random();
        edit(&mut tensors);
        let error = tensors.check(&tiny()).unwrap_err();
        assert!(error.to_string().contains(name), "{error} names {name}");
    };
    let k = "model.layers.1.self_attn.k_proj.weight";
    check(&|t| drop(t.remove(k)), k);
    check(
        &|t| {
            t.insert(
                "model.extra",
                HostTensor {
                    shape: vec![1],
                    data: vec![0.0],
                },
            )
        },
        "model.extra",
    );
    check(
        &|t| {
            t.insert(
                k,
                HostTensor {
                    shape: vec![24, 12],
                    data: vec![0.0; 288],
                },
            )
        },
        k,
    );
    check(
        &|t| {
            t.insert(
                k,
                HostTensor {
                    shape: vec![12, 24],
                    data: vec![f32::NAN; 288],
                },
            )
        },
        k,
    );
}

/// A file with that header and so many bytes behind it.
fn file(header: &str, bytes: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(vec![0; bytes]);
    file
}

#[test]
fn a_huge_header_is_refused_before_it_is_read() {
    for declared in [MAX_HEADER_BYTES + 1, u64::MAX] {
        let error = Tensors::from_safetensors(&declared.to_le_bytes()).unwrap_err();
        assert!(
            matches!(error, TensorsError::HeaderTooLarge { bytes, .. } if bytes == declared),
            "{error}"
        );
    }
}

#[test]
fn offsets_that_overlap_overflow_or_leave_gaps_are_refused() {
    let two = |a: &str, b: &str| {
        format!(
            r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":{a}}},"b":{{"dtype":"F32","shape":[2],"data_offsets":{b}}}}}"#
        )
    };
    let check = |header: &str, bytes| {
        let error = Tensors::from_safetensors(&file(header, bytes)).unwrap_err();
        assert!(
            matches!(error, TensorsError::Format(_)),
            "{header}: {error}"
        );
    };
    assert!(Tensors::from_safetensors(&file(&two("[0,8]", "[8,16]"), 16)).is_ok());
    check(&two("[0,8]", "[4,12]"), 12);
    check(&two("[0,8]", "[0,8]"), 8);
    check(&two("[0,8]", "[12,20]"), 20);
    check(&two("[0,8]", "[8,16]"), 15);
    check(&two("[0,8]", "[8,16]"), 17);
    check(
        r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#,
        0,
    );
    check("[1, 2", 0);
    check("", 0);
}

#[test]
fn a_type_that_is_not_a_float_is_named_with_its_tensor() {
    let header = r#"{"weights":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#;
    let error = Tensors::from_safetensors(&file(header, 8)).unwrap_err();
    assert!(error.to_string().contains("weights"), "{error}");
    assert!(error.to_string().contains("I64"), "{error}");
}
