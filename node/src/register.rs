//! The `register` verb of a daemon: a slot for its hotkey.

use athanor_chain::{Client, ConnectError, ReadError, RegisterError, WalletError, wallet::KeyKind};
use athanor_spec::{Hotkey, Rao};
use clap::Args;
use serde_json::json;
use thiserror::Error;

use crate::{NodeArgs, amount, args::SpecFileError, wallet::ask_password};

/// Which hotkey, where, and for how much.
#[derive(Args, Clone, Debug)]
pub struct RegisterArgs {
    /// Who, where, by which rules
    #[command(flatten)]
    pub node: NodeArgs,
    /// Highest price to pay; without it, whatever the price is
    #[arg(long = "burn.limit", alias = "burn-limit", value_name = "TAO", value_parser = amount::parse)]
    pub burn_limit: Option<Rao>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Why the hotkey was not registered.
#[derive(Debug, Error)]
pub enum RegisterCommandError {
    /// The spec cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    /// A key cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The chain cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The chain refused.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl RegisterArgs {
    /// Registers, and gives the text to print.
    pub async fn run(&self) -> Result<String, RegisterCommandError> {
        let netuid = self.node.subnet.load()?.subnet.netuid;
        let wallet = self.node.wallet.wallet();
        let hotkey = wallet.address(KeyKind::Hotkey)?;
        let chain = Client::open(self.node.subtensor.endpoints.clone()).await?;
        // Whatever would fail is told before anybody types a password.
        let price = match wallet.address(KeyKind::Coldkey) {
            Ok(payer) => {
                chain
                    .quote_registration(&payer, netuid, &hotkey, self.burn_limit)
                    .await?
            }
            // Without its public file, the password alone tells who pays.
            Err(WalletError::Encrypted { .. }) => chain.registration_price(netuid).await?,
            Err(error) => return Err(error.into()),
        };
        eprintln!(
            "registering {hotkey} on subnet {netuid} for {} TAO",
            amount::write(price)
        );
        let coldkey = wallet.pair(KeyKind::Coldkey, ask_password)?;
        let included = chain
            .register_within(&coldkey, netuid, hotkey, self.burn_limit)
            .await?;
        let metagraph = chain.metagraph(netuid).await?;
        let uid = metagraph.by_hotkey(&hotkey).map(|neuron| neuron.uid);
        Ok(match self.json {
            true => json!({
                "hotkey": hotkey,
                "netuid": netuid,
                "uid": uid,
                "block": included.block,
                "extrinsic": included.extrinsic,
                // The price when it was asked for; it moves with every block.
                "quote_rao": price.0,
            })
            .to_string(),
            false => registered(&hotkey, uid, netuid, included.block),
        })
    }
}

fn registered(
    hotkey: &Hotkey,
    uid: Option<athanor_spec::Uid>,
    netuid: athanor_spec::NetUid,
    block: athanor_spec::BlockNumber,
) -> String {
    let slot = uid.map_or_else(String::new, |uid| format!(" as UID {uid}"));
    format!("{hotkey} is registered on subnet {netuid}{slot} since block {block}")
}
