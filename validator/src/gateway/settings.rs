//! The settings of the gateway, and why it does not start.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use athanor_model::text::TemplateError;
use clap::Args;
use thiserror::Error;

use super::{hedge::HedgeParams, receipts::ReceiptsError};

/// The file of keys, in the data directory.
const KEYS: &str = "gateway-keys.json";

// The ids keep these options apart from others of one name, such as the address of the metrics.
/// Whether, where and how to serve users; off unless an address is given.
#[derive(Clone, Debug, Args)]
pub struct GatewayArgs {
    /// Serve an OpenAI-compatible API at http://ADDR/v1: PORT for this machine alone, or IP:PORT; port 0 takes a free one.
    #[arg(id = "gateway_addr", long = "gateway.addr", alias = "gateway-addr", value_name = "ADDR", value_parser = address)]
    pub addr: Option<SocketAddr>,
    /// The API's keys, as `athanor-validator keys` writes them [default: gateway-keys.json in the data directory].
    #[arg(
        id = "gateway_keys",
        long = "gateway.keys",
        alias = "gateway-keys",
        value_name = "FILE"
    )]
    pub keys: Option<PathBuf>,
    /// Origin whose pages may ask from a browser, such as https://chat.example.org; `*` for all [default: none].
    #[arg(
        id = "gateway_cors",
        long = "gateway.cors",
        alias = "gateway-cors",
        value_name = "ORIGIN"
    )]
    pub cors: Option<String>,
    /// Requests that are answered at once, over all keys.
    #[arg(
        id = "gateway_requests",
        long = "gateway.requests",
        alias = "gateway-requests",
        value_name = "N",
        default_value_t = 256
    )]
    pub requests: usize,
    /// Receipts that are kept; the oldest go first.
    #[arg(
        id = "gateway_receipts",
        long = "gateway.receipts",
        alias = "gateway-receipts",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub receipts: u64,
    /// A second miner is asked when the first token takes longer than this quantile of the latest ones took.
    #[arg(
        id = "gateway_hedge_quantile", long = "gateway.hedge_quantile",
        alias = "gateway-hedge-quantile",
        value_name = "Q",
        default_value_t = 0.95,
        value_parser = quantile
    )]
    pub hedge_quantile: f64,
    /// Second asks per request at most, in the long run; 0 for none.
    #[arg(
        id = "gateway_hedge_share", long = "gateway.hedge_share",
        alias = "gateway-hedge-share",
        value_name = "SHARE",
        default_value_t = 0.05,
        value_parser = share
    )]
    pub hedge_share: f64,
}

/// What a gateway runs on.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The file of keys.
    pub keys: PathBuf,
    /// Origin whose pages may ask from a browser.
    pub cors: Option<String>,
    /// Requests that are answered at once.
    pub requests: usize,
    /// Receipts that are kept.
    pub receipts: u64,
    /// When a second miner is asked.
    pub hedge: HedgeParams,
}

impl GatewayConfig {
    /// The usual settings of a gateway at `address`, for a validator with this data directory.
    pub fn at(address: SocketAddr, data_dir: &Path) -> Self {
        Self {
            address,
            keys: data_dir.join(KEYS),
            cors: None,
            requests: 256,
            receipts: 100_000,
            hedge: HedgeParams {
                quantile: 0.95,
                share: 0.05,
            },
        }
    }
}

impl GatewayArgs {
    /// What was said, for a validator with this data directory; `None` when no gateway is wanted.
    pub fn config(&self, data_dir: &Path) -> Option<GatewayConfig> {
        Some(GatewayConfig {
            address: self.addr?,
            keys: self.keys_file(data_dir),
            cors: self.cors.clone(),
            requests: self.requests.max(1),
            receipts: self.receipts,
            hedge: HedgeParams {
                quantile: self.hedge_quantile,
                share: self.hedge_share,
            },
        })
    }

    fn keys_file(&self, data_dir: &Path) -> PathBuf {
        let usual = || data_dir.join(KEYS);
        self.keys.clone().unwrap_or_else(usual)
    }
}

/// The usual file of keys of a validator with this data directory.
pub(super) fn usual_keys(data_dir: &Path) -> PathBuf {
    data_dir.join(KEYS)
}

/// Why there is no gateway.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The address cannot be listened on.
    #[error(
        "cannot serve the gateway at {address}: {source}; give another --gateway.addr, or port 0 for a free one"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Cause.
        source: io::Error,
    },
    /// The origin is no header.
    #[error("--gateway.cors {origin}: give an origin such as https://chat.example.org, or *")]
    Origin {
        /// What was given.
        origin: String,
    },
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] super::keys::KeysError),
    /// The receipts cannot be kept.
    #[error(transparent)]
    Receipts(#[from] ReceiptsError),
    /// The teacher's chat template cannot be used.
    #[error("the teacher's chat template cannot be used: {0}")]
    Template(#[from] TemplateError),
    /// The thread that computes log-probabilities does not start.
    #[error("cannot start the thread for log-probabilities: {0}")]
    Thread(io::Error),
}

/// `8080` or `0.0.0.0:8080`; whoever wants others to ask says so.
fn address(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<u16>() {
        Ok(port) => Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into()),
        Err(_) => text.parse().map_err(|_| {
            format!("`{text}` is neither a port such as 8080 nor an address such as 0.0.0.0:8080")
        }),
    }
}

fn quantile(text: &str) -> Result<f64, String> {
    between(
        text,
        |value| value > 0.0 && value < 1.0,
        "a number between 0 and 1",
    )
}

fn share(text: &str) -> Result<f64, String> {
    between(
        text,
        |value| (0.0..=1.0).contains(&value),
        "a number from 0 to 1",
    )
}

fn between(text: &str, fits: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| fits(*value));
    value.ok_or_else(|| format!("`{text}` is not {expected}"))
}
