//! Whose pulses are taken, and what they open.
