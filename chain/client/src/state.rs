//! The chain's state at one block: typed reads of storage items, many per round trip.

use std::marker::PhantomData;

use athanor_spec::{Digest, Hotkey};
use codec::Decode as _;
use scale_decode::DecodeAsType;
use subxt::{
    Metadata, OnlineClientAtBlock, SubstrateConfig, backend,
    ext::frame_decode::storage::{IntoEncodableValues, StorageTypeInfo as _, encode_storage_key},
};

use crate::{
    BlockRef, Client, ReadError,
    calls::Signature,
    items::{Api, Item},
    rpc::Rpc,
};

/// Keys per request: nodes bound the size of a request and the work that it causes.
const MAX_KEYS: usize = 1000;

/// Block time where the chain does not tell its own.
pub(crate) const BLOCK_TIME_MS: u64 = 12_000;

/// One block's state, with the metadata of the runtime that governs it.
pub(crate) struct State {
    rpc: Rpc,
    block: BlockRef,
    at: OnlineClientAtBlock<SubstrateConfig>,
}

impl Client {
    /// The state at block `at`, or at the latest finalized block.
    pub(crate) async fn state(&self, at: Option<Digest>) -> Result<State, ReadError> {
        let block = match at {
            Some(hash) => self.rpc().block(hash).await?,
            None => self.rpc().finalized().await?,
        };
        self.state_at(block).await
    }

    /// The state at `block`.
    pub(crate) async fn state_at(&self, block: BlockRef) -> Result<State, ReadError> {
        let reference = backend::BlockRef::from_hash(block.hash.0.into());
        let work = async {
            self.online()
                .at_block_hash_and_number(reference, block.number.0.into())
                .await
                .map_err(|error| Rpc::metadata_error(block, error))
        };
        let at = self.rpc().within(work).await?;
        let state = State {
            rpc: self.rpc().clone(),
            block,
            at,
        };
        self.check_runtime(&state)?;
        Ok(state)
    }
}

impl State {
    pub(crate) fn block(&self) -> BlockRef {
        self.block
    }

    /// subxt's view of the same block.
    pub(crate) fn at(&self) -> &OnlineClientAtBlock<SubstrateConfig> {
        &self.at
    }

    /// The answer of a runtime API to `arguments`, which are encoded already; `None` if the runtime has no such API.
    pub(crate) async fn api<T: DecodeAsType>(
        &self,
        api: Api,
        arguments: &[u8],
    ) -> Result<Option<T>, ReadError> {
        let metadata = self.at.metadata_ref();
        let method = metadata
            .runtime_api_trait_by_name(api.name)
            .and_then(|found| found.method_by_name(api.function));
        let Some(method) = method else {
            return Ok(None);
        };
        let function = format!("{}_{}", api.name, api.function);
        let shape = |error: Box<dyn std::error::Error + Send + Sync>| ReadError::UnknownShape {
            pallet: api.name.to_owned(),
            name: api.function.to_owned(),
            source: error,
        };
        let work = async {
            let apis = self.at.runtime_apis();
            let answer = apis.call_raw(&function, Some(arguments)).await;
            answer.map_err(|error| shape(Box::new(error)))
        };
        let bytes = self.rpc.within(work).await?;
        T::decode_as_type(&mut &bytes[..], method.output_ty(), metadata.types())
            .map(Some)
            .map_err(|error| shape(Box::new(error)))
    }

    /// Decodes a stored value of `item` that came by another way than storage.
    pub(crate) fn stored<T: DecodeAsType>(
        &self,
        item: Item,
        bytes: &[u8],
    ) -> Result<Option<T>, ReadError> {
        storage_value(self.at.metadata_ref(), item, Some(bytes))
    }

    /// Milliseconds between two blocks.
    pub(crate) fn block_time_ms(&self) -> u64 {
        self.constant("Aura", "SlotDuration")
            .unwrap_or(BLOCK_TIME_MS)
    }

    /// A number among the runtime's constants, if it has that one.
    fn constant(&self, pallet: &str, name: &str) -> Option<u64> {
        let pallet = self.at.metadata_ref().pallet_by_name(pallet)?;
        u64::decode(&mut pallet.constant_by_name(name)?.value()).ok()
    }

    /// Whether the runtime has a call.
    pub(crate) fn has_call(&self, call: &Signature) -> bool {
        self.at
            .metadata_ref()
            .pallet_by_name(call.pallet)
            .is_some_and(|pallet| pallet.call_variant_by_name(call.name).is_some())
    }

    /// Starts a batch of reads.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch {
            state: self,
            keys: Vec::new(),
        }
    }
}

/// Reads that are collected, then sent together.
pub(crate) struct Batch<'a> {
    state: &'a State,
    keys: Vec<Vec<u8>>,
}

/// A question of a batch; its answer is a `T`.
pub(crate) struct Ask<T> {
    index: usize,
    item: Item,
    answer: PhantomData<T>,
}

// Derived impls would ask the same of `T`.
impl<T> Clone for Ask<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ask<T> {}

impl<'a> Batch<'a> {
    /// Whether the runtime has all of `items`.
    pub(crate) fn knows(&self, items: &[Item]) -> bool {
        items
            .iter()
            .all(|item| find(self.state.at.metadata_ref(), *item))
    }

    /// Asks for the value of `item` at `key`.
    pub(crate) fn ask<T>(
        &mut self,
        item: Item,
        key: impl IntoEncodableValues,
    ) -> Result<Ask<T>, ReadError> {
        self.keys
            .push(storage_key(self.state.at.metadata_ref(), item, key)?);
        Ok(Ask {
            index: self.keys.len() - 1,
            item,
            answer: PhantomData,
        })
    }

    /// As [`Self::ask`], of a runtime that may lack the item.
    pub(crate) fn ask_known<T>(
        &mut self,
        item: Item,
        key: impl IntoEncodableValues,
    ) -> Result<Option<Ask<T>>, ReadError> {
        match self.knows(&[item]) {
            true => self.ask(item, key).map(Some),
            false => Ok(None),
        }
    }

    /// Reads everything that was asked for.
    pub(crate) async fn send(self) -> Result<Answers<'a>, ReadError> {
        let mut values = Vec::with_capacity(self.keys.len());
        for keys in self.keys.chunks(MAX_KEYS) {
            values.extend(self.state.rpc.storage(keys, self.state.block).await?);
        }
        Ok(Answers {
            metadata: self.state.at.metadata_ref(),
            values,
        })
    }
}

/// The answers to a batch.
pub(crate) struct Answers<'a> {
    metadata: &'a Metadata,
    values: Vec<Option<Vec<u8>>>,
}

impl Answers<'_> {
    /// The value, or the item's default; `None` where the runtime has no default either.
    pub(crate) fn get<T: DecodeAsType>(&self, ask: Ask<T>) -> Result<Option<T>, ReadError> {
        storage_value(self.metadata, ask.item, self.values[ask.index].as_deref())
    }

    /// As [`Self::get`], for an item that may not have been asked for.
    pub(crate) fn get_known<T: DecodeAsType>(
        &self,
        ask: Option<Ask<T>>,
    ) -> Result<Option<T>, ReadError> {
        match ask {
            Some(ask) => self.get(ask),
            None => Ok(None),
        }
    }

    /// Whether anything is stored there.
    pub(crate) fn is_stored<T>(&self, ask: Ask<T>) -> bool {
        self.values[ask.index].is_some()
    }
}

fn find(metadata: &Metadata, item: Item) -> bool {
    metadata
        .pallet_by_name(item.pallet)
        .and_then(|pallet| pallet.storage())
        .is_some_and(|storage| storage.entry_by_name(item.name).is_some())
}

/// The key of `item` at `key`, as the metadata says that it is made.
pub(crate) fn storage_key(
    metadata: &Metadata,
    item: Item,
    key: impl IntoEncodableValues,
) -> Result<Vec<u8>, ReadError> {
    if !find(metadata, item) {
        return Err(unknown_name(item));
    }
    encode_storage_key(item.pallet, item.name, key, metadata, metadata.types())
        .map_err(|error| unknown_shape(item, error))
}

/// Decodes a stored value by the names of its fields, or the item's default when nothing is stored.
pub(crate) fn storage_value<T: DecodeAsType>(
    metadata: &Metadata,
    item: Item,
    stored: Option<&[u8]>,
) -> Result<Option<T>, ReadError> {
    let info = metadata
        .storage_info(item.pallet, item.name)
        .map_err(|error| unknown_shape(item, error.into_owned()))?;
    let default = info.default_value.as_deref();
    let Some(bytes) = stored.or(default) else {
        return Ok(None);
    };
    T::decode_as_type(&mut &*bytes, info.value_id, metadata.types())
        .map(Some)
        .map_err(|error| unknown_shape(item, error))
}

fn unknown_name(item: Item) -> ReadError {
    ReadError::UnknownName {
        pallet: item.pallet.to_owned(),
        name: item.name.to_owned(),
    }
}

pub(crate) fn unknown_shape(
    item: Item,
    error: impl std::error::Error + Send + Sync + 'static,
) -> ReadError {
    ReadError::UnknownShape {
        pallet: item.pallet.to_owned(),
        name: item.name.to_owned(),
        source: Box::new(error),
    }
}

/// An account as storage keys and values spell it.
pub(crate) fn account(hotkey: &Hotkey) -> [u8; 32] {
    hotkey.0
}
