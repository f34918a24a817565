//! A node that devnets are not: it passes everything on to a devnet, and changes some of it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage,
    core::{
        client::{ClientT as _, Error, SubscriptionClientT as _},
        params::ArrayParams,
    },
    server::{Server, ServerHandle},
    types::{ErrorObjectOwned, Params},
    ws_client::{WsClient, WsClientBuilder},
};
use serde_json::Value;

/// What is asked of a node by our client.
const METHODS: [&str; 8] = [
    "chain_getBlock",
    "chain_getBlockHash",
    "chain_getFinalizedHead",
    "chain_getHeader",
    "state_call",
    "state_getStorage",
    "state_queryStorageAt",
    "system_accountNextIndex",
];
/// What it subscribes to: subscription, notification, and its end.
const SUBSCRIPTIONS: [[&str; 3]; 2] = [
    [
        "chain_subscribeFinalizedHeads",
        "chain_finalizedHead",
        "chain_unsubscribeFinalizedHeads",
    ],
    [SUBMIT, "author_extrinsicUpdate", "author_unwatchExtrinsic"],
];
pub(crate) const SUBMIT: &str = "author_submitAndWatchExtrinsic";

/// Changes the answer to a call, given its method and arguments.
type Alter = Box<dyn FnMut(&str, &[Value], Value) -> Value + Send>;

/// A node in front of a node.
pub(crate) struct Gateway {
    address: SocketAddr,
    inside: Arc<Inside>,
    server: ServerHandle,
}

struct Inside {
    node: WsClient,
    alter: Mutex<Alter>,
    /// Methods that were called, in their order.
    called: Mutex<Vec<String>>,
}

impl Gateway {
    /// A node that does as the one at `url` does.
    pub(crate) async fn before(url: &str) -> Self {
        let node = WsClientBuilder::default().build(url).await.unwrap();
        let inside = Arc::new(Inside {
            node,
            alter: Mutex::new(Box::new(|_, _, answer| answer)),
            called: Mutex::default(),
        });
        let mut module = RpcModule::from_arc(inside.clone());
        for name in METHODS {
            module
                .register_async_method(name, move |params, inside, _| {
                    let given = arguments(&params);
                    async move { inside.pass_on(name, given).await }
                })
                .unwrap();
        }
        for [name, notification, end] in SUBSCRIPTIONS {
            module
                .register_subscription(
                    name,
                    notification,
                    end,
                    move |params, pending, inside, _| {
                        let given = arguments(&params);
                        async move { inside.subscribe([name, end], given, pending).await }
                    },
                )
                .unwrap();
        }
        let server = Server::builder().build("127.0.0.1:0").await.unwrap();
        Self {
            address: server.local_addr().unwrap(),
            inside,
            server: server.start(module),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes answers from now on.
    pub(crate) fn alter(&self, with: impl FnMut(&str, &[Value], Value) -> Value + Send + 'static) {
        *self.inside.alter.lock().unwrap() = Box::new(with);
    }

    /// The methods that were called since the last question.
    pub(crate) fn called(&self) -> Vec<String> {
        std::mem::take(&mut self.inside.called.lock().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.server.stop();
    }
}

fn arguments(params: &Params<'_>) -> Vec<Value> {
    params.parse().unwrap_or_default()
}

fn array(values: &[Value]) -> ArrayParams {
    let mut array = ArrayParams::new();
    for value in values {
        array.insert(value).unwrap();
    }
    array
}

fn told(error: Error) -> ErrorObjectOwned {
    match error {
        Error::Call(error) => error,
        other => ErrorObjectOwned::owned(-32_000, other.to_string(), None::<()>),
    }
}

impl Inside {
    fn altered(&self, method: &str, given: &[Value], answer: Value) -> Value {
        self.alter.lock().unwrap()(method, given, answer)
    }

    async fn pass_on(
        &self,
        method: &'static str,
        given: Vec<Value>,
    ) -> Result<Value, ErrorObjectOwned> {
        self.called.lock().unwrap().push(method.to_owned());
        let answer = self.node.request(method, array(&given)).await;
        answer
            .map(|answer| self.altered(method, &given, answer))
            .map_err(told)
    }

    async fn subscribe(
        &self,
        [method, end]: [&'static str; 2],
        given: Vec<Value>,
        pending: PendingSubscriptionSink,
    ) {
        self.called.lock().unwrap().push(method.to_owned());
        let subscribed = self.node.subscribe::<Value, _>(method, array(&given), end);
        let mut items = match subscribed.await {
            Ok(items) => items,
            Err(error) => return pending.reject(told(error)).await,
        };
        // The node has it; whoever asked has not heard so yet.
        self.altered(method, &given, Value::Null);
        let Ok(sink) = pending.accept().await else {
            return;
        };
        loop {
            let item = tokio::select! {
                () = sink.closed() => return,
                item = items.next() => item,
            };
            let Some(Ok(item)) = item else { return };
            let message =
                SubscriptionMessage::new(sink.method_name(), sink.subscription_id(), &item);
            if sink.send(message.unwrap()).await.is_err() {
                return;
            }
        }
    }
}
