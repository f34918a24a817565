//! Fuzz the decoder of tokenizer.json.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::tokenizer(bytes));
