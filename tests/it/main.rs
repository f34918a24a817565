//! Whole-subnet tests.

mod chain;
