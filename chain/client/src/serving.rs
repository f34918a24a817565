//! What a hotkey says of itself on chain: where it serves, and what it commits to.

use std::net::{IpAddr, SocketAddr};

use athanor_spec::{Commitment, Hotkey, NetUid, commitment::Record};
use scale_value::Value;
use thiserror::Error;

use crate::{
    Client, Included, Signer, SubmitError,
    calls::{self, number, subnet},
    commitment,
    submit::Call,
};

/// Axon protocol version that we announce; clients of other subnets read it, ours do not.
const AXON_VERSION: u32 = 1;
/// Transport as Bittensor numbers it: TCP.
const AXON_PROTOCOL: u8 = 4;

/// Why an address was not announced.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The hotkey holds no slot.
    #[error("{hotkey} is not registered on subnet {netuid}: register it first")]
    NotRegistered {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The last announcement is too recent.
    #[error(
        "{hotkey} announced an address on subnet {netuid} too recently: the chain allows one per serving_rate_limit blocks"
    )]
    TooFast {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The chain does not take the address.
    #[error(
        "the chain does not take {address} as an axon: give the public address that validators reach"
    )]
    BadAddress {
        /// The address.
        address: SocketAddr,
    },
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Why a commitment was not stored.
#[derive(Debug, Error)]
pub enum CommitError {
    /// The hotkey holds no slot.
    #[error("{hotkey} may not commit on subnet {netuid}: register it first")]
    NotRegistered {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The space of this epoch is used up.
    #[error(
        "{hotkey} has used up its space for commitments on subnet {netuid}: wait for the next epoch"
    )]
    NoSpace {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// Anything that does not depend on the call.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Client {
    /// Announces where the hotkey serves.
    pub async fn serve_axon(
        &self,
        hotkey: impl Into<Signer>,
        netuid: NetUid,
        address: SocketAddr,
    ) -> Result<Included, ServeError> {
        self.announce(hotkey, netuid, address, &axon_call(netuid, address))
            .await
    }

    /// Announces where the hotkey's metrics are served.
    pub async fn serve_prometheus(
        &self,
        hotkey: impl Into<Signer>,
        netuid: NetUid,
        address: SocketAddr,
    ) -> Result<Included, ServeError> {
        self.announce(hotkey, netuid, address, &prometheus_call(netuid, address))
            .await
    }

    async fn announce(
        &self,
        hotkey: impl Into<Signer>,
        netuid: NetUid,
        address: SocketAddr,
        call: &Call,
    ) -> Result<Included, ServeError> {
        let hotkey = hotkey.into();
        let signer = hotkey.hotkey();
        self.submit(&hotkey, call)
            .await
            .map_err(|error| match error.refusal() {
                Some("HotKeyNotRegisteredInNetwork" | "HotKeyNotRegisteredInSubNet") => {
                    ServeError::NotRegistered {
                        hotkey: signer,
                        netuid,
                    }
                }
                Some("ServingRateLimitExceeded") => ServeError::TooFast {
                    hotkey: signer,
                    netuid,
                },
                Some("InvalidIpAddress" | "InvalidIpType" | "InvalidPort") => {
                    ServeError::BadAddress { address }
                }
                _ => error.into(),
            })
    }

    /// Replaces the hotkey's commitment. What it says of the spec as the hotkey of the subnet's owner stays.
    pub async fn set_commitment(
        &self,
        hotkey: impl Into<Signer>,
        netuid: NetUid,
        record: &Commitment,
    ) -> Result<Included, CommitError> {
        let hotkey = hotkey.into();
        let kept = self.record(netuid, &hotkey.hotkey()).await;
        let kept = kept.map_err(SubmitError::from)?.unwrap_or_default();
        let record = Record {
            commitment: *record,
            ..kept
        };
        self.commit(hotkey, netuid, &record).await
    }

    /// Replaces everything that the hotkey commits to.
    pub(crate) async fn commit(
        &self,
        hotkey: Signer,
        netuid: NetUid,
        record: &Record,
    ) -> Result<Included, CommitError> {
        let signer = hotkey.hotkey();
        self.submit(hotkey, &commitment_call(netuid, record))
            .await
            .map_err(|error| match error.refusal() {
                Some("AccountNotAllowedCommit") => CommitError::NotRegistered {
                    hotkey: signer,
                    netuid,
                },
                Some("SpaceLimitExceeded") => CommitError::NoSpace {
                    hotkey: signer,
                    netuid,
                },
                _ => error.into(),
            })
    }
}

/// An IP address as the chain spells it, with its kind.
fn ip(address: IpAddr) -> (Value, Value) {
    match address {
        IpAddr::V4(ip) => (number(u32::from(ip)), number(4u8)),
        IpAddr::V6(ip) => (number(u128::from(ip)), number(6u8)),
    }
}

pub(crate) fn axon_call(netuid: NetUid, address: SocketAddr) -> Call {
    let (ip, ip_type) = ip(address.ip());
    calls::SERVE_AXON.with([
        subnet(netuid),
        number(AXON_VERSION),
        ip,
        number(address.port()),
        ip_type,
        number(AXON_PROTOCOL),
        number(0u8),
        number(0u8),
    ])
}

pub(crate) fn prometheus_call(netuid: NetUid, address: SocketAddr) -> Call {
    let (ip, ip_type) = ip(address.ip());
    calls::SERVE_PROMETHEUS.with([
        subnet(netuid),
        number(AXON_VERSION),
        ip,
        number(address.port()),
        ip_type,
    ])
}

pub(crate) fn commitment_call(netuid: NetUid, record: &Record) -> Call {
    calls::SET_COMMITMENT.with([subnet(netuid), commitment::info(record)])
}
