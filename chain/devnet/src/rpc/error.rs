//! Errors with the codes and texts that clients know.

use jsonrpsee::types::{
    ErrorObjectOwned,
    error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE, SERVER_IS_BUSY_CODE},
};
use sp_core::H256;

use crate::{executor::CallError, ledger::StateError, pool::SubmitError, workers::NotRun};

/// Something failed on this side.
pub(super) fn internal(message: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INTERNAL_ERROR_CODE, message.into(), None::<()>)
}

/// Nobody was there to answer.
pub(super) fn not_run(reason: NotRun) -> ErrorObjectOwned {
    match reason {
        NotRun::Busy => ErrorObjectOwned::owned(
            SERVER_IS_BUSY_CODE,
            "too many requests wait for an answer, try again later",
            None::<()>,
        ),
        NotRun::Stopped => internal("the devnet is shutting down"),
    }
}

/// The arguments are not what the method takes.
pub(super) fn arguments(message: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_PARAMS_CODE, message.into(), None::<()>)
}

/// A state cannot be read.
pub(super) fn state(error: StateError) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(
        4003,
        format!("Client error: UnknownBlock: {error}"),
        None::<()>,
    )
}

/// A runtime call's state cannot be read; the words differ, and clients look for them.
pub(super) fn call_state(error: StateError) -> ErrorObjectOwned {
    let message = format!("Client error: Api called for an unknown Block: {error}");
    ErrorObjectOwned::owned(4003, message, None::<()>)
}

/// A runtime call failed.
pub(super) fn call(error: CallError) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(4003, format!("Client error: {error}"), None::<()>)
}

/// An extrinsic was not taken.
pub(super) fn submit(error: SubmitError) -> ErrorObjectOwned {
    use sp_runtime::transaction_validity::{InvalidTransaction, UnknownTransaction};
    let message = error.to_string();
    let (code, data) = match error {
        SubmitError::Format => (1001, None),
        SubmitError::Verification(_) => (1002, None),
        SubmitError::Invalid(InvalidTransaction::Custom(code)) => {
            (1010, Some(format!("Custom error: {code}")))
        }
        SubmitError::Invalid(reason) => (1010, Some(<&'static str>::from(reason).to_owned())),
        SubmitError::Unknown(UnknownTransaction::Custom(code)) => {
            (1011, Some(format!("Custom error: {code}")))
        }
        SubmitError::Unknown(reason) => (1011, Some(<&'static str>::from(reason).to_owned())),
        SubmitError::AlreadyImported(hash) => {
            return ErrorObjectOwned::owned(
                1013,
                "Transaction Already Imported",
                Some(already_imported(hash)),
            );
        }
        SubmitError::PriorityTooLow { old, new } => {
            let message = format!("Priority is too low: ({old} vs {new})");
            let reason = "The transaction has too low priority to replace another transaction \
                          already in the pool.";
            return ErrorObjectOwned::owned(1014, message, Some(reason));
        }
        SubmitError::Full => (1016, Some("The pool is full.".to_owned())),
    };
    ErrorObjectOwned::owned(code, message, data)
}

fn already_imported(hash: H256) -> String {
    format!("The transaction {hash:?} is in the pool.")
}
