//! What a hotkey says of itself on chain: where it serves, and what it commits to.

use std::net::{IpAddr, SocketAddr};

use athanor_spec::{Commitment, Hotkey, NetUid};
use scale_value::Value;
use sp_core::sr25519;
use thiserror::Error;

use crate::{Client, Included, SubmitError, commitment, signer::PairSigner, submit::Call};

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
        hotkey: &sr25519::Pair,
        netuid: NetUid,
        address: SocketAddr,
    ) -> Result<Included, ServeError> {
        let signer = PairSigner(hotkey).account();
        self.submit(hotkey, &axon_call(netuid, address))
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

    /// Replaces the hotkey's commitment record.
    pub async fn set_commitment(
        &self,
        hotkey: &sr25519::Pair,
        netuid: NetUid,
        record: &Commitment,
    ) -> Result<Included, CommitError> {
        let signer = PairSigner(hotkey).account();
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

pub(crate) fn axon_call(netuid: NetUid, address: SocketAddr) -> Call {
    let (ip, ip_type) = match address.ip() {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 4),
        IpAddr::V6(ip) => (u128::from(ip), 6),
    };
    let number = |value: u128| Value::u128(value);
    Call {
        pallet: "SubtensorModule",
        name: "serve_axon",
        arguments: vec![
            ("netuid", number(netuid.0.into())),
            ("version", number(AXON_VERSION.into())),
            ("ip", number(ip)),
            ("port", number(address.port().into())),
            ("ip_type", number(ip_type)),
            ("protocol", number(AXON_PROTOCOL.into())),
            ("placeholder1", number(0)),
            ("placeholder2", number(0)),
        ],
    }
}

pub(crate) fn commitment_call(netuid: NetUid, record: &Commitment) -> Call {
    Call {
        pallet: "Commitments",
        name: "set_commitment",
        arguments: vec![
            ("netuid", Value::u128(netuid.0.into())),
            ("info", commitment::info(record)),
        ],
    }
}
