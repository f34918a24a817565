//! `dev_*` methods that make things go wrong, for tests of clients.

use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

use super::{Answer, Methods, error, params::Arguments};
use crate::{chain::Chain, faults::Refusal};

/// Time that a cut connection has left, so that whoever asked for it gets an answer.
const NOTICE: Duration = Duration::from_millis(50);
/// Longest time without connections, in milliseconds.
const MAX_CLOSED_MS: u32 = 3_600_000;

pub(super) fn register(methods: &mut Methods) {
    methods.add(&["dev_faults"], in_force);
    methods.add(&["dev_clearFaults"], |chain, _| {
        chain.faults().clear();
        Ok(Value::Null)
    });
    methods.add(&["dev_delayInclusion"], delay_inclusion);
    methods.add(&["dev_refuse"], refuse);
    methods
        .0
        .register_async_method("dev_dropConnections", |params, api, _| {
            let closed = Arguments::parse(&params).and_then(|arguments| closed(&arguments));
            async move {
                let closed = closed?;
                let chain = api.chain.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(NOTICE).await;
                    chain.faults().cut_connections(closed);
                });
                Ok::<Value, ErrorObjectOwned>(Value::Null)
            }
        })
        .expect("every name is used once");
}

fn in_force(chain: &Chain, _: &Arguments) -> Answer {
    let faults = chain.faults();
    let refusals: serde_json::Map<String, Value> = faults
        .refusals()
        .into_iter()
        .map(|(method, left)| (method, json!(left)))
        .collect();
    Ok(json!({ "inclusionDelay": faults.inclusion_delay(), "refusals": refusals }))
}

/// Holds every extrinsic that is submitted from now on back for the given number of blocks.
fn delay_inclusion(chain: &Chain, arguments: &Arguments) -> Answer {
    chain
        .faults()
        .delay_inclusion(arguments.number(0)?.unwrap_or(0));
    Ok(Value::Null)
}

/// Refuses calls of a method: `[method, {"code": -32000, "message": "..", "data": .., "count": 1}]`. A count of 0 ends it.
fn refuse(chain: &Chain, arguments: &Arguments) -> Answer {
    let method = arguments.text(0)?.to_owned();
    let refusal = arguments.get(1).cloned().unwrap_or_else(|| json!({}));
    let code = match refusal.get("code") {
        None => -32_000,
        Some(code) => code
            .as_i64()
            .and_then(|code| i32::try_from(code).ok())
            .ok_or_else(|| error::arguments("`code` must be a whole number of 32 bits"))?,
    };
    let message = match refusal.get("message") {
        None => "refused on purpose",
        Some(message) => message
            .as_str()
            .ok_or_else(|| error::arguments("`message` must be a text"))?,
    };
    let left = match refusal.get("count") {
        None => 1,
        Some(count) => super::params::number(count)?,
    };
    let error = ErrorObjectOwned::owned(code, message, refusal.get("data"));
    chain.faults().refuse(method, Refusal { error, left });
    Ok(Value::Null)
}

/// Milliseconds in which new connections are cut as well; none without an argument.
fn closed(arguments: &Arguments) -> Result<Duration, ErrorObjectOwned> {
    let milliseconds = arguments.number(0)?.unwrap_or(0);
    if milliseconds > MAX_CLOSED_MS {
        let message = format!("at most {MAX_CLOSED_MS} milliseconds");
        return Err(error::arguments(message));
    }
    Ok(Duration::from_millis(milliseconds.into()))
}
