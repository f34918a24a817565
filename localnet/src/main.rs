//! Run a whole subnet, honest and dishonest, in one process.

fn main() {}
