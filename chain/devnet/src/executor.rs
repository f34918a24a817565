//! Run the runtime's entry points natively over a state.
//!
//! A runtime call may panic: on undecodable input, on an invalid block, and on a bug of its own. Each call is therefore
//! caught, its panic message kept for the caller and not printed; the overlay is rolled back to where the call began.

use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use sp_externalities::{Extensions, set_and_run_with_externalities};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{Ext, OverlayedChanges, TrieBackend};
use thiserror::Error;

use crate::history::Nodes;

/// The state of one block.
pub(crate) type State = TrieBackend<Nodes, BlakeTwo256>;
/// Changes on top of a state.
pub(crate) type Overlay = OverlayedChanges<BlakeTwo256>;

/// A runtime call that gave no result. The texts are those of a Substrate node: clients match on them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CallError {
    /// There is no such entry point.
    #[error("Execution failed: Other: Exported method {0} is not found")]
    NotFound(String),
    /// The runtime panicked.
    #[error("Execution failed: Execution aborted due to trap: {0}")]
    Panicked(String),
}

thread_local! {
    static IN_RUNTIME: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes the process's panic hook keep quiet, and keep the message, while a thread is inside the runtime.
fn mute_panics_inside_the_runtime() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IN_RUNTIME.get() {
                let message = info.payload_as_str().unwrap_or("no message").to_owned();
                LAST_PANIC.with_borrow_mut(|last| *last = Some(message));
            } else {
                previous(info);
            }
        }));
    });
}

/// Calls `method` with the encoded arguments `data` over `state` and what `overlay` changes of it.
pub(crate) fn call(
    state: &State,
    overlay: &mut Overlay,
    method: &str,
    data: &[u8],
) -> Result<Vec<u8>, CallError> {
    mute_panics_inside_the_runtime();
    overlay
        .enter_runtime()
        .expect("no caller of this function is itself inside the runtime");
    let mut extensions = Extensions::new();
    let mut externalities = Ext::new(overlay, state, Some(&mut extensions));
    IN_RUNTIME.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        set_and_run_with_externalities(&mut externalities, || {
            athanor_runtime::api::dispatch(method, data)
        })
    }));
    IN_RUNTIME.set(false);
    drop(externalities);
    overlay
        .exit_runtime()
        .expect("the runtime was entered above");
    match result {
        Ok(Some(encoded)) => Ok(encoded),
        Ok(None) => Err(CallError::NotFound(method.to_owned())),
        Err(_) => {
            let message = LAST_PANIC.with_borrow_mut(Option::take);
            Err(CallError::Panicked(
                message.unwrap_or_else(|| "no message".to_owned()),
            ))
        }
    }
}

/// Calls `method` and forgets what it changed.
pub(crate) fn query(state: &State, method: &str, data: &[u8]) -> Result<Vec<u8>, CallError> {
    call(state, &mut Overlay::default(), method, data)
}
