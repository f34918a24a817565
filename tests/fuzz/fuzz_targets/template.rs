//! Fuzz the decoder of chat templates.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::template(bytes));
