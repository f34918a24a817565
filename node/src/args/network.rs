//! How to find peers, and to be found.

use clap::Args;
use multiaddr::{Multiaddr, Protocol};

/// How a node finds others, and is reached where a router stands before it.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkArgs {
    /// Peers to join the network by and to learn the own address from, with commas, as /ip4/IP/tcp/PORT/p2p/ID
    #[arg(long = "net.bootstrap", alias = "net-bootstrap", value_name = "ADDRESS", value_delimiter = ',', value_parser = peer)]
    pub bootstrap: Vec<Multiaddr>,
    /// Relays through which others reach this node behind its router, written alike; the relay's log names its address
    #[arg(long = "net.relays", alias = "net-relays", value_name = "ADDRESS", value_delimiter = ',', value_parser = peer)]
    pub relays: Vec<Multiaddr>,
    /// Be a relay for others, within limits, and tell them whether they can be reached
    #[arg(long = "net.serve_relay", aliases = ["net.serve-relay", "net-serve-relay"])]
    pub serve_relay: bool,
    /// Speak TCP only, and not QUIC over UDP beside it
    #[arg(long = "net.quic_off", aliases = ["net.quic-off", "net-quic-off"])]
    pub quic_off: bool,
    /// Do not ask other peers where one is that is not where the chain says, nor tell them
    #[arg(long = "net.discovery_off", aliases = ["net.discovery-off", "net-discovery-off"])]
    pub discovery_off: bool,
}

/// A peer's address: an IP address and a port, and whom to find there.
fn peer(text: &str) -> Result<Multiaddr, String> {
    let like = "write it as /ip4/203.0.113.7/tcp/8091/p2p/12D3KooW..";
    let address: Multiaddr = text
        .trim()
        .parse()
        .map_err(|error| format!("`{text}` is no address of a peer ({error}): {like}"))?;
    let mut parts = address.iter();
    match parts.next() {
        Some(Protocol::Ip4(_) | Protocol::Ip6(_)) => {}
        _ => {
            return Err(format!(
                "`{text}` does not begin with an IP address: {like}"
            ));
        }
    }
    match parts.any(|part| matches!(part, Protocol::P2p(_))) {
        true => Ok(address),
        false => Err(format!("`{text}` does not say which peer is there: {like}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn a_peer_is_an_ip_address_a_port_and_an_id() {
        for at in ["ip4/192.0.2.1/tcp/1", "ip6/::1/udp/1/quic-v1"] {
            let text = format!("/{at}/p2p/{ID}");
            assert_eq!(peer(&format!(" {text}")).unwrap().to_string(), text);
        }
        for (wrong, why) in [
            ("", "IP address"),
            ("192.0.2.1:8091", "no address of a peer"),
            ("/ip4/192.0.2.1/tcp/1", "which peer"),
            (&format!("/dns4/relay.example/tcp/1/p2p/{ID}"), "IP address"),
        ] {
            let error = peer(wrong).unwrap_err();
            assert!(error.contains(why) && error.contains("8091"), "{error}");
        }
    }
}
