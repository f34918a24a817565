//! Fuzz the decoder of a backup, which somebody may have changed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::backup(bytes));
