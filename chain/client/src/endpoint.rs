//! Where a chain is reached: WebSocket addresses, or the names of networks.

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

    /// Host and port alone: what may be shown to others, without a user's name, a password or a key in the path.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host)
    }
}

/// The nodes of one chain, in the order in which they are tried; at least one.
///
/// Written as a list with commas: `wss://first.example:443,finney`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    /// The nodes, best first.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter()
    }

    /// All of these, then all of `more`; none twice.
    pub fn and(mut self, more: Self) -> Self {
        for endpoint in more.0 {
            if !self.0.contains(&endpoint) {
                self.0.push(endpoint);
            }
        }
        self
    }

    pub(crate) fn list(&self) -> &[Endpoint] {
        &self.0
    }
}

impl From<Endpoint> for Endpoints {
    fn from(endpoint: Endpoint) -> Self {
        Self(vec![endpoint])
    }
}

impl FromStr for Endpoints {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut endpoints = text
            .split(',')
            .map(|part| part.trim().parse().map(|endpoint| Self(vec![endpoint])));
        // A text without commas is one part, so there is a first one.
        let first = endpoints.next().unwrap_or_else(|| {
            Err(ParseEndpointError {
                text: text.to_owned(),
            })
        })?;
        endpoints.try_fold(first, |all, more| Ok(all.and(more?)))
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, endpoint) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            endpoint.fmt(f)?;
        }
        Ok(())
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
    fn a_host_is_shown_without_what_is_secret() {
        for (url, host) in [
            ("ws://127.0.0.1:9944", "127.0.0.1:9944"),
            ("wss://node.example/KEY", "node.example"),
            (
                "wss://me:secret@node.example:443/v1?key=1",
                "node.example:443",
            ),
            ("ws://[::1]:9944", "[::1]:9944"),
        ] {
            assert_eq!(url.parse::<Endpoint>().unwrap().host(), host);
        }
    }

    #[test]
    fn networks_have_names_and_addresses_are_kept() {
        let local: Endpoint = "local".parse().unwrap();
        assert_eq!(local.url(), "ws://127.0.0.1:9944");
        let own: Endpoint = "ws://10.0.0.1:9945".parse().unwrap();
        assert_eq!(own.url(), "ws://10.0.0.1:9945");
    }

    #[test]
    fn a_list_keeps_its_order_and_drops_what_it_has_already() {
        let list: Endpoints = "ws://b:1, local ,ws://b:1,finney".parse().unwrap();
        let urls: Vec<&str> = list.iter().map(Endpoint::url).collect();
        assert_eq!(
            urls,
            [
                "ws://b:1",
                "ws://127.0.0.1:9944",
                "wss://entrypoint-finney.opentensor.ai:443"
            ]
        );
        assert_eq!(list.to_string().parse::<Endpoints>().unwrap(), list);
        for text in ["local,", ",", "local,finny"] {
            let error = text.parse::<Endpoints>().unwrap_err().to_string();
            assert!(error.contains("local, finney, test, archive"), "{error}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_would_do() {
        for text in ["", "finny", "http://127.0.0.1:9944", "ws://"] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains("local, finney, test, archive"), "{error}");
        }
    }
}
