//! Whether an extrinsic that a block holds took effect, as that block's events tell.

use athanor_spec::Digest;
use subxt::{
    config::{Hasher as _, substrate::BlakeTwo256},
    error::DispatchError,
    events::Phase,
};

use super::{Call, Included, SubmitError};
use crate::{BlockRef, Client, ReadError, state::State};

impl Client {
    /// Reads from the block's events whether the extrinsic took effect.
    pub(super) async fn judge(
        &self,
        block: BlockRef,
        hash: Digest,
        call: &Call,
    ) -> Result<Included, SubmitError> {
        let state = self.state_at(block).await?;
        let body = self.rpc().body(block).await?;
        let index = body
            .iter()
            .position(|extrinsic| BlakeTwo256.hash(extrinsic).0 == hash.0)
            .and_then(|index| u32::try_from(index).ok())
            .ok_or_else(|| ReadError::UnknownBlock {
                block: block.number.to_string(),
            })?;
        match self.rpc().within(outcome(&state, index)).await? {
            None => Ok(Included {
                block: block.number,
                extrinsic: hash,
            }),
            Some(DispatchError::Module(module)) => {
                let (pallet, error) = match module.details() {
                    Ok(details) => (
                        details.pallet.name().to_owned(),
                        details.variant.name.clone(),
                    ),
                    Err(_) => (String::new(), module.details_string()),
                };
                Err(SubmitError::Failed {
                    call: call.path(),
                    block: block.number,
                    pallet,
                    error,
                })
            }
            Some(other) => Err(SubmitError::Failed {
                call: call.path(),
                block: block.number,
                pallet: "System".to_owned(),
                error: match other {
                    DispatchError::BadOrigin => "BadOrigin".to_owned(),
                    other => other.to_string(),
                },
            }),
        }
    }
}

/// `None` if the extrinsic at `index` succeeded, else its error.
async fn outcome(state: &State, index: u32) -> Result<Option<DispatchError>, ReadError> {
    let shape = |error: Box<dyn std::error::Error + Send + Sync>| ReadError::UnknownShape {
        pallet: "System".to_owned(),
        name: "Events".to_owned(),
        source: error,
    };
    let events = state
        .at()
        .events()
        .fetch()
        .await
        .map_err(|error| shape(Box::new(error)))?;
    for event in events.iter() {
        let event = event.map_err(|error| shape(Box::new(error)))?;
        if event.phase() != Phase::ApplyExtrinsic(index) || event.pallet_name() != "System" {
            continue;
        }
        match event.event_name() {
            "ExtrinsicSuccess" => return Ok(None),
            "ExtrinsicFailed" => {
                let error = DispatchError::decode_from(event.field_bytes(), state.at().metadata())
                    .map_err(|error| shape(Box::new(error)))?;
                return Ok(Some(error));
            }
            _ => {}
        }
    }
    Err(shape(format!("no outcome of extrinsic {index}").into()))
}
