//! Whether, and where, to serve metrics.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Args;

/// Metrics for Prometheus; off unless an address is given.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsArgs {
    /// Serve Prometheus metrics at http://ADDR/metrics and health at /healthz and /readyz: PORT for this machine alone, or IP:PORT; port 0 takes a free one
    #[arg(
        long = "metrics.addr",
        aliases = ["metrics-addr", "metrics.address", "metrics-address"],
        env = "ATHANOR_METRICS_ADDR",
        value_name = "ADDR",
        value_parser = |text: &str| port_or_address(text, 9615)
    )]
    pub addr: Option<SocketAddr>,
}

/// `9615` or `0.0.0.0:9615`, where 9615 is the `usual` port; whoever wants others to read says so.
pub(super) fn port_or_address(text: &str, usual: u16) -> Result<SocketAddr, String> {
    match text.parse::<u16>() {
        Ok(port) => Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into()),
        Err(_) => text.parse().map_err(|_| {
            format!(
                "`{text}` is neither a port such as {usual} nor an address such as 0.0.0.0:{usual}"
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_this_machine_s() {
        let address = |text| port_or_address(text, 9615);
        assert_eq!(address("9615").unwrap().to_string(), "127.0.0.1:9615");
        assert_eq!(address("0.0.0.0:1").unwrap().to_string(), "0.0.0.0:1");
        assert_eq!(address("[::1]:0").unwrap().to_string(), "[::1]:0");
        for wrong in ["", "localhost", "70000", "10.0.0.1"] {
            let error = address(wrong).unwrap_err();
            assert!(error.contains("9615"), "{error}");
        }
    }
}
