//! `dev_*`: what only this chain has.

use serde_json::json;

use super::{Answer, Methods, error, params::Arguments};
use crate::chain::Chain;

/// Most blocks of one request.
const MAX_BLOCKS: u32 = 10_000;

pub(super) fn register(methods: &mut Methods) {
    methods.add(&["dev_newBlock"], new_block);
    methods.add(&["dev_stats"], stats);
}

/// Makes blocks at once (one, or the number given, also as `{"count": n}`), whatever the sealing is, and answers with
/// the last one's hash.
fn new_block(chain: &Chain, arguments: &Arguments) -> Answer {
    let count = match arguments.get(0).and_then(|value| value.get("count")) {
        Some(count) => super::params::number(count)?,
        None => arguments.number(0)?.unwrap_or(1),
    };
    if !(1..=MAX_BLOCKS).contains(&count) {
        return Err(error::arguments(format!(
            "count must be from 1 to {MAX_BLOCKS}"
        )));
    }
    for _ in 0..count {
        chain
            .seal()
            .map_err(|error| error::internal(error.to_string()))?;
    }
    Ok(json!(chain.read(|ledger| ledger.best().hash)))
}

fn stats(chain: &Chain, _: &Arguments) -> Answer {
    let (number, nodes, blocks) = chain.read(|ledger| {
        (
            ledger.best().header.number,
            ledger.node_count(),
            ledger.block_count(),
        )
    });
    Ok(json!({
        "block": number,
        "blocksInMemory": blocks,
        "trieNodes": nodes,
        "pool": chain.pool().len(),
    }))
}
