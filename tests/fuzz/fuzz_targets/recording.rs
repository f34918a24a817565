//! Fuzz the decoder of a recording.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::recording(bytes));
