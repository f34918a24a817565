//! Compile the subnet's chain rules as a FRAME runtime.
