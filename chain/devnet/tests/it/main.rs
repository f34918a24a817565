//! The program as its users run it: its command line, its death and its return, its work over a long time.

// Clippy's exemption for tests stops at the functions that tests share.
#![allow(clippy::unwrap_used)]

mod child;
mod command_line;
mod crash;
mod load;
mod soak;
