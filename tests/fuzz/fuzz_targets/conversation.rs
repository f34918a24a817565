//! Fuzz the decoder of a request to a chat API.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::conversation(bytes));
