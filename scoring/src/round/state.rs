//! The ledger as a value: what a validator knows from all rounds before.

use std::collections::BTreeMap;

use athanor_spec::{Account, Digest, Epoch, Round};
use codec::{Decode, DecodeAll as _, Encode};
use thiserror::Error;

use super::Claim;
use crate::{ledger::Record, rank::Crown};

/// First byte of an encoded ledger; another value is another layout.
const LAYOUT: u8 = 2;
/// Claims that are remembered. A full subnet that commits anew in every epoch makes this many in some seven weeks.
const MAX_CLAIMS: usize = 1 << 18;

/// Everything that carries over from one round to the next. Its digest stands in the transcript of the next round, so
/// that a third party may begin anywhere.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Ledger {
    last: Option<Round>,
    records: BTreeMap<Account, Record>,
    claims: BTreeMap<Digest, Claim>,
    crown: Crown,
}

/// Why bytes are no ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeLedgerError {
    /// Longer than any ledger.
    #[error("a ledger of {len} bytes; none has more than {}", Ledger::MAX_BYTES)]
    TooLong {
        /// Length found.
        len: usize,
    },
    /// Not the encoding of a ledger, or numbers that none holds.
    #[error("the bytes are no ledger of layout {LAYOUT}")]
    Malformed,
}

impl Ledger {
    /// Longest encoded ledger in bytes.
    pub const MAX_BYTES: usize = 128 << 20;

    /// A ledger of parts that were stored one by one.
    pub fn of(
        last: Option<Round>,
        records: BTreeMap<Account, Record>,
        claims: BTreeMap<Digest, Claim>,
        crown: Crown,
    ) -> Self {
        Self {
            last,
            records,
            claims,
            crown,
        }
    }

    /// The last round that was closed on it.
    pub fn last(&self) -> Option<Round> {
        self.last
    }

    /// What each registration has shown.
    pub fn records(&self) -> &BTreeMap<Account, Record> {
        &self.records
    }

    /// Who committed first, by the digest of the tensors.
    pub fn claims(&self) -> &BTreeMap<Digest, Claim> {
        &self.claims
    }

    /// Who holds the crown, and the duels for it.
    pub fn crown(&self) -> &Crown {
        &self.crown
    }

    /// The earliest claim known to these tensors.
    pub fn claim_to(&self, tensors: &Digest) -> Option<&Claim> {
        self.claims.get(tensors)
    }

    /// Names the ledger: blake3 of its encoding.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// A layout byte and the SCALE encoding; equal ledgers have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        (LAYOUT, self).encode()
    }

    /// Reads an encoded ledger; whoever gave the bytes may have written anything.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeLedgerError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(DecodeLedgerError::TooLong { len: bytes.len() });
        }
        match bytes.split_first() {
            Some((&LAYOUT, mut rest)) => Self::decode_all(&mut rest)
                .ok()
                .filter(|ledger| {
                    ledger.claims.len() <= MAX_CLAIMS
                        && Crown::from_bytes(&ledger.crown.to_bytes()).is_ok()
                        && ledger.records.values().all(Record::is_bounded)
                        && ledger.crown.is_bounded()
                })
                .ok_or(DecodeLedgerError::Malformed),
            _ => Err(DecodeLedgerError::Malformed),
        }
    }

    /// Registers a claim unless an earlier one is known. Of two in one block, the smaller account's counts.
    pub(super) fn claim(&mut self, tensors: Digest, claim: Claim) {
        let rank = |claim: &Claim| (claim.committed_at, claim.account);
        let known = self.claims.entry(tensors).or_insert(claim);
        if rank(&claim) < rank(known) {
            *known = claim;
        }
        while self.claims.len() > MAX_CLAIMS {
            let oldest = self
                .claims
                .iter()
                .min_by_key(|(tensors, claim)| (claim.committed_at, **tensors))
                .map(|(tensors, _)| *tensors);
            if let Some(oldest) = oldest {
                self.claims.remove(&oldest);
            }
        }
    }

    /// The claims, and the record of an account, an empty one if it is seen for the first time.
    pub(super) fn claims_and_record(
        &mut self,
        account: Account,
        epoch: Epoch,
    ) -> (&BTreeMap<Digest, Claim>, &mut Record) {
        let record = self
            .records
            .entry(account)
            .or_insert_with(|| Record::new(epoch));
        (&self.claims, record)
    }

    /// The crown, to close a round on.
    pub(super) fn crown_mut(&mut self) -> &mut Crown {
        &mut self.crown
    }

    /// Notes that a round was closed.
    pub(super) fn closed(&mut self, round: Round) {
        self.last = self.last.max(Some(round));
    }
}
