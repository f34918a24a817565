//! `start`: a subnet's first emission.

use athanor_chain::{Client, ConnectError, OwnerError, WalletError, wallet::KeyKind};
use athanor_node::{SubtensorArgs, WalletArgs, wallet::ask_password};
use athanor_spec::NetUid;
use clap::Args;
use serde_json::json;
use thiserror::Error;

use crate::outcome::Outcome;

/// Whose subnet, on which chain.
#[derive(Args)]
pub(crate) struct StartArgs {
    /// The subnet
    #[arg(long, value_name = "N")]
    netuid: NetUid,
    #[command(flatten)]
    subtensor: SubtensorArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Why a subnet was not started.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The key cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The chain refused.
    #[error(transparent)]
    Owner(#[from] OwnerError),
}

/// Starts a subnet's emission.
pub(crate) async fn run(args: &StartArgs) -> Result<Outcome, StartError> {
    let client = Client::open(args.subtensor.endpoints.clone()).await?;
    let pair = args.wallet.wallet().pair(KeyKind::Coldkey, ask_password)?;
    let included = client.start_call(&pair, args.netuid).await?;
    Ok(Outcome::done(match args.json {
        true => json!({
            "netuid": args.netuid,
            "block": included.block,
            "extrinsic": included.extrinsic,
        })
        .to_string(),
        false => format!(
            "subnet {} emits from block {} on",
            args.netuid,
            included.block.0.saturating_add(1)
        ),
    }))
}
