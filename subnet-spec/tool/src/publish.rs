//! `publish`: the spec's digest on chain, with the block from which on it holds.

use std::path::PathBuf;

use athanor_chain::{
    Client, CommitError, ConnectError, EpochSchedule, Publication, ReadError, SubmitError,
    WalletError, wallet::KeyKind,
};
use athanor_node::{SubtensorArgs, WalletArgs, wallet::ask_password};
use athanor_spec::{Announcement, BlockNumber, Digest, Hotkey, NetUid};
use clap::Args;
use serde_json::json;
use thiserror::Error;

use crate::{
    file::{self, SpecFileError},
    hyperparameters::{quote_in_words, quoted},
    outcome::Outcome,
};

/// Blocks between the announcement and its activation at least: nodes look every few blocks, and then ask each other for it.
const NOTICE: u32 = 16;

/// Which spec, on which chain, from when on.
#[derive(Args)]
pub(crate) struct PublishArgs {
    /// The spec
    #[arg(default_value = "subnet.toml")]
    file: PathBuf,
    #[command(flatten)]
    subtensor: SubtensorArgs,
    #[command(flatten)]
    wallet: WalletArgs,
    /// Block from which on it holds: in every epoch that begins with it or later [default: the first spec: the next epoch;
    /// another: the epoch after the next]
    #[arg(long, value_name = "BLOCK")]
    at: Option<u32>,
    /// Publish another spec with the version key of the one before: validators that miss the change are not shut out
    #[arg(long = "keep-version-key")]
    keep_version_key: bool,
    /// Only list what would be sent, with its fee; needs no password
    #[arg(long = "dry-run")]
    dry_run: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Why nothing was published.
#[derive(Debug, Error)]
pub(crate) enum PublishError {
    /// The spec cannot be read.
    #[error(transparent)]
    File(#[from] SpecFileError),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The subnet cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The fee cannot be told.
    #[error(transparent)]
    Quote(#[from] SubmitError),
    /// The hotkey cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The chain refused.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The chain keeps no owner's hotkey.
    #[error("the chain names no owner's hotkey for subnet {netuid}: register the subnet first")]
    NoOwner {
        /// The subnet.
        netuid: NetUid,
    },
    /// Another hotkey's announcement counts.
    #[error(
        "the announcement of {publisher} counts on subnet {netuid}, and this is {hotkey}: name the owner's wallet with \
         --wallet.name and --wallet.hotkey"
    )]
    NotPublisher {
        /// The wallet's hotkey.
        hotkey: Hotkey,
        /// The owner's.
        publisher: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The owner's hotkey has no slot.
    #[error(
        "{publisher}, the owner's hotkey, has no slot on subnet {netuid} and cannot commit: register it first"
    )]
    NotRegistered {
        /// The hotkey.
        publisher: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// Validators with the spec could not set weights.
    #[error(
        "`subnet.version_key` is {key}, and the chain refuses weights below {chain}: raise it to at least {chain}"
    )]
    VersionKeyTooLow {
        /// Of the spec.
        key: u64,
        /// Of the chain.
        chain: u64,
    },
    /// Another spec, and the same version key.
    #[error(
        "another spec is published already, and `subnet.version_key` is {key} as on chain: raise it, so that validators with \
         the old spec can be shut out, or say --keep-version-key"
    )]
    SameVersionKey {
        /// Of both.
        key: u64,
    },
    /// The activation would come too soon.
    #[error(
        "block {at} is too soon, the chain is at {now}: nodes need {NOTICE} blocks to learn of it; the earliest is {earliest}"
    )]
    TooSoon {
        /// The block asked for.
        at: BlockNumber,
        /// The chain's.
        now: BlockNumber,
        /// The first that would do.
        earliest: BlockNumber,
    },
    /// The subnet's epochs do not run.
    #[error(
        "the epochs of subnet {netuid} do not run (its tempo is 0): say from which block on the spec holds with --at"
    )]
    NoEpochs {
        /// The subnet.
        netuid: NetUid,
    },
}

/// Publishes the spec.
pub(crate) async fn run(args: &PublishArgs) -> Result<Outcome, PublishError> {
    let spec = file::read(&args.file)?;
    let (netuid, digest) = (spec.subnet.netuid, spec.digest());
    let client = Client::open(args.subtensor.endpoints.clone()).await?;
    let published = client.publication(netuid, None).await?;
    let schedule = client.schedule(netuid, None).await?;
    let wallet = args.wallet.wallet();
    let hotkey = wallet.address(KeyKind::Hotkey)?;
    let publisher = published
        .publisher
        .ok_or(PublishError::NoOwner { netuid })?;
    if publisher != hotkey {
        return Err(PublishError::NotPublisher {
            hotkey,
            publisher,
            netuid,
        });
    }
    if !published.registered {
        return Err(PublishError::NotRegistered { publisher, netuid });
    }
    let before = published.announcement.map(|(announcement, _)| announcement);
    if let Some(done) =
        before.filter(|it| it.spec == digest && args.at.is_none_or(|at| at == it.activation.0))
    {
        return Ok(Outcome::done(told(
            args,
            &done,
            netuid,
            "is published already",
            None,
        )));
    }
    let (key, chain) = (
        spec.subnet.version_key,
        client.hyperparameters(netuid, None).await?.weights_version,
    );
    if key < chain {
        return Err(PublishError::VersionKeyTooLow { key, chain });
    }
    let first = before
        .and_then(|before| before.in_force(published.read_at))
        .is_none_or(|in_force| in_force == digest);
    if !first && key == chain && !args.keep_version_key {
        return Err(PublishError::SameVersionKey { key });
    }
    let activation = activation(args.at, &published, &schedule, first, netuid)?;
    let next = Announcement::followed_by(before.as_ref(), published.read_at, digest, activation);
    let quote = client.quote_announcement(&hotkey, netuid, next).await?;
    if args.dry_run {
        let text = match args.json {
            true => json!({
                "netuid": netuid,
                "announcement": next,
                "extrinsics": [quoted("announcement", &quote)],
                "sent": false,
            })
            .to_string(),
            false => format!(
                "{}\nwould be sent:{}",
                told(args, &next, netuid, "would be published", None),
                quote_in_words("announcement", &quote)
            ),
        };
        return Ok(Outcome::done(text));
    }
    let pair = wallet.pair(KeyKind::Hotkey, ask_password)?;
    let included = client.announce_spec(pair, netuid, next).await?;
    let text = told(args, &next, netuid, "is published", Some(included.block));
    Ok(Outcome::done(text))
}

/// From when on the spec holds.
fn activation(
    at: Option<u32>,
    published: &Publication,
    schedule: &EpochSchedule,
    first: bool,
    netuid: NetUid,
) -> Result<BlockNumber, PublishError> {
    let now = published.read_at;
    // Nobody has to change anything for the first one: what it replaces is nothing.
    let notice = if first { 0 } else { NOTICE };
    let earliest = BlockNumber(now.0.saturating_add(notice));
    match at.map(BlockNumber) {
        Some(at) if at < earliest => Err(PublishError::TooSoon { at, now, earliest }),
        Some(at) => Ok(at),
        None if schedule.tempo == 0 => Err(PublishError::NoEpochs { netuid }),
        None if first => Ok(schedule.next_epoch_block),
        None => {
            let tempo = u32::from(schedule.tempo);
            let mut epoch = schedule.next_epoch_block.0.saturating_add(tempo);
            while epoch < earliest.0 {
                epoch = epoch.saturating_add(tempo);
            }
            Ok(BlockNumber(epoch))
        }
    }
}

/// An announcement, and what became of it.
fn told(
    args: &PublishArgs,
    it: &Announcement,
    netuid: NetUid,
    how: &str,
    block: Option<BlockNumber>,
) -> String {
    if args.json {
        return json!({ "netuid": netuid, "announcement": it, "sent": block.is_some(), "block": block }).to_string();
    }
    let before = match it.before == Digest::default() {
        true => "nothing was published for the epochs before".to_owned(),
        false => format!("{} holds until then", it.before),
    };
    let block = block.map_or_else(String::new, |block| format!(" in block {block}"));
    format!(
        "spec {} of subnet {netuid} {how}{block}: it holds in every epoch that begins in block {} or later; {before}",
        it.spec, it.activation
    )
}

#[cfg(test)]
mod tests {
    use athanor_spec::Epoch;

    use super::*;

    const NETUID: NetUid = NetUid(2);

    /// What [`activation`] gives at block 100 of an epoch of 40 blocks that ends with block 110.
    fn check(at: Option<u32>, tempo: u16, first: bool) -> Result<u32, String> {
        let published = Publication {
            read_at: BlockNumber(100),
            publisher: None,
            registered: true,
            announcement: None,
        };
        let schedule = EpochSchedule {
            tempo,
            epoch: Epoch(3),
            last_epoch_block: BlockNumber(71),
            next_epoch_block: BlockNumber(111),
        };
        activation(at, &published, &schedule, first, NETUID)
            .map(|block| block.0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_spec_holds_from_the_next_epoch_and_another_leaves_a_whole_one() {
        assert_eq!(check(None, 40, true), Ok(111));
        assert_eq!(check(None, 40, false), Ok(151));
        // Short epochs are no reason for short notice.
        assert_eq!(check(None, 2, false), Ok(117));
    }

    #[test]
    fn a_block_that_is_named_leaves_nodes_the_time_to_learn() {
        assert_eq!(check(Some(116), 40, false), Ok(116));
        assert_eq!(check(Some(100), 40, true), Ok(100));
        for (at, first) in [(115, false), (99, true)] {
            let error = check(Some(at), 40, first).unwrap_err();
            assert!(error.contains("too soon"), "{error}");
        }
        assert_eq!(check(Some(500), 0, false), Ok(500));
        assert!(check(None, 0, false).unwrap_err().contains("--at"));
    }
}
