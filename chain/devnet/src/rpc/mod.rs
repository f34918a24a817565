//! Speak Substrate's JSON-RPC, with the quirks that Bittensor's clients rely on.
//!
//! Every method is listed under the name that a node gives it and under the aliases that clients use. Methods of the
//! `chainHead` and `archive` families are absent on purpose: clients that see one of them expect all of them.

mod author;
mod chain;
mod dev;
mod error;
mod faults;
mod hex;
mod params;
mod state;
mod system;

use std::sync::Arc;

use jsonrpsee::{RpcModule, types::ErrorObjectOwned};
use serde_json::{Value, json};

use self::params::Arguments;
pub(crate) use self::system::{CHAIN, properties};
use crate::{chain::Chain, workers::Workers};

/// What a method answers.
type Answer = Result<Value, ErrorObjectOwned>;
/// A method that is answered at once.
type Handler = fn(&Chain, &Arguments) -> Answer;

/// What methods work on.
pub(crate) struct Api {
    pub(crate) chain: Arc<Chain>,
    pub(crate) workers: Workers,
}

/// All methods; those that make things go wrong only if `faults` are allowed.
pub(crate) fn module(chain: Arc<Chain>, workers: Workers, faults: bool) -> RpcModule<Api> {
    let mut methods = Methods(RpcModule::new(Api { chain, workers }));
    chain::register(&mut methods);
    state::register(&mut methods);
    author::register(&mut methods);
    system::register(&mut methods);
    dev::register(&mut methods);
    if faults {
        faults::register(&mut methods);
    }
    let Methods(mut module) = methods;
    let mut names: Vec<&str> = module.method_names().chain(["rpc_methods"]).collect();
    names.sort_unstable();
    let listed = json!({ "methods": names });
    module
        .register_method("rpc_methods", move |_, _, _| listed.clone())
        .expect("the name is used once");
    module
}

/// The table of methods while it is filled.
struct Methods(RpcModule<Api>);

impl Methods {
    /// Adds a method under its name and aliases. It runs on a worker, as it may call the runtime.
    fn add(&mut self, names: &'static [&'static str], handler: Handler) {
        self.0
            .register_async_method(names[0], move |params, api, _| {
                let arguments = Arguments::parse(&params);
                async move {
                    if let Some(refusal) = api.chain.faults().refused(names) {
                        return Err(refusal);
                    }
                    let arguments = arguments?;
                    let chain = api.chain.clone();
                    let answer = api.workers.run(move || handler(&chain, &arguments)).await;
                    answer.unwrap_or_else(|reason| Err(error::not_run(reason)))
                }
            })
            .expect("every name is used once");
        self.alias(names);
    }

    fn alias(&mut self, names: &[&'static str]) {
        for alias in &names[1..] {
            self.0
                .register_alias(alias, names[0])
                .expect("every name is used once");
        }
    }
}

#[cfg(test)]
mod tests;
