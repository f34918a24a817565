//! `explain`: why a miner is paid what it is, with numbers and evidence.

use std::{fmt::Write as _, str::FromStr};

use athanor_chain::Client;
use athanor_node::{NodeArgs, control::ControlError};
use athanor_scoring::ledger::{Estimate, Measured};
use athanor_spec::{BlockNumber, Hotkey, SubnetSpec, Uid};
use clap::Args;
use serde::Serialize;

use super::{
    CliError,
    data::{DataArgs, LEDGER},
    ledger,
};
use crate::{
    archive::Archive,
    control,
    explain::{Finding, Held, OnChain, RoundView, findings},
};

/// Settings of `explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The miner: its UID, or its hotkey's address.
    #[arg(value_name = "UID|HOTKEY")]
    pub miner: Miner,
    /// Who, where, by which rules.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Where the validator's data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// A miner as people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miner {
    /// By its slot.
    Uid(Uid),
    /// By its key.
    Hotkey(Hotkey),
}

impl FromStr for Miner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(uid) = text.parse() {
            return Ok(Self::Uid(Uid(uid)));
        }
        let hotkey = text.parse().map(Self::Hotkey);
        hotkey.map_err(|_| format!("`{text}` is neither a UID nor an address"))
    }
}

/// Everything that is known.
#[derive(Serialize)]
struct Explanation {
    /// Whom it is about.
    hotkey: Hotkey,
    /// Why, the most decisive first.
    findings: Vec<Finding>,
    /// What the chain says; absent if it cannot be read.
    chain: Option<OnChain>,
    /// Why it cannot be read.
    chain_error: Option<String>,
    /// What this validator holds of it; absent if it holds nothing.
    held: Option<Held>,
    /// Whether that was told by the running validator; otherwise it was read from its files.
    running: bool,
}

pub(super) async fn run(args: &ExplainArgs) -> Result<String, CliError> {
    let spec = args.node.subnet.load()?;
    let dir = args.data.dir(&args.node.wallet, &spec)?;
    let wallet = args.node.wallet.wallet();
    let own = wallet.address(athanor_chain::wallet::KeyKind::Hotkey)?;
    let (chain, chain_error) = match read(args, &spec, &own).await {
        Ok(read) => (Some(read), None),
        // A miner that is no longer there is a mistake, not a chain that is away.
        Err(error @ CliError::NoSuchUid { .. }) => return Err(error),
        Err(error) => (None, Some(athanor_cli::line(&error))),
    };
    let hotkey = match (&chain, args.miner) {
        (Some((hotkey, _)), _) => *hotkey,
        (None, Miner::Hotkey(hotkey)) => hotkey,
        (None, Miner::Uid(uid)) => {
            let error = chain_error.unwrap_or_default();
            return Err(CliError::WhoIs { uid, error });
        }
    };
    let chain = chain.map(|(_, chain)| chain);
    let registered_at = chain
        .as_ref()
        .and_then(|chain| Some(chain.slot.as_ref()?.registered_at));
    let (held, running) = match control::explain(&dir, hotkey, registered_at).await {
        Ok(held) => (held, true),
        Err(ControlError::NotRunning { .. }) => {
            (from_files(&dir, &spec, hotkey, registered_at)?, false)
        }
        Err(error) => return Err(error.into()),
    };
    let explanation = Explanation {
        hotkey,
        findings: findings(chain.as_ref(), held.as_ref(), &spec),
        chain,
        chain_error,
        held,
        running,
    };
    Ok(match args.json {
        true => serde_json::to_string(&explanation)?,
        false => explanation.text(),
    })
}

async fn read(
    args: &ExplainArgs,
    spec: &SubnetSpec,
    own: &Hotkey,
) -> Result<(Hotkey, OnChain), CliError> {
    let netuid = spec.subnet.netuid;
    let chain = Client::open(args.node.subtensor.endpoints.clone())
        .await
        .map_err(crate::config::StartError::Connect)?;
    let start = crate::config::StartError::Read;
    let metagraph = chain.metagraph(netuid).await.map_err(start)?;
    let weights = chain.weights(netuid).await.map_err(start)?;
    let hotkey = match args.miner {
        Miner::Hotkey(hotkey) => hotkey,
        Miner::Uid(uid) => match metagraph.by_uid(uid) {
            Some(neuron) => neuron.hotkey,
            None => return Err(CliError::NoSuchUid { uid, netuid }),
        },
    };
    let on_chain = OnChain::of(&metagraph, &weights, &hotkey, own);
    Ok((hotkey, on_chain))
}

/// What a stopped validator's files hold. Nothing, if it never ran here.
fn from_files(
    dir: &std::path::Path,
    spec: &SubnetSpec,
    hotkey: Hotkey,
    registered_at: Option<BlockNumber>,
) -> Result<Option<Held>, CliError> {
    if !dir.join(LEDGER).exists() {
        return Ok(None);
    }
    let book = ledger::open(dir)?;
    let archive = Archive::open(dir.join("transcripts"))?;
    let held = control::held(&book, &archive, spec, hotkey, registered_at)?;
    Ok(held)
}

impl Explanation {
    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.describe(&mut text);
        text.truncate(text.trim_end().len());
        text
    }

    fn describe(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "miner       {}", self.hotkey)?;
        if let Some(error) = &self.chain_error {
            writeln!(text, "chain       cannot be read: {error}")?;
        }
        if let Some(chain) = &self.chain {
            describe_chain(text, chain)?;
        }
        for finding in &self.findings {
            writeln!(text, "because     {}: {}", finding.name, finding.reason)?;
            if !finding.remedy.is_empty() {
                writeln!(text, "            -> {}", finding.remedy)?;
            }
        }
        let Some(held) = &self.held else {
            return Ok(());
        };
        let source = match self.running {
            true => "the running validator",
            false => "the ledger of a validator that does not run",
        };
        writeln!(text, "source      {source}, {} closed rounds", held.rounds)?;
        if let Some(weight) = &held.weight {
            let given = weight
                .weight
                .map_or("not asked".to_owned(), |it| format!("weight {it} of 65535"));
            writeln!(
                text,
                "weight      in round {}: {given}; {} miners were paid",
                weight.round, weight.paid
            )?;
        }
        if let Some(measured) = &held.measured {
            describe_measured(text, measured)?;
        }
        for line in &held.together {
            writeln!(text, "together    {line}; no pay depends on it")?;
        }
        for (name, view) in [("last round", &held.last), ("open round", &held.open)] {
            if let Some(view) = view {
                describe_round(text, name, view)?;
            }
        }
        Ok(())
    }
}

fn describe_chain(text: &mut String, chain: &OnChain) -> std::fmt::Result {
    let Some(slot) = &chain.slot else {
        return writeln!(text, "chain       not registered in block {}", chain.block);
    };
    writeln!(
        text,
        "chain       UID {} since block {}: incentive {:.4}, consensus {:.4}, {:.4} alpha in the last epoch (block {})",
        slot.uid,
        slot.registered_at,
        slot.incentive,
        slot.consensus,
        slot.emission_rao as f64 / 1e9,
        chain.block
    )?;
    let axon = slot.axon.map_or("none".to_owned(), |axon| axon.to_string());
    let committed = match &slot.committed {
        Some((digest, block)) => format!("{} since block {block}", digest.short()),
        None => "none".to_owned(),
    };
    writeln!(
        text,
        "            axon {axon}, checkpoint {committed}; {:.1} % of the stake gives it weight, this validator {:.4}",
        100.0 * chain.stake_giving,
        chain.own_weight
    )
}

fn describe_measured(text: &mut String, measured: &Measured) -> std::fmt::Result {
    writeln!(
        text,
        "quality     {:.3} - {:.3} for want of evidence = {:.3} paid, from {:.1} effective asks; {:.1} of {:.1} asks were opened",
        measured.quality,
        measured.width,
        measured.quality_low,
        measured.effective_asks,
        measured.opened,
        measured.asked
    )?;
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |it| format!("{it:.3}"));
    writeln!(
        text,
        "  fidelity    {} (divergence {} on its own answers, {} on the teacher's, per nat of the teacher's entropy)",
        number(measured.fidelity),
        number(measured.own_divergence),
        number(measured.forced_divergence)
    )?;
    let axes = [
        ("correctness", &measured.correctness),
        ("service", &measured.service),
        ("answered", &measured.answered),
        ("liveliness", &measured.liveliness),
    ];
    for (name, estimate) in axes {
        match estimate {
            None => writeln!(text, "  {name:<11} -")?,
            Some(Estimate {
                value,
                low,
                high,
                count,
            }) => writeln!(
                text,
                "  {name:<11} {value:.3} in [{low:.3}, {high:.3}] with 95 % confidence, from {count:.1} asks"
            )?,
        }
    }
    writeln!(
        text,
        "  audit       e-value {:.3e} after {} requests, condemned at {:.0e}",
        measured.e_value, measured.audited, measured.condemned_at
    )
}

fn describe_round(text: &mut String, name: &str, view: &RoundView) -> std::fmt::Result {
    let median = view
        .median_ms
        .map_or(String::new(), |ms| format!(", median {ms} ms"));
    writeln!(
        text,
        "{name:<11} {}: artifact {}, {} asks answered, {} of them opened{median}",
        view.round, view.artifact, view.answered, view.opened
    )?;
    for (reason, times) in &view.failed {
        writeln!(text, "            {times} failed: {reason}")?;
    }
    for (reason, times) in &view.own_trouble {
        writeln!(text, "            {times} lost by own trouble: {reason}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miner_is_named_by_slot_or_by_address() {
        assert_eq!("12".parse(), Ok(Miner::Uid(Uid(12))));
        let hotkey = Hotkey([7; 32]);
        assert_eq!(hotkey.to_string().parse(), Ok(Miner::Hotkey(hotkey)));
        let error = "70000".parse::<Miner>().unwrap_err();
        assert!(error.contains("neither a UID nor an address"), "{error}");
    }
}
