//! Fuzz the decoder of files of weights.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::safetensors(bytes));
