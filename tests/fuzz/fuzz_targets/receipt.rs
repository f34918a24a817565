//! Fuzz the decoder of a receipt.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::receipt(bytes));
