//! Fuzz the decoder of deltas between checkpoints.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::delta(bytes));
