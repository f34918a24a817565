//! Check and show a subnet's spec.

fn main() {}
