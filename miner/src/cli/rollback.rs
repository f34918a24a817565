//! `rollback`: serve again what was served before.

use athanor_miner::{
    control::{self, ControlError},
    rollback,
};
use athanor_node::lock;

use super::{CliError, arguments::RollbackArgs};

/// Tells the miner that runs, or leaves a note for the next start; says which.
pub(crate) async fn run(arguments: &RollbackArgs) -> Result<String, CliError> {
    let spec = arguments.subnet.load()?;
    let data_dir = arguments.data.dir(&arguments.wallet, &spec);
    let (checkpoint, running) = match control::rollback(&data_dir, arguments.to).await {
        Ok(checkpoint) => (checkpoint, true),
        Err(ControlError::NotRunning { .. }) => {
            // One that runs and does not answer must not have its state changed below it.
            let _lock = lock::directory(&data_dir)?;
            let (data_dir, to) = (data_dir.clone(), arguments.to);
            let stopped = tokio::task::spawn_blocking(move || rollback::stopped(&data_dir, to));
            match stopped.await {
                Ok(checkpoint) => (checkpoint?, false),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(match (arguments.json, running) {
        (true, running) => serde_json::to_string(&serde_json::json!({
            "checkpoint": checkpoint,
            "running": running,
        }))?,
        (false, true) => format!(
            "going back to {checkpoint}: it will be committed on chain and served from the end of the epoch on; training \
             begins anew from it"
        ),
        (false, false) => format!(
            "no miner runs in {}: the next `run` serves {checkpoint}, commits it on chain and trains on from it",
            data_dir.display()
        ),
    })
}
