//! Fuzz the decoder of a record of the ledger.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::record(bytes));
