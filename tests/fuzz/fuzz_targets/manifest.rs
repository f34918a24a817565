//! Fuzz the decoder of the manifest of a checkpoint.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::manifest(bytes));
