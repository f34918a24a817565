//! `check`: is this a spec, and does it go with the chain?

use std::path::PathBuf;

use athanor_chain::{Client, ConnectError, Endpoint, Publication, ReadError};
use athanor_spec::{
    Digest, SubnetSpec,
    announcement::{Agreement, agreement},
};
use clap::Args;
use serde_json::json;
use thiserror::Error;

use crate::{
    file::{self, SpecFileError},
    hyperparameters::{Subnet, findings, table},
    outcome::Outcome,
};

/// Which spec, and which chain.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The spec
    #[arg(default_value = "subnet.toml")]
    file: PathBuf,
    /// Also hold it against a chain: local, finney, test, archive, or an address (ws:// or wss://)
    #[arg(
        long = "subtensor.network",
        aliases = ["subtensor-network", "subtensor.chain_endpoint", "subtensor.chain-endpoint"],
        value_name = "NETWORK"
    )]
    network: Option<Endpoint>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Why it was not checked.
#[derive(Debug, Error)]
pub(crate) enum CheckError {
    /// It is no spec.
    #[error(transparent)]
    File(#[from] SpecFileError),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The subnet cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Checks a spec; status 1 if it does not go with the chain.
pub(crate) async fn run(args: &CheckArgs) -> Result<Outcome, CheckError> {
    let spec = file::read(&args.file)?;
    let digest = spec.digest();
    let valid = format!("{} is valid, digest {digest}", args.file.display());
    let Some(network) = &args.network else {
        return Ok(Outcome::done(match args.json {
            true => json!({ "file": args.file, "digest": digest }).to_string(),
            false => valid,
        }));
    };
    let client = Client::connect(network.url()).await?;
    let netuid = spec.subnet.netuid;
    let published = client.publication(netuid, None).await?;
    let schedule = client.schedule(netuid, None).await?;
    let found = findings(&spec, &Subnet::read(&client, netuid).await?);
    let (standing, agrees) = standing(&spec, &published, schedule.last_epoch_block);
    let well = agrees && found.iter().all(|finding| finding.fits);
    let text = match args.json {
        true => json!({
            "file": args.file,
            "digest": digest,
            "published": published.announcement.map(|(it, block)| json!({ "announcement": it, "block": block })),
            "agrees": agrees,
            "hyperparameters": found,
        })
        .to_string(),
        false => format!("{valid}\n{standing}{}", table(&found)),
    };
    Ok(Outcome::judged(text, well))
}

/// How the spec stands to what is published, and whether a node may run it.
fn standing(
    spec: &SubnetSpec,
    published: &Publication,
    first_block: athanor_spec::BlockNumber,
) -> (String, bool) {
    let own = spec.digest();
    let announced = published.announcement.map(|(announcement, _)| announcement);
    let coming = announced.and_then(|it| it.coming(first_block));
    let is_next = coming.filter(|(digest, _)| *digest == own);
    let to_come =
        |(digest, block): (Digest, _)| format!("; spec {digest} is announced for block {block}");
    match (agreement(&own, announced.as_ref(), first_block), is_next) {
        (_, Some((_, block))) => (
            format!("it is announced, and holds from block {block} on"),
            true,
        ),
        (Agreement::Unpublished, None) => (
            format!(
                "the owner has published no spec{}",
                coming.map_or_else(String::new, to_come)
            ),
            coming.is_none(),
        ),
        (Agreement::Same, None) => (
            format!(
                "it is the spec in force{}",
                coming.map_or_else(String::new, to_come)
            ),
            true,
        ),
        (Agreement::Other { in_force, .. }, None) => (
            format!(
                "spec {in_force} is in force, and not this one: nodes with this one do not start"
            ),
            false,
        ),
    }
}
