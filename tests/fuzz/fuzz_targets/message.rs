//! Fuzz the decoder of what peers say.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::message(bytes));
