//! What an extrinsic would cost, without a signature.

use athanor_spec::{Hotkey, Rao};
use codec::Encode as _;
use scale_decode::DecodeAsType;
use subxt::config::substrate::{AccountId32, MultiSignature};

use super::{Call, SubmitError};
use crate::{Client, items};

/// What would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Pallet and call, as in `Commitments.set_commitment`.
    pub call: String,
    /// Who would sign it.
    pub signer: Hotkey,
    /// Bytes of the extrinsic.
    pub bytes: usize,
    /// The fee by the chain's own reckoning; `None` if its runtime does not tell.
    pub fee: Option<Rao>,
}

/// `RuntimeDispatchInfo`, as far as it is used.
#[derive(DecodeAsType)]
struct DispatchInfo {
    partial_fee: u64,
}

impl Client {
    /// The fee of `call`, signed by `signer`.
    pub(crate) async fn quote(&self, signer: &Hotkey, call: &Call) -> Result<Quote, SubmitError> {
        let state = self.state(None).await?;
        let account = AccountId32(signer.0);
        let nonce = self.rpc().next_nonce(account).await?;
        let payload = call.payload();
        let mut signable = call.signable(&payload, &state, nonce)?;
        // A fee depends on the length of a signature, and not on what it says.
        let signed = signable
            .sign_with_account_and_signature(&account, &MultiSignature::Sr25519([0; 64]))
            .map_err(|error| call.unknown(error))?;
        let mut arguments = signed.encoded().to_vec();
        let bytes = arguments.len();
        u32::try_from(bytes)
            .unwrap_or(u32::MAX)
            .encode_to(&mut arguments);
        let info: Option<DispatchInfo> = state.api(items::QUERY_INFO, &arguments).await?;
        Ok(Quote {
            call: call.path(),
            signer: *signer,
            bytes,
            fee: info.map(|info| Rao(info.partial_fee)),
        })
    }
}
