//! From the node's pool to the finalized block that holds an extrinsic.
//!
//! Until its era has passed, an extrinsic that was once handed over may be included, whatever becomes of the connection
//! or of the node. So after that nobody's word is taken for it but the chain's: it is looked for in every block of its era.

use athanor_spec::{BlockNumber, Digest};
use subxt::{
    config::{Hasher as _, substrate::BlakeTwo256},
    rpcs,
    rpcs::methods::legacy::TransactionStatus,
};

use super::{Call, ERA_BLOCKS, POLL, SubmitError, pool};
use crate::{BlockRef, Client, ReadError, state::State};

/// An extrinsic on its way.
pub(super) struct Sent<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) hash: Digest,
    /// The block from which on it is valid.
    pub(super) born: BlockRef,
}

impl Client {
    /// Hands the extrinsic to the node and waits for the finalized block that holds it; `None` if there is none, and never
    /// will be.
    pub(super) async fn follow(
        &self,
        sent: &Sent<'_>,
        refused: impl Fn(rpcs::UserError) -> SubmitError,
    ) -> Result<Option<BlockRef>, SubmitError> {
        const METHOD: &str = "author_submitAndWatchExtrinsic";
        let mut handed_over = false;
        let mut statuses = loop {
            match self.rpc().submit(sent.bytes).await {
                Ok(statuses) => break statuses,
                // A node had it before the connection broke, and this one may refuse it for that very reason.
                Err(rpcs::Error::User(_)) if handed_over => return self.find(sent).await,
                Err(rpcs::Error::User(error)) => return Err(refused(error)),
                // Sending the same bytes again is harmless: one nonce is included once.
                Err(error) if error.is_disconnected_will_reconnect() => handed_over = true,
                Err(error) => return Err(self.rpc().error(METHOD, error).into()),
            }
        };
        while let Some(Ok(status)) = statuses.next().await {
            match status {
                TransactionStatus::Finalized(block) => {
                    return Ok(Some(self.rpc().block(Digest(block.0)).await?));
                }
                TransactionStatus::Invalid
                | TransactionStatus::Dropped
                | TransactionStatus::Usurped(_) => break,
                _ => {}
            }
        }
        // The node lost sight of it (reconnection, or a full pool); the chain itself knows whether it was included.
        self.find(sent).await
    }

    /// Looks for an extrinsic in every finalized block of its era, and waits for those that are to come; `None` if it is
    /// in none of them.
    async fn find(&self, sent: &Sent<'_>) -> Result<Option<BlockRef>, SubmitError> {
        let mut next = sent.born.number.0 + 1;
        while next <= last_of_era(sent.born) {
            match self.search(sent.hash, &mut next).await {
                Ok(Some(block)) => return Ok(Some(block)),
                Ok(None) => tokio::time::sleep(POLL).await,
                // The node is away. How long that may take is the caller's to say.
                Err(ReadError::Unanswered { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Looks into the blocks from `next` to the head of the chain, and leaves in `next` the first that it did not look into.
    async fn search(&self, hash: Digest, next: &mut u32) -> Result<Option<BlockRef>, ReadError> {
        let head = self.rpc().finalized().await?;
        while *next <= head.number.0 {
            let number = BlockNumber(*next);
            let Some(found) = self.rpc().block_hash(number).await? else {
                break;
            };
            let block = BlockRef {
                number,
                hash: found,
            };
            let body = self.rpc().body(block).await?;
            let ours = |extrinsic: &Vec<u8>| BlakeTwo256.hash(extrinsic).0 == hash.0;
            if body.iter().any(ours) {
                return Ok(Some(block));
            }
            *next += 1;
        }
        Ok(None)
    }

    /// Tells a signature that has merely become old from one that is wrong: an era that has passed is read as a later one,
    /// whose birth block the signature does not fit, and a signature for one version of the runtime does not fit the next.
    pub(super) async fn if_expired(
        &self,
        error: SubmitError,
        signed_at: &State,
        call: &Call,
    ) -> SubmitError {
        if !pool::bad_signature(&error) {
            return error;
        }
        match self.state(None).await {
            Ok(now)
                if now.block().number.0 >= last_of_era(signed_at.block())
                    || now.at().spec_version() != signed_at.at().spec_version() =>
            {
                SubmitError::Outdated { call: call.path() }
            }
            _ => error,
        }
    }
}

/// The last block that can hold an extrinsic with this birth block.
fn last_of_era(born: BlockRef) -> u32 {
    // The era's length is a small constant.
    born.number.0.saturating_add(ERA_BLOCKS as u32)
}
