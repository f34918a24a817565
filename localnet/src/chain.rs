//! The local chain: its genesis, and the extrinsics that make the roster part of it.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use athanor_chain::{Client, Wallet, wallet::KeyKind};
use athanor_devnet::{Clock, Config, Genesis, Sealing, SubnetGenesis};
use athanor_spec::{NetUid, Rao, SubnetSpec, Uid};
use futures::future::try_join_all;
use sp_core::Pair as _;

use crate::{
    error::LocalnetError,
    report::{Member, Role},
    roster::{Key, Participant},
    settings::Settings,
};

/// What every operator has before it registers: enough for the burn, the stake and the fees.
const ENDOWMENT_TAO: u64 = 100_000;
/// Pause between two registrations, so that the pool orders them by age and UIDs follow the roster.
const REGISTRATION_PAUSE: Duration = Duration::from_millis(25);

/// How the chain's rules differ from those of a subnet at home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether weights are committed to and shown an epoch later.
    pub commit_reveal: bool,
    /// Whether there are no more slots than those who hold one at the start. All of them are still immune then, so that the
    /// chain replaces whoever earns least.
    pub is_full: bool,
}

/// The devnet's configuration for a roster.
pub fn devnet(
    settings: &Settings,
    spec: &SubnetSpec,
    roster: &[Participant],
    rules: Rules,
) -> Config {
    let owner = Key::derive(settings.seed, "owner", "coldkey");
    let mut endowed: Vec<([u8; 32], u64)> = roster
        .iter()
        .map(|participant| {
            (
                participant.coldkey.pair.public().0,
                Rao::from_tao(ENDOWMENT_TAO).0,
            )
        })
        .collect();
    endowed.push((owner.pair.public().0, Rao::from_tao(ENDOWMENT_TAO).0));
    let mut subnet = SubnetGenesis {
        commit_reveal: rules.commit_reveal,
        tempo: settings.tempo,
        // At most one weight setting per epoch gets through, whatever a validator tries.
        weights_rate_limit: u64::from(settings.tempo / 2),
        burn: Rao::PER_TAO / 10,
        max_burn: Rao::PER_TAO,
        max_allowed_validators: 8,
        weights_version_key: spec.subnet.version_key,
        ..SubnetGenesis::new(spec.subnet.netuid.0, owner.pair.public().0)
    };
    if rules.is_full {
        let holders = roster
            .iter()
            .filter(|participant| participant.is_registered());
        subnet.max_allowed_uids = u16::try_from(holders.count()).unwrap_or(u16::MAX);
    }
    let genesis = Genesis {
        endowed,
        sudo: owner.pair.public().0,
        subnets: vec![subnet],
        stake_threshold: Rao::from_tao(spec.limits.min_validator_stake_tao).0,
        ..Genesis::development(settings.block_interval())
    };
    Config {
        listen: (Ipv4Addr::LOCALHOST, settings.port).into(),
        sealing: Sealing::Interval(settings.block_interval()),
        clock: Clock::Wall,
        ..Config::deterministic(genesis)
    }
}

/// Registers everybody in the order of the roster, stakes the validators, and returns who holds which UID.
pub async fn register(
    client: &Client,
    netuid: NetUid,
    roster: &[Participant],
) -> Result<Vec<Member>, LocalnetError> {
    let roster = || {
        roster
            .iter()
            .filter(|participant| participant.is_registered())
    };
    let registrations = roster()
        .enumerate()
        .map(|(position, participant)| async move {
            tokio::time::sleep(REGISTRATION_PAUSE * position as u32).await;
            client
                .register(
                    &participant.coldkey.pair,
                    netuid,
                    participant.hotkey.account(),
                )
                .await
        });
    try_join_all(registrations).await?;
    let stakes = roster().filter_map(|participant| Some((participant, participant.stake_tao()?)));
    try_join_all(stakes.map(|(participant, stake_tao)| {
        client.add_stake(
            &participant.coldkey.pair,
            participant.hotkey.account(),
            netuid,
            Rao::from_tao(stake_tao),
        )
    }))
    .await?;

    let metagraph = client.metagraph(netuid).await?;
    roster()
        .map(|participant| {
            let hotkey = participant.hotkey.account();
            let uid: Uid = metagraph
                .by_hotkey(&hotkey)
                .ok_or(LocalnetError::NotRegistered { hotkey })?
                .uid;
            let role = match participant.stake_tao() {
                Some(_) => Role::Validator,
                None => Role::Miner,
            };
            Ok(Member {
                uid,
                hotkey,
                role,
                behaviour: participant.behaviour().to_owned(),
            })
        })
        .collect()
}

/// Writes a wallet per participant, so that the usual tools can act for it.
pub fn write_wallets(dir: &Path, roster: &[Participant]) -> Result<(), LocalnetError> {
    for participant in roster {
        let wallet = Wallet {
            path: dir.to_owned(),
            name: participant.name.clone(),
            hotkey: "default".to_owned(),
        };
        for (kind, key) in [
            (KeyKind::Coldkey, &participant.coldkey),
            (KeyKind::Hotkey, &participant.hotkey),
        ] {
            // A data directory that is used again holds the same keys already.
            if !wallet.key_file(kind)?.exists() {
                wallet.import(kind, &key.secret(), None)?;
            }
        }
    }
    Ok(())
}
