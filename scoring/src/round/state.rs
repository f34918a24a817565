//! The ledger as a value: what a validator knows from all rounds before.

use std::collections::BTreeMap;

use athanor_spec::{Account, BlockNumber, Digest, Round};
use codec::{Decode, DecodeAll as _, Encode};
use thiserror::Error;

use super::{Chain, Claim, Past};
use crate::{ledger::Record, rank::Crown};

/// First byte of an encoded ledger; another value is another layout.
const LAYOUT: u8 = 3;
/// Claims that are remembered. A full subnet that commits anew in every epoch makes this many in some seven weeks.
const MAX_CLAIMS: usize = 1 << 18;

/// Everything that carries over from one round to the next. Its digest stands in the transcript of the next round, so
/// that a third party may begin anywhere.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Ledger {
    last: Option<Round>,
    records: BTreeMap<Account, Record>,
    claims: BTreeMap<Digest, Claim>,
    pasts: BTreeMap<Account, Past>,
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
        pasts: BTreeMap<Account, Past>,
        crown: Crown,
    ) -> Self {
        Self {
            last,
            records,
            claims,
            pasts,
            crown,
        }
    }

    /// What a ledger knows that was written before models were compared: whoever was the first to commit to the tensors that it
    /// serves is taken for their author. What was not compared then cannot be compared now, as nobody knows who began first.
    pub fn pasts_of_claims(
        records: &BTreeMap<Account, Record>,
        claims: &BTreeMap<Digest, Claim>,
    ) -> BTreeMap<Account, Past> {
        let serves = |claim: &Claim| {
            let record = records.get(&claim.account);
            record.and_then(Record::checkpoint) == Some(claim.manifest)
        };
        let own = claims.iter().filter(|(_, claim)| serves(claim));
        own.map(|(tensors, claim)| {
            let chain = Chain {
                manifest: claim.manifest,
                tensors: *tensors,
                root: *claim,
                like: None,
            };
            let past = Past {
                chain: Some(chain),
                missed: None,
            };
            (claim.account, past)
        })
        .collect()
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

    /// What is remembered of each registration's models.
    pub fn pasts(&self) -> &BTreeMap<Account, Past> {
        &self.pasts
    }

    /// The line of models of one registration.
    pub fn chain(&self, account: &Account) -> Option<&Chain> {
        self.pasts.get(account)?.chain.as_ref()
    }

    /// The first commitment since its last compared model whose checkpoint could not be had.
    pub fn missed(&self, account: &Account) -> Option<BlockNumber> {
        self.pasts.get(account)?.missed
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
                        && ledger.pasts.values().all(Past::is_bounded)
                        && Crown::from_bytes(&ledger.crown.to_bytes()).is_ok()
                        && ledger.records.values().all(Record::is_bounded)
                        && ledger.crown.is_bounded()
                })
                .ok_or(DecodeLedgerError::Malformed),
            _ => Err(DecodeLedgerError::Malformed),
        }
    }

    /// Registers a claim unless an earlier one is known. Returns the one that stands, and whether it took the place of a later
    /// one. Of two in one block, the smaller account's counts.
    pub(super) fn claim(&mut self, tensors: Digest, claim: Claim) -> (Claim, bool) {
        let known = self.claims.entry(tensors).or_insert(claim);
        let replaces = claim.rank() < known.rank();
        if replaces {
            *known = claim;
        }
        let stands = (*known, replaces);
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
        stands
    }

    /// Remembers what an account's models go back to.
    pub(super) fn set_chain(&mut self, account: Account, chain: Chain) {
        let past = Past {
            chain: Some(chain),
            missed: None,
        };
        self.pasts.insert(account, past);
    }

    /// Remembers that what an account committed to could not be had, unless something before it could not be had either.
    pub(super) fn note_missed(&mut self, account: Account, committed_at: BlockNumber) {
        let past = self.pasts.entry(account).or_default();
        past.missed.get_or_insert(committed_at);
    }

    /// Takes the records out, to walk over them and the miners together; they are to be put back.
    pub(super) fn take_records(&mut self) -> BTreeMap<Account, Record> {
        std::mem::take(&mut self.records)
    }

    /// Puts them back.
    pub(super) fn put_records(&mut self, records: BTreeMap<Account, Record>) {
        self.records = records;
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
