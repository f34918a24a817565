//! `check`: what a validator would find out about this miner, found out first.
//!
//! The configuration comes first, and what is wrong there ends the command. Then the chain's record is read, and the miner
//! that runs is asked, over the network, at the address that the chain gives, by a peer that was made for this.

mod grade;
mod network;
mod pay;
mod report;

use athanor_chain::Metagraph;
use athanor_miner::{
    Status,
    control::{self, ControlError},
};
use athanor_model::checkpoint::{Checkpoint, TOKENIZER};
use athanor_node::signer::RemoteArgs;
use athanor_spec::{Digest, Hotkey};
use sp_core::Pair as _;

use super::{CliError, Node, arguments::CheckArgs, model, seed_of};
use network::Probe;
use report::Report;

/// Runs every test; returns the text to print and whether all passed.
pub(crate) async fn run(arguments: CheckArgs) -> Result<(String, bool), CliError> {
    let CheckArgs { run, json } = arguments;
    let spec = run.node.subnet.load()?;
    // It asks the miner as the hotkey itself, many times in a row: the key has to be here.
    let pair = run.node.wallet.wallet().hotkey()?;
    let hotkey = Hotkey(pair.public().0);
    let data_dir = run.data_dir(&spec);
    let files = model::Files::prepare(&run, &data_dir, seed_of(&hotkey))?;
    files.check(&spec)?;
    let mut report = Report::default();
    report.pass(
        "model",
        format!("{}, fits the spec", Digest(files.model.digest())),
    );
    report.pass("teacher", Digest(files.teacher.digest()).to_string());
    let of = |checkpoint: &Checkpoint| match checkpoint.manifest.file(TOKENIZER) {
        Ok(file) => Ok(Digest(file.digest())),
        Err(error) => Err(CliError::Tokenizer(error.into())),
    };
    tokenizer(&mut report, of(&files.model)?, of(&files.teacher)?);

    let node = Node::open(&run.node, &RemoteArgs::default()).await?;
    let metagraph = node.chain.metagraph(spec.subnet.netuid).await?;
    let running = match control::status(&data_dir).await {
        Ok(status) => Some(status),
        Err(ControlError::NotRunning { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let mut grade = None;
    if let Some(record) = record(&mut report, &metagraph, &hotkey, &spec, running.as_ref()) {
        let probe = Probe {
            address: record.0,
            committed: record.1,
            hotkey: pair,
            context: node.chain.signing_context(spec.subnet.netuid),
            spec: spec.clone(),
            teacher: files.teacher,
            device: run.device,
            checkpoints: athanor_miner::checkpoints(&data_dir),
        };
        grade = network::run(&mut report, &probe).await?;
    }
    pay::tell(&mut report, &metagraph, &hotkey, grade.as_ref(), &spec);
    let passed = report.passed();
    let text = match json {
        true => report.json()?,
        false => report.text(),
    };
    Ok((text, passed))
}

/// Validators take the teacher's tokenizer and no other, byte for byte: what a stranger's may hold is not parsed.
fn tokenizer(report: &mut Report, own: Digest, teacher: Digest) {
    match own == teacher {
        true => report.pass("tokenizer", format!("{}, the teacher's", own.short())),
        false => report.fail(
            "tokenizer",
            format!(
                "tokenizer.json is {}, the teacher's is {}",
                own.short(),
                teacher.short()
            ),
            "use the teacher's file as it is; validators grade another one as `bad_artifact`",
        ),
    }
}

/// The tests of what the chain says; where and what to ask, if that is known.
fn record(
    report: &mut Report,
    metagraph: &Metagraph,
    hotkey: &Hotkey,
    spec: &athanor_spec::SubnetSpec,
    running: Option<&Status>,
) -> Option<(athanor_net::PeerAddress, Digest)> {
    let netuid = spec.subnet.netuid;
    let Some(neuron) = metagraph.by_hotkey(hotkey) else {
        report.fail(
            "registration",
            format!("{hotkey} holds no slot on subnet {netuid}"),
            "register it: `athanor-miner register`",
        );
        return None;
    };
    report.pass(
        "registration",
        format!("{hotkey}, UID {} on subnet {netuid}", neuron.uid),
    );
    let start = "start it: `athanor-miner run` announces and commits";
    match neuron.axon {
        Some(axon) => report.pass("axon record", axon.to_string()),
        None => report.fail("axon record", "no address is on chain".into(), start),
    }
    let commitment = neuron.commitment.map(|(record, _)| record);
    let committed = commitment.and_then(|record| record.checkpoint());
    match (committed, running) {
        (None, _) => report.fail("commitment", "no checkpoint is on chain".into(), start),
        (Some(digest), Some(status)) if digest != status.serving && status.swap_at.is_none() => {
            report.fail(
                "commitment",
                format!("{digest} is on chain, {} is served", status.serving),
                "start the miner again: it commits what it serves",
            );
        }
        (Some(digest), _) => report.pass("commitment", digest.to_string()),
    }
    if let Some(record) = commitment {
        match record.spec == spec.digest() {
            true => report.pass("spec", spec.digest().to_string()),
            // What the running miner follows, it is asked itself.
            false => report.skip(
                "spec",
                "the record on chain names another spec: so it is after a change of the spec, until the next checkpoint",
            ),
        }
    }
    if running.is_none() {
        report.skip(
            "network",
            "no miner runs in this data directory; start it to have it asked",
        );
        return None;
    }
    let address = athanor_net::PeerAddress {
        peer_key: commitment?.peer_key,
        addr: neuron.axon?,
    };
    Some((address, committed?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_tokenizer_than_the_teacher_s_does_not_pass() {
        let (a, b) = (Digest([1; 32]), Digest([2; 32]));
        let mut report = Report::default();
        tokenizer(&mut report, a, a);
        assert!(report.passed());
        tokenizer(&mut report, a, b);
        assert!(!report.passed());
        assert!(report.text().contains("bad_artifact"), "{}", report.text());
    }
}
