//! `register`: a new subnet.

use athanor_chain::{Client, ConnectError, OwnerError, ReadError, WalletError, wallet::KeyKind};
use athanor_node::{SubtensorArgs, WalletArgs, wallet::ask_password};
use athanor_spec::Rao;
use clap::Args;
use serde_json::json;
use thiserror::Error;

use crate::outcome::Outcome;

/// Whose subnet, on which chain.
#[derive(Args)]
pub(crate) struct RegisterArgs {
    #[command(flatten)]
    subtensor: SubtensorArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Why there is no new subnet.
#[derive(Debug, Error)]
pub(crate) enum RegisterError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A key cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The chain refused.
    #[error(transparent)]
    Owner(#[from] OwnerError),
}

/// Registers a subnet.
pub(crate) async fn run(args: &RegisterArgs) -> Result<Outcome, RegisterError> {
    let client = Client::open(args.subtensor.endpoints.clone()).await?;
    let wallet = args.wallet.wallet();
    let hotkey = wallet.address(KeyKind::Hotkey)?;
    let coldkey = wallet.address(KeyKind::Coldkey)?;
    let before = client.balance(&coldkey).await?;
    let pair = wallet.pair(KeyKind::Coldkey, ask_password)?;
    let included = client.register_network(&pair, hotkey).await?;
    let netuid = client.registered_subnet(included.block, &hotkey).await?;
    let paid = Rao(before.0.saturating_sub(client.balance(&coldkey).await?.0));
    Ok(Outcome::done(match (args.json, netuid) {
        (true, netuid) => json!({
            "netuid": netuid,
            "block": included.block,
            "extrinsic": included.extrinsic,
            "paid_rao": paid,
        })
        .to_string(),
        (false, Some(netuid)) => format!(
            "registered subnet {netuid} in block {} for {paid} TAO: `athanor-subnet new subnet.toml --set \
             subnet.netuid={netuid}` writes its spec",
            included.block
        ),
        (false, None) => format!(
            "registered a subnet in block {} for {paid} TAO",
            included.block
        ),
    }))
}
