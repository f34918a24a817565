//! Tests over loopback, short and on free ports.
