//! Make things go wrong on purpose, for those who test a client.
//!
//! Nothing here acts by itself: a fault is asked for, by a `dev_*` method that exists only if the devnet was started
//! with faults allowed.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use jsonrpsee::types::ErrorObjectOwned;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The faults that are in force.
#[derive(Default)]
pub(crate) struct Faults {
    /// Blocks that a submitted extrinsic is held back.
    inclusion_delay: AtomicU32,
    /// Methods that answer with an error, and how many times more.
    refusals: Mutex<HashMap<String, Refusal>>,
    connections: Mutex<Connections>,
}

/// An error that a method answers with instead of what it would.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) error: ErrorObjectOwned,
    /// How many calls get it.
    pub(crate) left: u32,
}

#[derive(Default)]
struct Connections {
    /// Cancelled when the connections of its time are cut.
    present: CancellationToken,
    /// Until when new ones are cut at once.
    closed_until: Option<Instant>,
}

impl Faults {
    /// Blocks that an extrinsic submitted now is held back.
    pub(crate) fn inclusion_delay(&self) -> u32 {
        self.inclusion_delay.load(Ordering::Relaxed)
    }

    /// Holds back every extrinsic that is submitted from now on.
    pub(crate) fn delay_inclusion(&self, blocks: u32) {
        self.inclusion_delay.store(blocks, Ordering::Relaxed);
    }

    /// Makes a method answer with an error; a refusal of no calls takes an earlier one back.
    pub(crate) fn refuse(&self, method: String, refusal: Refusal) {
        let mut refusals = self.refusals.lock();
        if refusal.left == 0 {
            refusals.remove(&method);
        } else {
            refusals.insert(method, refusal);
        }
    }

    /// The error that this call of a method gets, if it gets one. The method goes by any of its names.
    pub(crate) fn refused(&self, names: &[&str]) -> Option<ErrorObjectOwned> {
        let mut refusals = self.refusals.lock();
        let name = names.iter().find(|name| refusals.contains_key(**name))?;
        let refusal = refusals.get_mut(*name)?;
        refusal.left -= 1;
        let error = refusal.error.clone();
        if refusal.left == 0 {
            refusals.remove(*name);
        }
        Some(error)
    }

    /// Methods that are refused, and how many times more.
    pub(crate) fn refusals(&self) -> Vec<(String, u32)> {
        let refusals = self.refusals.lock();
        let mut all: Vec<_> = refusals
            .iter()
            .map(|(method, refusal)| (method.clone(), refusal.left))
            .collect();
        all.sort_unstable();
        all
    }

    /// Cuts every connection, and those that are made within `closed`.
    pub(crate) fn cut_connections(&self, closed: Duration) {
        let mut connections = self.connections.lock();
        connections.closed_until = Instant::now().checked_add(closed);
        std::mem::take(&mut connections.present).cancel();
    }

    /// What cuts a connection that is made now; `None` if it is cut at once.
    pub(crate) fn connect(&self) -> Option<CancellationToken> {
        let connections = self.connections.lock();
        match connections.closed_until {
            Some(until) if Instant::now() < until => None,
            _ => Some(connections.present.clone()),
        }
    }

    /// Takes every fault back.
    pub(crate) fn clear(&self) {
        self.delay_inclusion(0);
        self.refusals.lock().clear();
        self.connections.lock().closed_until = None;
    }
}
