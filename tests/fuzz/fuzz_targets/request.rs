//! Fuzz the decoder of requests of peers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::request(bytes));
