//! What a node's pool of extrinsics says when it refuses one.

use athanor_spec::Hotkey;
use subxt::rpcs;

use super::{Call, SubmitError};
use crate::rpc;

/// Refused by the runtime's own checks; the data says why.
const INVALID: i32 = 1010;
/// The very same extrinsic is in the pool.
const ALREADY_IMPORTED: i32 = 1013;
/// Another extrinsic with the same nonce is in the pool.
const PRIORITY_TOO_LOW: i32 = 1014;

/// Whether the nonce is used up: by an extrinsic that is in a block, or by one that waits in the pool.
fn taken(error: &rpcs::UserError) -> bool {
    stale(error, &rpc::reason(error)) || matches!(error.code, ALREADY_IMPORTED | PRIORITY_TOO_LOW)
}

/// Whether nonce or era lie in the past.
fn stale(error: &rpcs::UserError, reason: &str) -> bool {
    error.code == INVALID && (reason.contains("outdated") || reason.contains("ancient birth block"))
}

/// Whether the runtime does not find the signature to fit: besides forgeries, it says so of an era that has passed and of
/// an extrinsic that was signed for another version of the runtime.
pub(super) fn bad_signature(error: &SubmitError) -> bool {
    matches!(
        error,
        SubmitError::Rejected { code: INVALID, reason, .. } if reason.contains("bad signature")
    )
}

/// The pool's error in our words.
pub(super) fn refused(
    error: rpcs::UserError,
    account: Hotkey,
    nonce: u64,
    call: &Call,
) -> SubmitError {
    let reason = rpc::reason(&error);
    if stale(&error, &reason) {
        return SubmitError::Outdated { call: call.path() };
    }
    if taken(&error) {
        return SubmitError::NonceTaken { account, nonce };
    }
    if error.code == INVALID && reason.contains("pay some fees") {
        return SubmitError::CannotPay {
            account,
            call: call.path(),
        };
    }
    SubmitError::Rejected {
        call: call.path(),
        code: error.code,
        reason,
    }
}

/// Subtensor checks some calls before they enter the pool, and then gives a number instead of the error's name.
pub(super) fn custom_refusal(reason: &str) -> Option<&'static str> {
    let digits: String = reason
        .split_once("ustom error: ")
        .or_else(|| reason.split_once("\"custom\":"))?
        .1
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some(match digits.parse::<u8>().ok()? {
        1 => "AmountTooLow",
        2 => "NotEnoughBalanceToStake",
        3 => "SubnetNotExists",
        4 => "HotKeyAccountNotExists",
        5 => "NotEnoughStakeToWithdraw",
        6 => "SettingWeightsTooFast",
        7 => "InsufficientLiquidity",
        8 => "SlippageTooHigh",
        9 => "TransferDisallowed",
        10 => "HotKeyNotRegisteredInNetwork",
        11 => "InvalidIpAddress",
        12 => "ServingRateLimitExceeded",
        13 => "InvalidPort",
        14 => "ZeroMaxStakeAmount",
        15 => "InvalidRevealRound",
        16 => "NoWeightsCommitFound",
        17 => "RevealTooEarly",
        18 => "InputLengthsUnequal",
        19 => "UidNotFound",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_refusals_get_their_names_back() {
        assert_eq!(
            custom_refusal("Invalid Transaction: Custom error: 12"),
            Some("ServingRateLimitExceeded")
        );
        assert_eq!(
            custom_refusal(r#"1010: {"invalid":{"custom":6}}"#),
            Some("SettingWeightsTooFast")
        );
        assert_eq!(
            custom_refusal("Invalid Transaction: Transaction is outdated"),
            None
        );
        assert_eq!(custom_refusal("Custom error: 255"), None);
    }

    #[test]
    fn a_taken_nonce_is_told_from_other_refusals() {
        let call = Call {
            pallet: "SubtensorModule",
            name: "set_weights",
            arguments: Vec::new(),
        };
        let refuse = |code, data: &str| {
            let data = Some(serde_json::value::to_raw_value(data).unwrap());
            let error = rpcs::UserError {
                code,
                message: "Invalid Transaction".to_owned(),
                data,
            };
            refused(error, Hotkey([1; 32]), 7, &call)
        };
        assert!(matches!(
            refuse(1010, "Transaction is outdated"),
            SubmitError::Outdated { .. }
        ));
        assert!(matches!(
            refuse(1010, "Transaction has an ancient birth block"),
            SubmitError::Outdated { .. }
        ));
        assert!(matches!(
            refuse(1013, "Already imported"),
            SubmitError::NonceTaken { nonce: 7, .. }
        ));
        assert!(matches!(
            refuse(1014, "Priority is too low"),
            SubmitError::NonceTaken { .. }
        ));
        assert!(matches!(
            refuse(
                1010,
                "Inability to pay some fees (e.g. account balance too low)"
            ),
            SubmitError::CannotPay { .. }
        ));
        let other = refuse(1010, "Transaction has a bad signature").to_string();
        assert!(
            other.contains("bad signature") && other.contains("1010"),
            "{other}"
        );
    }
}
