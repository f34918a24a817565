//! Fuzz the decoder of a transcript.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::transcript(bytes));
