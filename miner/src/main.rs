//! Serve a student and keep distilling it.

fn main() {}
