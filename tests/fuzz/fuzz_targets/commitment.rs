//! Fuzz the decoder of a record on chain.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::commitment(bytes));
