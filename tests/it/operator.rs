//! Whoever runs a devnet: looks into its pool and makes things go wrong.

use std::time::Duration;

use athanor_devnet::Devnet;
use jsonrpsee::{
    core::{client::ClientT as _, params::ArrayParams},
    ws_client::{WsClient, WsClientBuilder},
};
use serde_json::Value;

use crate::chain::within;

/// A connection of its own to a devnet.
pub(crate) struct Operator(WsClient);

impl Operator {
    pub(crate) async fn of(devnet: &Devnet) -> Self {
        let url = devnet.url();
        Self(WsClientBuilder::default().build(url).await.unwrap())
    }

    /// Calls one of the devnet's own methods.
    pub(crate) async fn call(&self, method: &str, arguments: &[Value]) -> Value {
        let mut array = ArrayParams::new();
        for argument in arguments {
            array.insert(argument).unwrap();
        }
        self.0.request(method, array).await.unwrap()
    }

    /// Waits until `count` extrinsics are in the pool.
    pub(crate) async fn pending(&self, count: usize) {
        within(async {
            loop {
                let pool = self.call("author_pendingExtrinsics", &[]).await;
                if pool.as_array().unwrap().len() == count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}
