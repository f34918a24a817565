//! Fuzz the decoder of records of a teacher.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| athanor_fuzz::shard(bytes));
