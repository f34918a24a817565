//! The workspace keeps its layering and its file rules.
