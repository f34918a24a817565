//! Fuzz the decoder of a subnet's spec.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::spec(bytes));
