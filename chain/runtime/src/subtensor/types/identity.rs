//! How subnets and people present themselves.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::TypeInfo;

/// Longest name, in bytes.
const SHORT: usize = 256;
/// Longest text or address, in bytes.
const LONG: usize = 1_024;

/// How a subnet presents itself, in UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[allow(missing_docs)]
pub struct SubnetIdentityV3 {
    pub subnet_name: Vec<u8>,
    pub github_repo: Vec<u8>,
    pub subnet_contact: Vec<u8>,
    pub subnet_url: Vec<u8>,
    pub discord: Vec<u8>,
    pub description: Vec<u8>,
    pub logo_url: Vec<u8>,
    pub additional: Vec<u8>,
}

impl SubnetIdentityV3 {
    /// Whether no part is too long (`is_valid_subnet_identity`).
    pub fn fits(&self) -> bool {
        self.subnet_name.len() <= SHORT
            && self.discord.len() <= SHORT
            && [
                &self.github_repo,
                &self.subnet_contact,
                &self.subnet_url,
                &self.description,
                &self.logo_url,
                &self.additional,
            ]
            .iter()
            .all(|text| text.len() <= LONG)
    }
}

/// How a coldkey presents itself, in UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[allow(missing_docs)]
pub struct ChainIdentityV2 {
    pub name: Vec<u8>,
    pub url: Vec<u8>,
    pub github_repo: Vec<u8>,
    pub image: Vec<u8>,
    pub discord: Vec<u8>,
    pub description: Vec<u8>,
    pub additional: Vec<u8>,
}

impl ChainIdentityV2 {
    /// Whether no part is too long (`is_valid_identity`).
    pub fn fits(&self) -> bool {
        [&self.name, &self.url, &self.github_repo, &self.discord]
            .iter()
            .all(|text| text.len() <= SHORT)
            && [&self.image, &self.description, &self.additional]
                .iter()
                .all(|text| text.len() <= LONG)
    }
}

/// A hotkey's public key for TLS.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct NeuronCertificate {
    /// The key.
    pub public_key: BoundedVec<u8, ConstU32<64>>,
    /// What kind of key it is.
    pub algorithm: u8,
}

impl NeuronCertificate {
    /// Reads the kind, one byte, and the key, up to 64 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (algorithm, key) = bytes.split_first()?;
        Some(Self {
            public_key: key.to_vec().try_into().ok()?,
            algorithm: *algorithm,
        })
    }
}
