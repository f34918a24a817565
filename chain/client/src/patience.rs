//! How long a client waits for a node.

use std::time::Duration;

/// How long a client waits before it takes a node for absent, and an extrinsic for lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For an answer, reconnection included. Finney answers within a second or two; a node that takes longer than the
    /// default's 30 s is as good as absent to a daemon with an epoch to serve.
    pub answer: Duration,
    /// For the next block. After that the subscription is taken out anew, at another node if there is one: a node may
    /// drop a subscription without telling, or stand still. The default's 60 s are five blocks of Bittensor's.
    pub block: Duration,
    /// For inclusion and finality of an extrinsic. Bittensor finalizes within a minute; the default is three.
    pub inclusion: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            block: Duration::from_secs(60),
            inclusion: Duration::from_secs(180),
        }
    }
}
