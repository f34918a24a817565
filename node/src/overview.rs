//! The `overview` verb of a daemon: how a wallet's hotkeys stand on the subnet.

use std::cmp::Reverse;

use athanor_chain::{
    Client, ConnectError, Metagraph, Neuron, ReadError, WalletError,
    wallet::{self, KeyKind},
};
use athanor_spec::{Hotkey, Rao};
use clap::Args;
use serde::Serialize;
use thiserror::Error;

use crate::{NodeArgs, amount, args::SpecFileError};

/// Whose hotkeys, and where.
#[derive(Args, Clone, Debug)]
pub struct OverviewArgs {
    /// Who, where, by which rules
    #[command(flatten)]
    pub node: NodeArgs,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Why there is nothing to show.
#[derive(Debug, Error)]
pub enum OverviewError {
    /// The spec cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    /// A key's address cannot be read.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The chain cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The overview cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A wallet on a subnet at one block. Amounts are in rao, shares out of 65535.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// The subnet.
    pub netuid: u16,
    /// The block that all of this was read at.
    pub block: u32,
    /// Epochs that the subnet has run.
    pub epoch: u64,
    /// Blocks until the next one.
    pub blocks_to_epoch: u32,
    /// Neurons of the subnet.
    pub neurons: usize,
    /// What a registration costs now.
    pub price_rao: u64,
    /// Address of the coldkey, if its public file is there.
    pub coldkey: Option<Hotkey>,
    /// What the coldkey holds unstaked.
    pub balance_rao: Option<u64>,
    /// The wallet's hotkeys, by name.
    pub hotkeys: Vec<HotkeyOverview>,
}

/// One hotkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HotkeyOverview {
    /// Name of its file.
    pub name: String,
    /// Its address.
    pub hotkey: Hotkey,
    /// How it stands; `None` if it holds no slot.
    pub neuron: Option<NeuronOverview>,
}

/// A hotkey's slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeuronOverview {
    /// The slot.
    pub uid: u16,
    /// Alpha staked to the hotkey.
    pub stake_rao: u64,
    /// Place by emission among all neurons, from 1.
    pub rank: usize,
    /// Share of the miners' emission.
    pub incentive: u16,
    /// Share of the validators' emission.
    pub dividends: u16,
    /// Consensus of its weight.
    pub consensus: u16,
    /// How far its weights agree with the consensus.
    pub validator_trust: u16,
    /// Emission of the latest epoch.
    pub emission_rao: u64,
    /// Whether it may validate.
    pub validator_permit: bool,
    /// Whether its weights count.
    pub active: bool,
    /// Block of its last weights, or of its registration.
    pub last_update: u32,
    /// Block of its registration.
    pub registered_at: u32,
    /// Where it serves.
    pub axon: Option<std::net::SocketAddr>,
    /// Digest of the checkpoint that it committed to.
    pub checkpoint: Option<athanor_spec::Digest>,
}

impl OverviewArgs {
    /// Looks, and gives the text to print.
    pub async fn run(&self) -> Result<String, OverviewError> {
        let netuid = self.node.subnet.load()?.subnet.netuid;
        let named = self.node.wallet.wallet();
        let listing = wallet::list(&named.path)?
            .into_iter()
            .find(|wallet| wallet.name == named.name);
        let hotkeys = match listing {
            Some(wallet) => wallet.hotkeys,
            None => {
                return Err(WalletError::Missing {
                    path: named.key_file(KeyKind::Coldkey)?,
                }
                .into());
            }
        };
        let coldkey = named.address(KeyKind::Coldkey).ok();
        let chain = Client::open(self.node.subtensor.endpoints.clone()).await?;
        let metagraph = chain.metagraph(netuid).await?;
        let balance = match &coldkey {
            Some(coldkey) => Some(chain.balance(coldkey).await?),
            None => None,
        };
        let overview = Overview {
            netuid: netuid.0,
            block: metagraph.block.0,
            epoch: metagraph.schedule.epoch.0,
            blocks_to_epoch: metagraph
                .schedule
                .next_epoch_block
                .0
                .saturating_sub(metagraph.block.0),
            neurons: metagraph.neurons.len(),
            price_rao: chain.registration_price(netuid).await?.0,
            coldkey,
            balance_rao: balance.map(|balance| balance.0),
            hotkeys: hotkeys
                .into_iter()
                .filter_map(|(name, hotkey)| Some(standing(&metagraph, name, hotkey?)))
                .collect(),
        };
        Ok(match self.json {
            true => serde_json::to_string(&overview)?,
            false => overview.table(),
        })
    }
}

fn standing(metagraph: &Metagraph, name: String, hotkey: Hotkey) -> HotkeyOverview {
    let place = |neuron: &Neuron| {
        let mut by_emission: Vec<_> = metagraph
            .neurons
            .iter()
            .map(|other| (Reverse(other.emission), other.uid))
            .collect();
        by_emission.sort_unstable();
        by_emission
            .iter()
            .take_while(|(_, uid)| *uid != neuron.uid)
            .count()
            + 1
    };
    let neuron = metagraph.by_hotkey(&hotkey).map(|neuron| NeuronOverview {
        uid: neuron.uid.0,
        stake_rao: neuron.stake.0,
        rank: place(neuron),
        incentive: neuron.incentive,
        dividends: neuron.dividends,
        consensus: neuron.consensus,
        validator_trust: neuron.validator_trust,
        emission_rao: neuron.emission.0,
        validator_permit: neuron.validator_permit,
        active: neuron.active,
        last_update: neuron.last_update.0,
        registered_at: neuron.registered_at.0,
        axon: neuron.axon,
        checkpoint: neuron
            .commitment
            .and_then(|(record, _)| record.checkpoint()),
    });
    HotkeyOverview {
        name,
        hotkey,
        neuron,
    }
}

impl Overview {
    /// For people: one line for the wallet, one for the subnet, then a table.
    fn table(&self) -> String {
        let mut text = match (&self.coldkey, self.balance_rao) {
            (Some(coldkey), Some(balance)) => {
                format!(
                    "coldkey {coldkey} holds {} TAO\n",
                    amount::write(Rao(balance))
                )
            }
            _ => String::new(),
        };
        text += &format!(
            "subnet {} at block {}: epoch {}, the next in {}; {}, registration costs {} TAO\n",
            self.netuid,
            self.block,
            self.epoch,
            count(self.blocks_to_epoch, "block"),
            count(self.neurons, "neuron"),
            amount::write(Rao(self.price_rao)),
        );
        text += &format!(
            "{:<16} {:>5} {:>16} {:>5} {:>10} {:>10} {:>14} {:>16}  {:<21} {}\n",
            "HOTKEY",
            "UID",
            "STAKE",
            "RANK",
            "INCENTIVE",
            "DIVIDENDS",
            "EMISSION",
            "LAST UPDATE",
            "AXON",
            "ROLE"
        );
        for hotkey in &self.hotkeys {
            text += &hotkey.row(self.block);
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl HotkeyOverview {
    fn row(&self, block: u32) -> String {
        let Some(neuron) = &self.neuron else {
            return format!("{:<16} not registered ({})", self.name, self.hotkey);
        };
        let role = match (neuron.validator_permit, neuron.active) {
            (true, true) => "validator",
            (true, false) => "validator, inactive",
            (false, _) => "miner",
        };
        format!(
            "{:<16} {:>5} {:>16} {:>5} {:>10.4} {:>10.4} {:>14} {:>16}  {:<21} {role}",
            self.name,
            neuron.uid,
            amount::write(Rao(neuron.stake_rao)),
            neuron.rank,
            f64::from(neuron.incentive) / f64::from(u16::MAX),
            f64::from(neuron.dividends) / f64::from(u16::MAX),
            amount::write(Rao(neuron.emission_rao)),
            format!(
                "{} ago",
                count(block.saturating_sub(neuron.last_update), "block")
            ),
            neuron
                .axon
                .map_or_else(|| "-".to_owned(), |axon| axon.to_string()),
        )
    }
}

/// A number of things, one or many.
fn count(number: impl std::fmt::Display, thing: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview() -> Overview {
        Overview {
            netuid: 1,
            block: 100,
            epoch: 3,
            blocks_to_epoch: 7,
            neurons: 2,
            price_rao: 50_000_000,
            coldkey: Some(Hotkey([1; 32])),
            balance_rao: Some(1_500_000_000),
            hotkeys: vec![
                HotkeyOverview {
                    name: "default".to_owned(),
                    hotkey: Hotkey([2; 32]),
                    neuron: Some(NeuronOverview {
                        uid: 1,
                        stake_rao: 1_000_000_000,
                        rank: 1,
                        incentive: 65535,
                        dividends: 0,
                        consensus: 65535,
                        validator_trust: 0,
                        emission_rao: 2_000_000_000,
                        validator_permit: false,
                        active: true,
                        last_update: 90,
                        registered_at: 5,
                        axon: Some("10.0.0.1:8091".parse().unwrap()),
                        checkpoint: None,
                    }),
                },
                HotkeyOverview {
                    name: "spare".to_owned(),
                    hotkey: Hotkey([3; 32]),
                    neuron: None,
                },
            ],
        }
    }

    #[test]
    fn the_table_names_what_people_look_for() {
        let table = overview().table();
        for part in [
            "1.5",
            "block 100",
            "the next in 7 blocks",
            "10 blocks ago",
            "2 neurons",
            "holds 1.5 TAO",
            "10.0.0.1:8091",
            "miner",
        ] {
            assert!(table.contains(part), "`{part}` is not in\n{table}");
        }
        assert!(
            table.ends_with(&format!("not registered ({})", Hotkey([3; 32]))),
            "{table}"
        );
    }

    #[test]
    fn the_json_has_numbers_in_rao_and_null_for_a_missing_slot() {
        let json: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(&overview()).unwrap()).unwrap();
        assert_eq!(json["hotkeys"][0]["neuron"]["stake_rao"], 1_000_000_000);
        assert_eq!(json["hotkeys"][1]["neuron"], serde_json::Value::Null);
        assert_eq!(json["coldkey"], Hotkey([1; 32]).to_ss58());
    }
}
