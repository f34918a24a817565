//! Where to be reached.

use std::net::{IpAddr, SocketAddr};

use clap::Args;

/// Where a node listens, at `PORT` unless it is told.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct AxonArgs<const PORT: u16 = 8091> {
    /// Addresses to listen on, TCP and UDP: one, or several of IPv4 and IPv6 with commas, such as 0.0.0.0,::
    #[arg(
        long = "axon.ip",
        alias = "axon-ip",
        env = "BT_AXON_IP",
        value_name = "IP",
        value_delimiter = ',',
        default_value = "0.0.0.0"
    )]
    pub ip: Vec<IpAddr>,
    /// Port to listen on, of TCP and UDP; 0 takes a free one
    #[arg(
        long = "axon.port",
        alias = "axon-port",
        env = "BT_AXON_PORT",
        value_name = "PORT",
        default_value = PORT.to_string()
    )]
    pub port: u16,
}

impl<const PORT: u16> AxonArgs<PORT> {
    /// Where to accept connections.
    pub fn listen(&self) -> Vec<SocketAddr> {
        let at = |ip: &IpAddr| SocketAddr::new(*ip, self.port);
        self.ip.iter().map(at).collect()
    }
}

/// What others are told of where a node is.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExternalArgs {
    /// Address that others reach [default: the one listened on; if that is every one, what relays and bootstrap peers find out]
    #[arg(long = "axon.external_ip", aliases = ["axon.external-ip", "axon-external-ip"], env = "BT_AXON_EXTERNAL_IP", value_name = "IP")]
    pub external_ip: Option<IpAddr>,
    /// Port that others reach, if it is not the one listened on
    #[arg(long = "axon.external_port", aliases = ["axon.external-port", "axon-external-port"], env = "BT_AXON_EXTERNAL_PORT", value_name = "PORT", requires = "external_ip")]
    pub external_port: Option<u16>,
}

impl ExternalArgs {
    /// The address to announce, if one was given; port 0 stands for the one that was taken.
    pub fn address(&self) -> Option<SocketAddr> {
        let port = self.external_port.unwrap_or(0);
        self.external_ip.map(|ip| SocketAddr::new(ip, port))
    }
}
