//! Fuzz the decoder of a miner's `tokenizer.json`.
#![no_main]

use std::{panic, sync::Once};

static QUIET: Once = Once::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The decoder catches the panics of the crate that it uses, and libFuzzer's own hook would end the process at each of them. What is
    // not caught still ends it.
    QUIET.call_once(|| panic::set_hook(Box::new(|_| {})));
    athanor_fuzz::tokenizer(bytes)
});
