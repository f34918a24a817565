//! `athanor-distill import`: make a checkpoint of a Hugging Face directory.

use std::path::PathBuf;

use athanor_model::Checkpoint;

use super::{CommandError, print};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory as Hugging Face's tools write it: config.json, weights as safetensors, tokenizer.json.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Where to put the checkpoint: the same files, and the manifest that names them.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let checkpoint = Checkpoint::import(&arguments.from, &arguments.out)?;
    let digest = blake3::Hash::from_bytes(checkpoint.digest()).to_hex();
    let config = &checkpoint.config;
    if arguments.json {
        print(serde_json::json!({
            "digest": digest.as_str(),
            "dir": arguments.out,
            "model_type": config.variant.family.model_type(),
            "parameters": config.parameters(),
        }))?;
    } else {
        print(format_args!(
            "{}: {}, {} parameters, digest {digest}",
            arguments.out.display(),
            config.variant.family.model_type(),
            config.parameters(),
        ))?;
    }
    Ok(())
}
