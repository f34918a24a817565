//! Fuzz the decoder of responses of peers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::response(bytes));
