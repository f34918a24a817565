//! Fuzz the decoder of weights that are hidden on chain.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::timelock(bytes));
