//! Fuzz the decoder of config.json.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::config(bytes));
