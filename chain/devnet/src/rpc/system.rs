//! `system_*` and `chainSpec_*`: what this node is, and what an account's next nonce is.

use codec::{Decode, Encode};
use serde_json::{Value, json};

use super::{Answer, Methods, error, hex, params::Arguments, state::call_at};
use crate::chain::Chain;

/// Name of the chain.
pub(crate) const CHAIN: &str = "Athanor devnet";

pub(super) fn register(methods: &mut Methods) {
    methods.add(&["system_chain"], |_, _| Ok(json!(CHAIN)));
    methods.add(&["system_name"], |_, _| Ok(json!(env!("CARGO_PKG_NAME"))));
    methods.add(&["system_version"], |_, _| {
        Ok(json!(env!("CARGO_PKG_VERSION")))
    });
    methods.add(&["system_chainType"], |_, _| Ok(json!("Development")));
    methods.add(&["system_properties"], |_, _| Ok(properties()));
    methods.add(&["system_health"], |_, _| {
        Ok(json!({ "peers": 0, "isSyncing": false, "shouldHavePeers": false }))
    });
    methods.add(&["system_nodeRoles"], |_, _| Ok(json!(["Authority"])));
    methods.add(&["system_peers"], |_, _| Ok(json!([])));
    methods.add(&["system_localListenAddresses"], |_, _| Ok(json!([])));
    methods.add(&["system_syncState"], sync_state);
    methods.add(
        &["system_accountNextIndex", "account_nextIndex"],
        account_next_index,
    );
    methods.add(&["system_dryRun", "system_dryRunAt"], dry_run);
    methods.add(&["chainSpec_v1_chainName"], |_, _| Ok(json!(CHAIN)));
    methods.add(&["chainSpec_v1_properties"], |_, _| Ok(properties()));
    methods.add(&["chainSpec_v1_genesisHash"], |chain, _| {
        Ok(json!(chain.read(|ledger| ledger.hash(0))))
    });
}

/// How accounts and amounts are written.
pub(crate) fn properties() -> Value {
    json!({ "ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO" })
}

fn sync_state(chain: &Chain, _: &Arguments) -> Answer {
    let number = chain.read(|ledger| ledger.best().header.number);
    Ok(json!({ "startingBlock": 0, "currentBlock": number, "highestBlock": number }))
}

/// The account's nonce on chain plus what the pool already holds of it.
fn account_next_index(chain: &Chain, arguments: &Arguments) -> Answer {
    let account = arguments.account(0)?;
    let encoded = call_at(
        chain,
        arguments,
        1,
        "AccountNonceApi_account_nonce",
        &account.encode(),
    )?;
    let nonce =
        u32::decode(&mut &encoded[..]).map_err(|error| error::internal(error.to_string()))?;
    Ok(json!(nonce + chain.pool().pending_nonces(&account, nonce)))
}

/// What applying an extrinsic would answer.
fn dry_run(chain: &Chain, arguments: &Arguments) -> Answer {
    let bytes = arguments.bytes(0)?;
    let answer = call_at(chain, arguments, 1, "BlockBuilder_apply_extrinsic", &bytes)?;
    Ok(json!(hex::encode(&answer)))
}
