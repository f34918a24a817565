//! Read the metagraph and submit weights.
