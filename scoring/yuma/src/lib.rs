//! Compute Yuma Consensus in the chain's own fixed point.
