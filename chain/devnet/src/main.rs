//! Run a one-process chain with the subnet's rules.

fn main() {}
