//! Show the live subnet in a terminal.
