//! Every call that this client sends, with the arguments that it relies on.
//!
//! One table, so that a client can hold all of it against a runtime's metadata when it connects. Calls are encoded by
//! name: indices come from the metadata.

use athanor_spec::{Hotkey, NetUid};
use codec::{Compact, Decode as _};
use scale_decode::visitor::{IgnoreVisitor, decode_with_visitor};
use scale_info::PortableRegistry;
use scale_value::Value;

use crate::{
    contract::Need::{self, Always, WhereKnown},
    submit::Call,
};

/// How the names of extensions begin that charge fees, with the tip first in what they add to a transaction.
const TIPPING: &str = "Charge";

/// A call as the metadata describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) pallet: &'static str,
    pub(crate) name: &'static str,
    /// Names and types of the arguments, in the notation of [`crate::contract::describe`].
    pub(crate) arguments: &'static [(&'static str, &'static str)],
    pub(crate) need: Need,
}

impl Signature {
    /// This call with values for its arguments, in their order.
    pub(crate) fn with<const N: usize>(&self, values: [Value; N]) -> Call {
        debug_assert_eq!(N, self.arguments.len(), "{}.{}", self.pallet, self.name);
        let names = self.arguments.iter().map(|(name, _)| *name);
        Call {
            pallet: self.pallet,
            name: self.name,
            arguments: names.zip(values).collect(),
        }
    }
}

macro_rules! calls {
    ($($const:ident = $pallet:literal . $name:literal ($($argument:ident: $of:expr),*), $need:expr;)*) => {
        $(pub(crate) const $const: Signature = Signature {
            pallet: $pallet,
            name: $name,
            arguments: &[$((stringify!($argument), $of)),*],
            need: $need,
        };)*

        /// All of them.
        pub(crate) const ALL: &[Signature] = &[$($const),*];
    };
}

const KEY: &str = "[u8; 32]";
const U8: &str = "u8";
const U16: &str = "u16";
const U32: &str = "u32";
const U64: &str = "u64";
const U128: &str = "u128";
const U16S: &str = "Vec<u16>";
const BYTES: &str = "Vec<u8>";
const BOOL: &str = "bool";

calls! {
    ADD_STAKE = "SubtensorModule"."add_stake"(hotkey: KEY, netuid: U16, amount_staked: U64), Always;
    BURNED_REGISTER = "SubtensorModule"."burned_register"(netuid: U16, hotkey: KEY), Always;
    COMMIT_MECHANISM_WEIGHTS = "SubtensorModule"."commit_mechanism_weights"(
        netuid: U16, mecid: U8, commit_hash: KEY), WhereKnown;
    COMMIT_TIMELOCKED_MECHANISM_WEIGHTS = "SubtensorModule"."commit_timelocked_mechanism_weights"(
        netuid: U16, mecid: U8, commit: BYTES, reveal_round: U64, commit_reveal_version: U16), WhereKnown;
    COMMIT_TIMELOCKED_WEIGHTS = "SubtensorModule"."commit_timelocked_weights"(
        netuid: U16, commit: BYTES, reveal_round: U64, commit_reveal_version: U16), WhereKnown;
    COMMIT_WEIGHTS = "SubtensorModule"."commit_weights"(netuid: U16, commit_hash: KEY), WhereKnown;
    REGISTER_LIMIT = "SubtensorModule"."register_limit"(netuid: U16, hotkey: KEY, limit_price: U64), WhereKnown;
    REGISTER_NETWORK = "SubtensorModule"."register_network"(hotkey: KEY), WhereKnown;
    REMOVE_STAKE = "SubtensorModule"."remove_stake"(hotkey: KEY, netuid: U16, amount_unstaked: U64), WhereKnown;
    REVEAL_MECHANISM_WEIGHTS = "SubtensorModule"."reveal_mechanism_weights"(
        netuid: U16, mecid: U8, uids: U16S, values: U16S, salt: U16S, version_key: U64), WhereKnown;
    REVEAL_WEIGHTS = "SubtensorModule"."reveal_weights"(
        netuid: U16, uids: U16S, values: U16S, salt: U16S, version_key: U64), WhereKnown;
    SERVE_AXON = "SubtensorModule"."serve_axon"(
        netuid: U16, version: U32, ip: U128, port: U16, ip_type: U8, protocol: U8, placeholder1: U8, placeholder2: U8),
        Always;
    SERVE_PROMETHEUS = "SubtensorModule"."serve_prometheus"(
        netuid: U16, version: U32, ip: U128, port: U16, ip_type: U8), WhereKnown;
    SET_CHILDREN = "SubtensorModule"."set_children"(
        hotkey: KEY, netuid: U16, children: "Vec<(u64, [u8; 32])>"), WhereKnown;
    SET_COMMITMENT = "Commitments"."set_commitment"(netuid: U16, info: "Vec<enum Data>"), Always;
    SET_MECHANISM_WEIGHTS = "SubtensorModule"."set_mechanism_weights"(
        netuid: U16, mecid: U8, dests: U16S, weights: U16S, version_key: U64), WhereKnown;
    SET_WEIGHTS = "SubtensorModule"."set_weights"(
        netuid: U16, dests: U16S, weights: U16S, version_key: U64), Always;
    START_CALL = "SubtensorModule"."start_call"(netuid: U16), WhereKnown;

    // What a subnet's owner may change.
    SET_ACTIVITY_CUTOFF = "AdminUtils"."sudo_set_activity_cutoff"(netuid: U16, activity_cutoff: U16), WhereKnown;
    SET_ACTIVITY_CUTOFF_FACTOR = "SubtensorModule"."set_activity_cutoff_factor"(
        netuid: U16, factor_milli: U32), WhereKnown;
    SET_ADJUSTMENT_ALPHA = "AdminUtils"."sudo_set_adjustment_alpha"(netuid: U16, adjustment_alpha: U64), WhereKnown;
    SET_ALPHA_STEEPNESS = "AdminUtils"."sudo_set_alpha_sigmoid_steepness"(netuid: U16, steepness: "i16"), WhereKnown;
    SET_ALPHA_VALUES = "AdminUtils"."sudo_set_alpha_values"(netuid: U16, alpha_low: U16, alpha_high: U16), WhereKnown;
    SET_BONDS_MOVING_AVERAGE = "AdminUtils"."sudo_set_bonds_moving_average"(
        netuid: U16, bonds_moving_average: U64), WhereKnown;
    SET_BONDS_PENALTY = "AdminUtils"."sudo_set_bonds_penalty"(netuid: U16, bonds_penalty: U16), WhereKnown;
    SET_BONDS_RESET = "AdminUtils"."sudo_set_bonds_reset_enabled"(netuid: U16, enabled: BOOL), WhereKnown;
    SET_COMMIT_REVEAL = "AdminUtils"."sudo_set_commit_reveal_weights_enabled"(netuid: U16, enabled: BOOL), WhereKnown;
    SET_COMMIT_REVEAL_PERIOD = "AdminUtils"."sudo_set_commit_reveal_weights_interval"(
        netuid: U16, interval: U64), WhereKnown;
    SET_IMMUNITY_PERIOD = "AdminUtils"."sudo_set_immunity_period"(netuid: U16, immunity_period: U16), WhereKnown;
    SET_KAPPA = "AdminUtils"."sudo_set_kappa"(netuid: U16, kappa: U16), WhereKnown;
    SET_LIQUID_ALPHA = "AdminUtils"."sudo_set_liquid_alpha_enabled"(netuid: U16, enabled: BOOL), WhereKnown;
    SET_MAX_BURN = "AdminUtils"."sudo_set_max_burn"(netuid: U16, max_burn: U64), WhereKnown;
    SET_MAX_UIDS = "AdminUtils"."sudo_set_max_allowed_uids"(netuid: U16, max_allowed_uids: U16), WhereKnown;
    SET_MAX_VALIDATORS = "AdminUtils"."sudo_set_max_allowed_validators"(
        netuid: U16, max_allowed_validators: U16), WhereKnown;
    SET_MIN_ALLOWED_WEIGHTS = "AdminUtils"."sudo_set_min_allowed_weights"(
        netuid: U16, min_allowed_weights: U16), WhereKnown;
    SET_MIN_BURN = "AdminUtils"."sudo_set_min_burn"(netuid: U16, min_burn: U64), WhereKnown;
    SET_REGISTRATION_ALLOWED = "AdminUtils"."sudo_set_network_registration_allowed"(
        netuid: U16, registration_allowed: BOOL), WhereKnown;
    SET_RHO = "AdminUtils"."sudo_set_rho"(netuid: U16, rho: U16), WhereKnown;
    SET_SERVING_RATE_LIMIT = "AdminUtils"."sudo_set_serving_rate_limit"(
        netuid: U16, serving_rate_limit: U64), WhereKnown;
    SET_TEMPO = "AdminUtils"."sudo_set_tempo"(netuid: U16, tempo: U16), WhereKnown;
    SET_TEMPO_AS_OWNER = "SubtensorModule"."set_tempo"(netuid: U16, tempo: U16), WhereKnown;
    SET_TRANSFERS = "AdminUtils"."sudo_set_toggle_transfer"(netuid: U16, toggle: BOOL), WhereKnown;
    SET_WEIGHTS_RATE_LIMIT = "AdminUtils"."sudo_set_weights_set_rate_limit"(
        netuid: U16, weights_set_rate_limit: U64), WhereKnown;
    SET_WEIGHTS_VERSION_KEY = "AdminUtils"."sudo_set_weights_version_key"(
        netuid: U16, weights_version_key: U64), WhereKnown;
    SET_YUMA3 = "AdminUtils"."sudo_set_yuma3_enabled"(netuid: U16, enabled: BOOL), WhereKnown;
}

/// A number as an argument.
pub(crate) fn number(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}

/// A subnet's number as an argument.
pub(crate) fn subnet(netuid: NetUid) -> Value {
    number(netuid.0)
}

/// An account as an argument.
pub(crate) fn key(account: &Hotkey) -> Value {
    Value::from_bytes(account.0)
}

/// A list of numbers as an argument.
pub(crate) fn numbers(values: impl IntoIterator<Item = u16>) -> Value {
    Value::unnamed_composite(values.into_iter().map(number))
}

/// What a chain calls its calls, as of one block.
pub struct CallNames(crate::state::State);

impl crate::Client {
    /// The names of the chain's calls now.
    pub async fn call_names(&self) -> Result<CallNames, crate::ReadError> {
        Ok(CallNames(self.state(None).await?))
    }
}

impl CallNames {
    /// Pallet and call by the first two bytes of an encoded call.
    pub fn name(&self, pallet: u8, call: u8) -> Option<(String, String)> {
        let metadata = self.0.at().metadata_ref();
        let pallet = metadata.pallet_by_call_index(pallet)?;
        let call = pallet.call_variant_by_index(call)?;
        Some((pallet.name().to_owned(), call.name.clone()))
    }

    /// The tip in the payload of an extrinsic, in rao: the call, what the chain's extensions add, and what they imply, as the
    /// metadata have them. `None` if the bytes are not all of that and nothing else.
    pub fn tip(&self, payload: &[u8]) -> Option<u128> {
        let metadata = self.0.at().metadata_ref();
        let types = metadata.types();
        let [pallet, call, rest @ ..] = payload else {
            return None;
        };
        let pallet = metadata.pallet_by_call_index(*pallet)?;
        let call = pallet.call_variant_by_index(*call)?;
        let mut rest = rest;
        for field in &call.fields {
            value(&mut rest, field.ty.id, types)?;
        }
        let extensions = || {
            metadata
                .extrinsic()
                .transaction_extensions_to_use_for_encoding()
        };
        let mut tip = 0;
        for extension in extensions() {
            let mut added = value(&mut rest, extension.extra_ty(), types)?;
            if extension.identifier().starts_with(TIPPING) {
                tip = Compact::<u128>::decode(&mut added).ok()?.0;
            }
        }
        for extension in extensions() {
            value(&mut rest, extension.additional_ty(), types)?;
        }
        rest.is_empty().then_some(tip)
    }
}

/// Takes one value of a type off the front, and gives its bytes.
fn value<'a>(rest: &mut &'a [u8], ty: u32, types: &PortableRegistry) -> Option<&'a [u8]> {
    let before = *rest;
    decode_with_visitor(rest, ty, types, IgnoreVisitor::new()).ok()?;
    Some(&before[..before.len() - rest.len()])
}
