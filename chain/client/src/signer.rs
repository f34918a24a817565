//! Signs extrinsics with an sr25519 key.

use athanor_spec::Hotkey;
use sp_core::{Pair as _, sr25519};
use subxt::{
    SubstrateConfig,
    config::substrate::{AccountId32, MultiSignature},
    transactions::Signer,
};

/// Lends a key pair to subxt for one signature.
pub(crate) struct PairSigner<'a>(pub(crate) &'a sr25519::Pair);

impl PairSigner<'_> {
    pub(crate) fn account(&self) -> Hotkey {
        Hotkey(self.0.public().0)
    }
}

impl Signer<SubstrateConfig> for PairSigner<'_> {
    fn account_id(&self) -> AccountId32 {
        AccountId32(self.0.public().0)
    }

    fn sign(&self, payload: &[u8]) -> MultiSignature {
        MultiSignature::Sr25519(self.0.sign(payload).0)
    }
}
