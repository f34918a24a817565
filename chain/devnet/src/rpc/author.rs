//! `author_*` and `payment_*`: submit extrinsics, follow them, and know what they cost.

use std::sync::Arc;

use jsonrpsee::{PendingSubscriptionSink, types::ErrorObjectOwned};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Answer, Api, Methods, chain::send, error, hex, params::Arguments, state::query_fee};
use crate::{
    chain::Chain,
    pool::{Status, WATCH_CAPACITY},
};

pub(super) fn register(methods: &mut Methods) {
    methods.add(&["author_submitExtrinsic"], submit);
    methods.add(&["author_pendingExtrinsics"], pending_extrinsics);
    methods.add(&["author_hasKey"], |_, _| Ok(json!(false)));
    methods.add(&["payment_queryInfo"], query_fee);
    methods
        .0
        .register_subscription(
            "author_submitAndWatchExtrinsic",
            "author_extrinsicUpdate",
            "author_unwatchExtrinsic",
            |params, pending, api, _| {
                let bytes = Arguments::parse(&params).and_then(|arguments| arguments.bytes(0));
                submit_and_watch(bytes, pending, api)
            },
        )
        .expect("every name is used once");
}

fn submit(chain: &Chain, arguments: &Arguments) -> Answer {
    chain
        .submit(arguments.bytes(0)?, None)
        .map(|hash| json!(hash))
        .map_err(error::submit)
}

fn pending_extrinsics(chain: &Chain, _: &Arguments) -> Answer {
    let all = chain.pool().all();
    Ok(all.iter().map(|bytes| hex::encode(bytes)).collect())
}

/// Answers the call with the error if the pool does not take the extrinsic, else with what becomes of it.
async fn submit_and_watch(
    bytes: Result<Vec<u8>, ErrorObjectOwned>,
    pending: PendingSubscriptionSink,
    api: Arc<Api>,
) {
    let (watcher, mut statuses) = mpsc::channel(WATCH_CAPACITY);
    let submitted = match bytes {
        Ok(bytes) => {
            if let Some(refusal) = api
                .chain
                .faults()
                .refused(&["author_submitAndWatchExtrinsic"])
            {
                return pending.reject(refusal).await;
            }
            let chain = api.chain.clone();
            let submit = move || chain.submit(bytes, Some(watcher)).map_err(error::submit);
            let not_run = |reason| Err(error::not_run(reason));
            api.workers.run(submit).await.unwrap_or_else(not_run)
        }
        Err(reason) => Err(reason),
    };
    if let Err(reason) = submitted {
        return pending.reject(reason).await;
    }
    let Ok(sink) = pending.accept().await else {
        return;
    };
    loop {
        let status = tokio::select! {
            () = sink.closed() => return,
            status = statuses.recv() => status,
        };
        let Some(status) = status else { return };
        let last = !matches!(status, Status::Future | Status::Ready | Status::InBlock(_));
        if !send(&sink, describe(status)).await || last {
            return;
        }
    }
}

fn describe(status: Status) -> Value {
    match status {
        Status::Future => json!("future"),
        Status::Ready => json!("ready"),
        Status::InBlock(hash) => json!({ "inBlock": hash }),
        Status::Finalized(hash) => json!({ "finalized": hash }),
        Status::Usurped(hash) => json!({ "usurped": hash }),
        Status::Invalid => json!("invalid"),
    }
}
