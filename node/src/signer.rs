//! `signer`: keeps a hotkey on a machine of its own, and signs for a daemon elsewhere what the daemon needs.
//!
//! It speaks HTTP with a bearer token, and signs by rules ([`policy`]): our own messages to peers, and the extrinsics by which
//! a hotkey serves. Stake and coins cannot be moved through it, whoever has the token. HTTP is not encrypted, so a signer
//! on another machine belongs behind a tunnel (WireGuard, `ssh -L`) or a proxy that speaks TLS.

pub mod policy;

mod service;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use athanor_chain::{Client, ConnectError, SignError, Signer, WalletError, signer::RemoteSigner};
use clap::Args;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub use crate::token::TokenError;
use crate::{SubnetArgs, SubtensorArgs, WalletArgs, args::SpecFileError, token};
pub use service::{ServiceError, SigningService};

/// The port of a signer, unless another is said.
const PORT: u16 = 9616;

/// Settings of `signer`.
#[derive(Args, Clone, Debug)]
pub struct SignerArgs {
    /// Which key
    #[command(flatten)]
    pub wallet: WalletArgs,
    /// Which chain: only extrinsics for it are signed
    #[command(flatten)]
    pub subtensor: SubtensorArgs,
    /// Which subnet: only messages and extrinsics for it are signed
    #[command(flatten)]
    pub subnet: SubnetArgs,
    /// Address to listen on; anything but this machine's own needs a tunnel or a proxy that encrypts
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT))]
    pub listen: SocketAddr,
    /// File with the token that the daemon has to show; made if it is not there
    #[arg(
        long = "token.file",
        alias = "token-file",
        value_name = "FILE",
        default_value = "signer.token"
    )]
    pub token_file: PathBuf,
}

/// Where a daemon's hotkey signs, if not in its own process.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteArgs {
    /// Let a signer elsewhere make the hotkey's signatures (`signer`), so that no key need lie on this machine
    #[arg(
        long = "wallet.signer",
        alias = "wallet-signer",
        value_name = "URL",
        requires = "signer_token"
    )]
    pub signer: Option<String>,
    /// File with the token that the signer was started with
    #[arg(
        id = "signer_token",
        long = "wallet.signer_token",
        aliases = ["wallet.signer-token", "wallet-signer-token"],
        value_name = "FILE",
        requires = "signer"
    )]
    pub token: Option<PathBuf>,
}

/// Why nothing signs.
#[derive(Debug, Error)]
pub enum SignerError {
    /// The hotkey cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The subnet's spec cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    /// The chain cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It cannot listen.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The signer elsewhere does not do.
    #[error(transparent)]
    Remote(#[from] SignError),
}

impl SignerArgs {
    /// Signs until told to stop.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), SignerError> {
        let spec = self.subnet.load()?;
        let key = self.wallet.wallet().hotkey()?;
        let token = token::read_or_make(&self.token_file)?;
        let chain = Client::open(self.subtensor.endpoints.clone()).await?;
        let context = chain.signing_context(spec.subnet.netuid);
        let service = SigningService::start(self.listen, key.into(), context, chain, token).await?;
        if !service.address().ip().is_loopback() {
            tracing::warn!(
                "the token and what is signed travel unencrypted: put a tunnel or a proxy that speaks TLS in front"
            );
        }
        stop.cancelled().await;
        service.tally();
        Ok(())
    }
}

impl RemoteArgs {
    /// What signs for the hotkey: the signer elsewhere, if one was named, or else the wallet's own key.
    pub async fn signer(&self, wallet: &WalletArgs) -> Result<Signer, SignerError> {
        match (&self.signer, &self.token) {
            (Some(url), Some(token)) => {
                let token = token::read(token)?;
                Ok(Signer::Remote(RemoteSigner::connect(url, &token).await?))
            }
            _ => Ok(Signer::Local(wallet.wallet().hotkey()?)),
        }
    }
}

#[cfg(test)]
mod tests;
