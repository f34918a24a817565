//! `chain_*`: blocks, their headers, and news of them.

use std::sync::Arc;

use jsonrpsee::{PendingSubscriptionSink, SubscriptionMessage, SubscriptionSink};
use serde_json::{Value, json};
use sp_core::H256;
use tokio::sync::broadcast::error::RecvError;

use super::{
    Answer, Api, Methods, hex,
    params::{Arguments, number},
};
use crate::chain::{Chain, Imported};

pub(super) fn register(methods: &mut Methods) {
    methods.add(&["chain_getBlockHash", "chain_getHead"], block_hash);
    methods.add(
        &["chain_getFinalizedHead", "chain_getFinalisedHead"],
        finalized_head,
    );
    methods.add(&["chain_getHeader"], header);
    methods.add(&["chain_getBlock"], block);
    for (names, notification, unsubscribe) in [
        (
            [
                "chain_subscribeNewHeads",
                "chain_subscribeNewHead",
                "subscribe_newHead",
            ]
            .as_slice(),
            "chain_newHead",
            [
                "chain_unsubscribeNewHeads",
                "chain_unsubscribeNewHead",
                "unsubscribe_newHead",
            ]
            .as_slice(),
        ),
        (
            &[
                "chain_subscribeFinalizedHeads",
                "chain_subscribeFinalisedHeads",
            ],
            "chain_finalizedHead",
            &[
                "chain_unsubscribeFinalizedHeads",
                "chain_unsubscribeFinalisedHeads",
            ],
        ),
        (
            &["chain_subscribeAllHeads"],
            "chain_allHead",
            &["chain_unsubscribeAllHeads"],
        ),
    ] {
        methods
            .0
            .register_subscription(
                names[0],
                notification,
                unsubscribe[0],
                |_, pending, api, _| follow_heads(pending, api),
            )
            .expect("every name is used once");
        methods.alias(names);
        methods.alias(unsubscribe);
    }
}

/// The hash that an argument names: of a block of that number, of the newest without one.
fn block_hash(chain: &Chain, arguments: &Arguments) -> Answer {
    let hash_of = |value: &Value| -> Answer {
        let number = number(value)?;
        Ok(json!(chain.read(|ledger| ledger.hash(number))))
    };
    match arguments.get(0) {
        None => Ok(json!(chain.read(|ledger| ledger.best().hash))),
        Some(Value::Array(numbers)) => numbers.iter().map(hash_of).collect(),
        Some(value) => hash_of(value),
    }
}

fn finalized_head(chain: &Chain, _: &Arguments) -> Answer {
    Ok(json!(chain.read(|ledger| ledger.best().hash)))
}

fn header(chain: &Chain, arguments: &Arguments) -> Answer {
    let hash = arguments.hash(0)?;
    Ok(chain.read(|ledger| {
        let hash = hash.unwrap_or(ledger.best().hash);
        json!(ledger.block(&hash).map(|block| block.header))
    }))
}

fn block(chain: &Chain, arguments: &Arguments) -> Answer {
    let hash = arguments.hash(0)?;
    let found = chain.read(|ledger| {
        let hash: H256 = hash.unwrap_or(ledger.best().hash);
        ledger.block(&hash)
    });
    Ok(found.map_or(Value::Null, |block| {
        let extrinsics: Vec<String> = block.body.iter().map(|bytes| hex::encode(bytes)).collect();
        json!({
            "block": { "header": block.header, "extrinsics": extrinsics },
            "justifications": null,
        })
    }))
}

/// Sends the newest header, then each new one.
async fn follow_heads(pending: PendingSubscriptionSink, api: Arc<Api>) {
    let blocks = api.chain.subscribe();
    let newest = api.chain.read(|ledger| ledger.best().header.clone());
    let Ok(sink) = pending.accept().await else {
        return;
    };
    if send(&sink, json!(newest)).await {
        follow(sink, blocks, |imported| Some(json!(imported.header))).await;
    }
}

/// Sends what `report` makes of each new block, until either side ends. A subscriber that falls too far behind loses
/// the subscription and does not silently miss blocks.
pub(super) async fn follow(
    sink: SubscriptionSink,
    mut blocks: tokio::sync::broadcast::Receiver<Arc<Imported>>,
    report: impl Fn(&Imported) -> Option<Value>,
) {
    loop {
        let imported = tokio::select! {
            () = sink.closed() => return,
            imported = blocks.recv() => imported,
        };
        match imported {
            Ok(imported) => {
                if let Some(value) = report(&imported)
                    && !send(&sink, value).await
                {
                    return;
                }
            }
            Err(RecvError::Lagged(_) | RecvError::Closed) => return,
        }
    }
}

/// Sends a notification; false if the subscriber is gone.
pub(super) async fn send(sink: &SubscriptionSink, value: Value) -> bool {
    let message = SubscriptionMessage::new(sink.method_name(), sink.subscription_id(), &value)
        .expect("a JSON value serialises");
    sink.send(message).await.is_ok()
}
