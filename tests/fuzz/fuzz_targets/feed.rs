//! Fuzz the decoder of what a daemon's feed says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::feed(bytes));
