//! Teach a small model to imitate a large one.

fn main() {}
