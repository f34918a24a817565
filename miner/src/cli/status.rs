//! `status`: how the miner is, and what its pay is made of.

mod because;
mod pay;
mod transcripts;

use std::fmt::Write as _;

use athanor_chain::Client;
use athanor_miner::{
    Status,
    control::{self, ControlError},
};
use athanor_spec::{Account, Hotkey};
use serde::Serialize;

use super::{CliError, arguments::StatusArgs};
use pay::Pay;

/// Everything that is known.
#[derive(Serialize)]
struct Report {
    /// What the process says; absent if none runs.
    miner: Option<Status>,
    /// What the chain says; absent if it cannot be read.
    pay: Option<Pay>,
    /// Why it cannot be read.
    chain_error: Option<String>,
    /// What stands between this miner and more pay, as far as chain and miner know.
    findings: Vec<String>,
    /// What cannot be known now; absent if a validator's transcript was read.
    unknown: Option<&'static str>,
}

const UNKNOWN: &str = "the grades behind the weights (fidelity, correctness, service, faults): no validator's transcript could be \
read, and the chain has only the weights";

/// Asks the miner and the chain, and gives the text to print.
pub(crate) async fn run(arguments: &StatusArgs) -> Result<String, CliError> {
    let spec = arguments.node.subnet.load()?;
    let wallet = &arguments.node.wallet;
    let data_dir = arguments.data.dir(wallet, &spec);
    let miner = match control::status(&data_dir).await {
        Ok(status) => Some(status),
        Err(ControlError::NotRunning { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let hotkey = match &miner {
        Some(status) => status.hotkey,
        None => wallet
            .wallet()
            .address(athanor_chain::wallet::KeyKind::Hotkey)?,
    };
    let (pay, chain_error) = match read(arguments, &hotkey).await {
        Ok(pay) => (Some(pay), None),
        Err(error) => (None, Some(athanor_cli::line(&error))),
    };
    let findings = findings(miner.as_ref(), pay.as_ref(), &spec);
    let told = |pay: &Pay| pay.weights.iter().any(|it| it.because.is_some());
    let unknown = (!pay.as_ref().is_some_and(told)).then_some(UNKNOWN);
    let report = Report {
        miner,
        pay,
        chain_error,
        findings,
        unknown,
    };
    Ok(match arguments.json {
        true => serde_json::to_string(&report)?,
        false => report.text(),
    })
}

async fn read(arguments: &StatusArgs, hotkey: &Hotkey) -> Result<Pay, CliError> {
    let spec = arguments.node.subnet.load()?;
    let netuid = spec.subnet.netuid;
    let chain = Client::open(arguments.node.subtensor.endpoints.clone()).await?;
    let metagraph = chain.metagraph(netuid).await?;
    let weights = chain.weights(netuid).await?;
    let mut pay = Pay::of(&metagraph, &weights, hotkey);
    let Some(neuron) = metagraph.by_hotkey(hotkey) else {
        return Ok(pay);
    };
    let account = Account {
        hotkey: *hotkey,
        registered_at: neuron.registered_at,
    };
    if !arguments.chain_only {
        let read = transcripts::read(&metagraph, chain.signing_context(netuid), &spec).await?;
        for (validator, line) in read {
            pay.explain(&validator, line, account, &spec).await;
        }
    }
    Ok(pay)
}

/// What an operator can act upon, each with the next step.
fn findings(
    miner: Option<&Status>,
    pay: Option<&Pay>,
    spec: &athanor_spec::SubnetSpec,
) -> Vec<String> {
    let mut found = Vec::new();
    if miner.is_none() {
        found.push(
            "no miner runs: start it with `athanor-miner run`; unanswered asks are graded 0"
                .to_owned(),
        );
    }
    if let Some(pay) = pay {
        found.extend(pay.findings(spec));
        if let Some(miner) = miner
            && let Some(neuron) = &pay.neuron
        {
            let due = miner.swap_at.is_some();
            if neuron.committed != Some(miner.serving) && !due {
                found.push(format!(
                    "{} is served, but the chain has {}: every answer counts as a fault until `run` commits again",
                    miner.serving.short(),
                    neuron.committed.map_or("nothing".to_owned(), |it| it.short()),
                ));
            }
            if neuron.axon != miner.address {
                found.push(
                    "the chain has another address: it is announced at one of the next blocks"
                        .to_owned(),
                );
            }
        }
    }
    if let Some(miner) = miner {
        let refused = &miner.counts.refused;
        if refused.overloaded > 0 {
            found.push(format!(
                "{} requests were refused as overloaded: raise --engine.slots, --engine.queue or --allowance.rate, or lower \
                 --distill.duty",
                refused.overloaded
            ));
        }
        if refused.expired > 0 {
            found.push(format!(
                "{} requests were outside their time window: compare this machine's clock with an NTP server's",
                refused.expired
            ));
        }
        if miner.counts.answered == 0 {
            found.push("nothing was answered since the start: `check` shows whether validators can reach it".to_owned());
        }
    }
    found
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        if let Some(miner) = &self.miner {
            let _ = describe(&mut text, miner);
        }
        if let Some(pay) = &self.pay {
            let _ = pay.describe(&mut text);
        }
        if let Some(error) = &self.chain_error {
            let _ = writeln!(text, "chain       cannot be read: {error}");
        }
        for finding in &self.findings {
            let _ = writeln!(text, "note        {finding}");
        }
        if let Some(unknown) = self.unknown {
            let _ = writeln!(text, "not known   {unknown}");
        }
        text.truncate(text.trim_end().len());
        text
    }
}

fn describe(text: &mut String, miner: &Status) -> std::fmt::Result {
    let seconds = miner.uptime_ms / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    writeln!(
        text,
        "running     for {hours} h {minutes} min {} s, process {}, version {}",
        seconds % 60,
        miner.pid,
        miner.version
    )?;
    writeln!(text, "hotkey      {}", miner.hotkey)?;
    let address = miner
        .address
        .map_or("none on chain".to_owned(), |it| it.to_string());
    writeln!(text, "address     {address}")?;
    writeln!(text, "serving     {}", miner.serving)?;
    if let Some(ready) = &miner.ready {
        writeln!(text, "next        {ready}, to be committed")?;
    }
    if let (Some(committed), Some(block)) = (&miner.committed, miner.swap_at) {
        writeln!(
            text,
            "next        {committed}, committed, served from block {block} on"
        )?;
    }
    let counts = &miner.counts;
    writeln!(
        text,
        "requests    {} answered ({} tokens), {} in flight, {} left by their askers, {} slices of checkpoints",
        counts.answered, counts.tokens, miner.in_flight, counts.cancelled, counts.slices
    )?;
    let refused = &counts.refused;
    let reasons = [
        ("overloaded", refused.overloaded),
        ("not allowed", refused.not_allowed),
        ("bad signature", refused.bad_signature),
        ("expired", refused.expired),
        ("replayed", refused.replayed),
        ("out of bounds", refused.out_of_bounds),
        ("unknown blob", refused.unknown_blob),
        ("not serving", refused.not_serving),
    ];
    let told: Vec<String> = reasons
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let told = match told.is_empty() {
        true => "none".to_owned(),
        false => told.join(", "),
    };
    writeln!(text, "refused     {told}")?;
    match &miner.training {
        None => writeln!(text, "training    off"),
        Some(training) => {
            let number = |value: Option<f32>| value.map_or("-".to_owned(), |it| format!("{it:.4}"));
            writeln!(
                text,
                "training    step {}, loss {}, held out {} nats per token{}",
                training.step,
                number(training.loss),
                number(training.heldout_loss),
                if training.paused {
                    ", resting while it serves"
                } else {
                    ""
                },
            )?;
            if let (Some(e), Some(needed)) = (training.e_value, training.threshold) {
                writeln!(
                    text,
                    "            evidence for publishing {e:.2}, of {needed:.0} needed"
                )?;
            }
            Ok(())
        }
    }
}
