//! `state_*`: storage, runtime calls, metadata and version.

use std::{collections::HashSet, sync::Arc};

use codec::{Decode, Encode};
use jsonrpsee::{PendingSubscriptionSink, types::ErrorObjectOwned};
use serde_json::{Value, json};
use sp_core::H256;
use sp_runtime::traits::{BlakeTwo256, Hash};
use sp_state_machine::{Backend, IterArgs};

use super::{
    Answer, Api, Methods,
    chain::{follow, send},
    error, hex,
    params::Arguments,
};
use crate::{
    chain::{Chain, Imported},
    executor::{self, State},
};

/// Most keys of one page.
const MAX_PAGE: u32 = 1_000;

pub(super) fn register(methods: &mut Methods) {
    methods.add(&["state_getStorage", "state_getStorageAt"], storage);
    methods.add(
        &["state_getStorageHash", "state_getStorageHashAt"],
        storage_hash,
    );
    methods.add(
        &["state_getStorageSize", "state_getStorageSizeAt"],
        storage_size,
    );
    methods.add(&["state_getKeys"], keys);
    methods.add(&["state_getKeysPaged", "state_getKeysPagedAt"], keys_paged);
    methods.add(&["state_getPairs"], pairs);
    methods.add(&["state_queryStorageAt"], query_storage_at);
    methods.add(&["state_queryStorage"], query_storage);
    methods.add(&["state_call", "state_callAt"], call);
    methods.add(&["state_getMetadata"], metadata);
    methods.add(
        &["state_getRuntimeVersion", "chain_getRuntimeVersion"],
        runtime_version,
    );
    methods
        .0
        .register_subscription(
            "state_subscribeRuntimeVersion",
            "state_runtimeVersion",
            "state_unsubscribeRuntimeVersion",
            |_, pending, api, _| follow_runtime_version(pending, api),
        )
        .expect("every name is used once");
    methods.alias(&[
        "state_subscribeRuntimeVersion",
        "chain_subscribeRuntimeVersion",
    ]);
    methods.alias(&[
        "state_unsubscribeRuntimeVersion",
        "chain_unsubscribeRuntimeVersion",
    ]);
    methods
        .0
        .register_subscription(
            "state_subscribeStorage",
            "state_storage",
            "state_unsubscribeStorage",
            |params, pending, api, _| {
                let arguments = Arguments::parse(&params);
                follow_storage(arguments, pending, api)
            },
        )
        .expect("every name is used once");
}

/// The state that the argument at `index` names by its block; the newest without one.
fn state_at(chain: &Chain, arguments: &Arguments, index: usize) -> Result<State, ErrorObjectOwned> {
    match arguments.hash(index)? {
        Some(hash) => chain
            .read(|ledger| ledger.state(&hash))
            .map_err(error::state),
        None => Ok(chain.read(|ledger| ledger.best_state())),
    }
}

fn value_at(state: &State, key: &[u8]) -> Result<Option<Vec<u8>>, ErrorObjectOwned> {
    state.storage(key).map_err(error::internal)
}

fn storage(chain: &Chain, arguments: &Arguments) -> Answer {
    let value = value_at(&state_at(chain, arguments, 1)?, &arguments.bytes(0)?)?;
    Ok(json!(value.map(|value| hex::encode(&value))))
}

fn storage_hash(chain: &Chain, arguments: &Arguments) -> Answer {
    let value = value_at(&state_at(chain, arguments, 1)?, &arguments.bytes(0)?)?;
    Ok(json!(value.map(|value| BlakeTwo256::hash(&value))))
}

fn storage_size(chain: &Chain, arguments: &Arguments) -> Answer {
    let value = value_at(&state_at(chain, arguments, 1)?, &arguments.bytes(0)?)?;
    Ok(json!(value.map(|value| value.len())))
}

/// Keys under `prefix`, in ascending order, after `after` if there is one.
fn keys_of(
    state: &State,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<String>, ErrorObjectOwned> {
    let mut range = IterArgs::default();
    range.prefix = Some(prefix);
    range.start_at = after;
    range.start_at_exclusive = true;
    let keys = state.keys(range).map_err(error::internal)?;
    keys.take(limit)
        .map(|key| key.map(|key| hex::encode(&key)).map_err(error::internal))
        .collect()
}

fn keys(chain: &Chain, arguments: &Arguments) -> Answer {
    let prefix = arguments.optional_bytes(0)?.unwrap_or_default();
    let state = state_at(chain, arguments, 1)?;
    Ok(json!(keys_of(&state, &prefix, None, usize::MAX)?))
}

fn keys_paged(chain: &Chain, arguments: &Arguments) -> Answer {
    let prefix = arguments.optional_bytes(0)?.unwrap_or_default();
    let count = arguments.number(1)?.unwrap_or(MAX_PAGE);
    if count > MAX_PAGE {
        let message = format!("count exceeds maximum value. value: {count}, max: {MAX_PAGE}");
        return Err(ErrorObjectOwned::owned(4002, message, None::<()>));
    }
    let after = arguments.optional_bytes(2)?;
    let state = state_at(chain, arguments, 3)?;
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    Ok(json!(keys_of(&state, &prefix, after.as_deref(), limit)?))
}

fn pairs(chain: &Chain, arguments: &Arguments) -> Answer {
    let prefix = arguments.optional_bytes(0)?.unwrap_or_default();
    let state = state_at(chain, arguments, 1)?;
    let mut under = IterArgs::default();
    under.prefix = Some(&prefix);
    let pairs = state.pairs(under).map_err(error::internal)?;
    pairs
        .map(|pair| {
            let (key, value) = pair.map_err(error::internal)?;
            Ok(json!([hex::encode(&key), hex::encode(&value)]))
        })
        .collect()
}

/// Every key's value at one block, also of those that have none.
fn changes_at(state: &State, block: H256, keys: &[Vec<u8>]) -> Answer {
    let changes: Result<Vec<Value>, ErrorObjectOwned> = keys
        .iter()
        .map(|key| {
            let value = value_at(state, key)?.map(|value| hex::encode(&value));
            Ok(json!([hex::encode(key), value]))
        })
        .collect();
    Ok(json!({ "block": block, "changes": changes? }))
}

fn query_storage_at(chain: &Chain, arguments: &Arguments) -> Answer {
    let keys = arguments.list_of_bytes(0)?;
    let block = arguments
        .hash(1)?
        .unwrap_or(chain.read(|ledger| ledger.best().hash));
    let state = chain
        .read(|ledger| ledger.state(&block))
        .map_err(error::state)?;
    Ok(json!([changes_at(&state, block, &keys)?]))
}

/// Values at the first block of a range, then what changed in each later one.
fn query_storage(chain: &Chain, arguments: &Arguments) -> Answer {
    let keys = arguments.list_of_bytes(0)?;
    let from = arguments.required_hash(1)?;
    let to = arguments
        .hash(2)?
        .unwrap_or(chain.read(|ledger| ledger.best().hash));
    let number = |hash: H256| {
        let number = chain.read(|ledger| ledger.number(&hash));
        number.ok_or_else(|| error::state(crate::ledger::StateError::Unknown(hash)))
    };
    let mut last: Vec<Option<Vec<u8>>> = Vec::new();
    let mut sets = Vec::new();
    for number in number(from)?..=number(to)? {
        let Some(block) = chain.read(|ledger| ledger.hash(number)) else {
            break;
        };
        let state = chain
            .read(|ledger| ledger.state(&block))
            .map_err(error::state)?;
        let values = keys
            .iter()
            .map(|key| value_at(&state, key))
            .collect::<Result<Vec<_>, _>>()?;
        let changes: Vec<Value> = keys
            .iter()
            .zip(&values)
            .enumerate()
            .filter(|(index, (_, value))| last.get(*index) != Some(value))
            .map(|(_, (key, value))| {
                json!([
                    hex::encode(key),
                    value.as_ref().map(|value| hex::encode(value))
                ])
            })
            .collect();
        if !changes.is_empty() {
            sets.push(json!({ "block": block, "changes": changes }));
        }
        last = values;
    }
    Ok(json!(sets))
}

/// Calls the runtime over the state that the argument at `index` names.
pub(super) fn call_at(
    chain: &Chain,
    arguments: &Arguments,
    index: usize,
    method: &str,
    data: &[u8],
) -> Result<Vec<u8>, ErrorObjectOwned> {
    let state = match arguments.hash(index)? {
        Some(hash) => chain
            .read(|ledger| ledger.state(&hash))
            .map_err(error::call_state)?,
        None => chain.read(|ledger| ledger.best_state()),
    };
    executor::query(&state, method, data).map_err(error::call)
}

fn call(chain: &Chain, arguments: &Arguments) -> Answer {
    let data = arguments.optional_bytes(1)?.unwrap_or_default();
    Ok(json!(hex::encode(&call_at(
        chain,
        arguments,
        2,
        arguments.text(0)?,
        &data
    )?)))
}

/// Metadata in version 14: an opaque byte string whose bytes are the answer.
fn metadata(chain: &Chain, arguments: &Arguments) -> Answer {
    let encoded = call_at(chain, arguments, 0, "Metadata_metadata", &[])?;
    let bytes =
        Vec::<u8>::decode(&mut &encoded[..]).map_err(|error| error::internal(error.to_string()))?;
    Ok(json!(hex::encode(&bytes)))
}

fn runtime_version(chain: &Chain, arguments: &Arguments) -> Answer {
    version(call_at(chain, arguments, 0, "Core_version", &[])?)
}

fn version(encoded: Vec<u8>) -> Answer {
    let version = athanor_runtime::RuntimeVersion::decode(&mut &encoded[..])
        .map_err(|error| error::internal(error.to_string()))?;
    Ok(json!(version))
}

/// Sends the version once: it cannot change while the process runs.
async fn follow_runtime_version(pending: PendingSubscriptionSink, api: Arc<Api>) {
    let version = json!(athanor_runtime::VERSION);
    let blocks = api.chain.subscribe();
    let Ok(sink) = pending.accept().await else {
        return;
    };
    if send(&sink, version).await {
        follow(sink, blocks, |_| None).await;
    }
}

/// Sends the present values of some keys, then those that a block changes. Without keys, everything that changes.
async fn follow_storage(
    arguments: Result<Arguments, ErrorObjectOwned>,
    pending: PendingSubscriptionSink,
    api: Arc<Api>,
) {
    let keys = arguments.and_then(|arguments| match arguments.get(0) {
        Some(_) => arguments.list_of_bytes(0).map(Some),
        None => Ok(None),
    });
    let blocks = api.chain.subscribe();
    let present = keys.and_then(|keys| {
        let (block, state) = api
            .chain
            .read(|ledger| (ledger.best().hash, ledger.best_state()));
        let present = changes_at(&state, block, keys.as_deref().unwrap_or_default())?;
        Ok((keys.map(HashSet::<Vec<u8>>::from_iter), present))
    });
    let (keys, present) = match present {
        Ok(found) => found,
        Err(reason) => return pending.reject(reason).await,
    };
    let Ok(sink) = pending.accept().await else {
        return;
    };
    if send(&sink, present).await {
        follow(sink, blocks, |imported| changed(imported, keys.as_ref())).await;
    }
}

fn changed(imported: &Imported, keys: Option<&HashSet<Vec<u8>>>) -> Option<Value> {
    let changes: Vec<Value> = imported
        .changes
        .iter()
        .filter(|(key, _)| keys.is_none_or(|keys| keys.contains(key)))
        .map(|(key, value)| {
            json!([
                hex::encode(key),
                value.as_ref().map(|value| hex::encode(value))
            ])
        })
        .collect();
    (!changes.is_empty()).then(|| json!({ "block": imported.hash, "changes": changes }))
}

/// The fee and weight of an extrinsic.
pub(super) fn query_fee(chain: &Chain, arguments: &Arguments) -> Answer {
    let bytes = arguments.bytes(0)?;
    let mut data = bytes.clone();
    u32::try_from(bytes.len())
        .unwrap_or(u32::MAX)
        .encode_to(&mut data);
    let encoded = call_at(
        chain,
        arguments,
        1,
        "TransactionPaymentApi_query_info",
        &data,
    )?;
    let info = athanor_runtime::DispatchFee::decode(&mut &encoded[..])
        .map_err(|error| error::internal(error.to_string()))?;
    Ok(json!({
        "weight": { "refTime": info.weight.ref_time(), "proofSize": info.weight.proof_size() },
        "class": format!("{:?}", info.class).to_lowercase(),
        "partialFee": info.partial_fee.to_string(),
    }))
}
