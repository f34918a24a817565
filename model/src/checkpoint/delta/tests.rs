//! A delta restores every bit, whatever the two files hold, and no damaged one does harm.

use half::{bf16, f16};
use proptest::prelude::*;
use safetensors::{serialize, tensor::TensorView};

use super::*;

/// Bytes of a tensor of so many numbers.
fn numbers(dtype: Dtype, bits: &[u32]) -> Vec<u8> {
    let width = Float::of(dtype).map_or(4, |float| float.bytes);
    let numbers = bits.iter().map(|bits| bits.to_le_bytes());
    numbers.flat_map(|bytes| bytes[..width].to_vec()).collect()
}

fn file(tensors: &[(&str, Dtype, Vec<u32>)]) -> Vec<u8> {
    let data: Vec<(&str, Dtype, usize, Vec<u8>)> = tensors
        .iter()
        .map(|(name, dtype, bits)| (*name, *dtype, bits.len(), numbers(*dtype, bits)))
        .collect();
    let views = data.iter().map(|(name, dtype, count, bytes)| {
        (*name, TensorView::new(*dtype, vec![*count], bytes).unwrap())
    });
    serialize(views, None).unwrap()
}

#[track_caller]
fn restores(base: &[u8], new: &[u8]) -> usize {
    let delta = encode(base, new).unwrap();
    assert_eq!(apply(base, &delta, new.len()).unwrap(), new);
    delta.len()
}

#[test]
fn files_that_differ_in_everything_are_restored() {
    let base = file(&[
        ("a", Dtype::F16, vec![0, 0x8000, 0x7c00, 0xfc00, 0x7e01]),
        ("b", Dtype::F32, vec![1, 2]),
        ("c", Dtype::I32, vec![7]),
        ("gone", Dtype::F32, vec![1]),
    ]);
    let new = file(&[
        ("a", Dtype::F16, vec![0x8000, 0, 0xfc00, 0x7e01, 0xffff]),
        ("b", Dtype::F32, vec![1, 2, 3]),
        ("c", Dtype::I32, vec![9]),
        ("come", Dtype::BF16, vec![0xffff, 0]),
    ]);
    restores(&base, &new);
    restores(&new, &base);
    restores(&file(&[]), &new);
    restores(&new, &file(&[]));
}

#[test]
fn a_small_step_of_training_takes_little_room() {
    // Weights of a normal distribution, and a step in proportion to what Adam makes: alike for small and large ones.
    let value = |at: u32| ((f64::from(at) * 0.754_877_666).fract() * 2.0 - 1.0) * 0.05;
    let step = |at: u32| ((f64::from(at) * 0.569_840_290).fract() * 2.0 - 1.0) * 2e-5;
    for (dtype, most) in [(Dtype::F16, 0.45), (Dtype::BF16, 0.12), (Dtype::F32, 0.62)] {
        let bits = |value: f64| match dtype {
            Dtype::F16 => f16::from_f64(value).to_bits().into(),
            Dtype::BF16 => bf16::from_f64(value).to_bits().into(),
            _ => (value as f32).to_bits(),
        };
        let old: Vec<u32> = (0..50_000).map(|at| bits(value(at))).collect();
        let new: Vec<u32> = (0..50_000).map(|at| bits(value(at) + step(at))).collect();
        let (old, new) = (file(&[("w", dtype, old)]), file(&[("w", dtype, new)]));
        let share = restores(&old, &new) as f64 / new.len() as f64;
        assert!(share < most, "{dtype:?}: {share}");
        assert!((restores(&new, &new) as f64) < 0.01 * new.len() as f64);
    }
}

#[test]
fn a_delta_of_another_base_or_length_is_refused_or_gives_another_file() {
    let (base, new) = (
        file(&[("a", Dtype::F16, vec![1, 2, 3])]),
        file(&[("a", Dtype::F16, vec![1, 2, 4])]),
    );
    let delta = encode(&base, &new).unwrap();
    assert!(matches!(
        apply(&file(&[]), &delta, new.len()),
        Err(DeltaError::Damaged)
    ));
    assert!(apply(&base, &delta, new.len() + 1).is_err());
    assert!(apply(&base, &delta, new.len() - 1).is_err());
    assert!(apply(&base, &delta[1..], new.len()).is_err());
    assert_ne!(
        apply(
            &file(&[("a", Dtype::F16, vec![9, 9, 9])]),
            &delta,
            new.len()
        )
        .unwrap(),
        new
    );
}

fn tensor() -> impl Strategy<Value = (Dtype, Vec<u32>)> {
    let dtype = prop::sample::select(vec![Dtype::F16, Dtype::BF16, Dtype::F32, Dtype::I32]);
    (dtype, prop::collection::vec(any::<u32>(), 0..40))
}

proptest! {
    #[test]
    fn any_two_files_are_restored(old in tensor(), new in tensor(), same in any::<bool>()) {
        let (dtype, bits) = new;
        let other = if same { (dtype, old.1.iter().cycle().take(bits.len()).copied().collect()) } else { old };
        let (old, new) = (file(&[("w", other.0, other.1)]), file(&[("w", dtype, bits)]));
        let delta = encode(&old, &new).unwrap();
        prop_assert_eq!(apply(&old, &delta, new.len()).unwrap(), new);
    }

    #[test]
    fn damage_is_an_error_or_another_file(at in any::<prop::sample::Index>(), flip in 1_u8.., cut in any::<bool>()) {
        let old = file(&[("w", Dtype::F16, (0..200).collect())]);
        let new = file(&[("w", Dtype::F16, (1..201).collect())]);
        let mut delta = encode(&old, &new).unwrap();
        let at = at.index(delta.len());
        match cut {
            true => delta.truncate(at),
            false => delta[at] ^= flip,
        }
        if let Ok(found) = apply(&old, &delta, new.len()) {
            prop_assert_eq!(found.len(), new.len());
        }
    }
}
