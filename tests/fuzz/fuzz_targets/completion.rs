//! Fuzz the decoder of a gateway's requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::completion(bytes));
