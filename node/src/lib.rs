//! Run a daemon.
