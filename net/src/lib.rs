//! Carry asks to miners and answers back.
