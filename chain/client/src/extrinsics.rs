//! What a block did.

use athanor_spec::{BlockNumber, Digest, Hotkey};
use scale_value::Composite;
use serde::{Deserialize, Serialize};
use subxt::{
    config::{Hasher as _, substrate::BlakeTwo256},
    events::Phase,
};

use crate::{BlockRef, Client, ReadError};

/// Characters of an event's fields that are kept.
const MAX_FIELDS: usize = 400;

/// What a block did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockContent {
    /// The block.
    pub block: BlockNumber,
    /// Its extrinsics, in its order.
    pub extrinsics: Vec<ExtrinsicSummary>,
    /// What happened in it, in its order.
    pub events: Vec<EventSummary>,
}

/// One event of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSummary {
    /// Pallet and event, as in `SubtensorModule.WeightsSet`.
    pub name: String,
    /// Index of the extrinsic that caused it; `None` for what the block did by itself.
    pub extrinsic: Option<u32>,
    /// Its fields as text, cut where they are long.
    pub fields: String,
}

/// One extrinsic of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        Ok(self.block_content(block).await?.extrinsics)
    }

    /// The extrinsics and the events of a block.
    pub async fn block_content(&self, block: BlockNumber) -> Result<BlockContent, ReadError> {
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
        let mut happened = Vec::new();
        for event in events.iter() {
            let event = event.map_err(|error| shape("Events", Box::new(error)))?;
            if let Phase::ApplyExtrinsic(index) = event.phase()
                && (event.pallet_name(), event.event_name()) == ("System", "ExtrinsicSuccess")
            {
                succeeded.insert(index);
            }
            happened.push(EventSummary {
                name: format!("{}.{}", event.pallet_name(), event.event_name()),
                extrinsic: match event.phase() {
                    Phase::ApplyExtrinsic(index) => Some(index),
                    Phase::Finalization | Phase::Initialization => None,
                },
                fields: event
                    .decode_fields_unchecked_as::<Composite<()>>()
                    .map_or_else(|_| "?".to_owned(), |fields| cut(&fields.to_string())),
            });
        }

        let body = self.rpc().body(reference).await?;
        let extrinsics = state.at().extrinsics().from_bytes(body).await;
        let extrinsics = extrinsics
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
            .collect::<Result<_, ReadError>>()?;
        Ok(BlockContent {
            block,
            extrinsics,
            events: happened,
        })
    }
}

fn cut(text: &str) -> String {
    let mut kept: String = text.chars().take(MAX_FIELDS).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// The account of a `MultiAddress::Id`.
fn signer(address: &[u8]) -> Option<Hotkey> {
    match address.split_first()? {
        (0, account) => Some(Hotkey(account.try_into().ok()?)),
        _ => None,
    }
}
