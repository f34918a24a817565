//! Fuzz the decoder of a calibration of the audit.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::calibration(bytes));
