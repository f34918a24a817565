//! Ask, audit, grade, and set weights.

fn main() {}
