//! Fuzz the rules of a hotkey's signer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::signing(bytes));
