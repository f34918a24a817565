//! Where a chain is reached: a WebSocket address, or the name of a network.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The networks that have a name, with their public nodes.
const NETWORKS: [(&str, &str); 4] = [
    ("local", "ws://127.0.0.1:9944"),
    ("finney", "wss://entrypoint-finney.opentensor.ai:443"),
    ("test", "wss://test.finney.opentensor.ai:443"),
    ("archive", "wss://archive.chain.opentensor.ai:443"),
];

/// A node's WebSocket address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

/// The text is neither a network nor a WebSocket address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{text}` is neither a network (local, finney, test, archive) nor an address that starts with ws:// or wss://"
)]
pub struct ParseEndpointError {
    /// What was given.
    pub text: String,
}

impl Endpoint {
    /// The address, starting with `ws://` or `wss://`.
    pub fn url(&self) -> &str {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((_, url)) = NETWORKS.iter().find(|(name, _)| *name == text) {
            return Ok(Self((*url).to_owned()));
        }
        let host = text
            .strip_prefix("ws://")
            .or_else(|| text.strip_prefix("wss://"));
        match host {
            Some(host) if !host.is_empty() => Ok(Self(text.to_owned())),
            _ => Err(ParseEndpointError {
                text: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_names_and_addresses_are_kept() {
        let local: Endpoint = "local".parse().unwrap();
        assert_eq!(local.url(), "ws://127.0.0.1:9944");
        let own: Endpoint = "ws://10.0.0.1:9945".parse().unwrap();
        assert_eq!(own.url(), "ws://10.0.0.1:9945");
    }

    #[test]
    fn anything_else_is_refused_with_what_would_do() {
        for text in ["", "finny", "http://127.0.0.1:9944", "ws://"] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains("local, finney, test, archive"), "{error}");
        }
    }
}
