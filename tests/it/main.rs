//! Whole-subnet tests.
