//! What a block did.

use athanor_spec::{BlockNumber, Digest, Hotkey};
use subxt::{
    config::{Hasher as _, substrate::BlakeTwo256},
    events::Phase,
};

use crate::{BlockRef, Client, ReadError};

/// One extrinsic of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtrinsicSummary {
    /// The block.
    pub block: BlockNumber,
    /// Hash of the extrinsic.
    pub hash: Digest,
    /// Pallet and call, as in `SubtensorModule.set_weights`.
    pub call: String,
    /// Who signed it; `None` for the block author's own, such as the timestamp.
    pub signer: Option<Hotkey>,
    /// Whether it took effect.
    pub success: bool,
}

impl Client {
    /// The extrinsics of a block, in its order.
    pub async fn extrinsics(&self, block: BlockNumber) -> Result<Vec<ExtrinsicSummary>, ReadError> {
        let unknown = || ReadError::UnknownBlock {
            block: block.to_string(),
        };
        let hash = self.rpc().block_hash(block).await?.ok_or_else(unknown)?;
        let reference = BlockRef {
            number: block,
            hash,
        };
        let state = self.state_at(reference).await?;
        let shape =
            |name: &str, error: Box<dyn std::error::Error + Send + Sync>| ReadError::UnknownShape {
                pallet: "System".to_owned(),
                name: name.to_owned(),
                source: error,
            };

        let events = async {
            state
                .at()
                .events()
                .fetch()
                .await
                .map_err(|error| shape("Events", Box::new(error)))
        };
        let events = self.rpc().within(events).await?;
        let mut succeeded = std::collections::BTreeSet::new();
        for event in events.iter() {
            let event = event.map_err(|error| shape("Events", Box::new(error)))?;
            if let Phase::ApplyExtrinsic(index) = event.phase()
                && (event.pallet_name(), event.event_name()) == ("System", "ExtrinsicSuccess")
            {
                succeeded.insert(index);
            }
        }

        let body = self.rpc().body(reference).await?;
        let extrinsics = state.at().extrinsics().from_bytes(body).await;
        extrinsics
            .iter()
            .zip(0u32..)
            .map(|(extrinsic, index)| {
                let extrinsic = extrinsic.map_err(|error| shape("extrinsic", Box::new(error)))?;
                Ok(ExtrinsicSummary {
                    block,
                    hash: Digest(BlakeTwo256.hash(extrinsic.bytes()).0),
                    call: format!("{}.{}", extrinsic.pallet_name(), extrinsic.call_name()),
                    signer: extrinsic.address_bytes().and_then(signer),
                    success: succeeded.contains(&index),
                })
            })
            .collect()
    }
}

/// The account of a `MultiAddress::Id`.
fn signer(address: &[u8]) -> Option<Hotkey> {
    match address.split_first()? {
        (0, account) => Some(Hotkey(account.try_into().ok()?)),
        _ => None,
    }
}
