//! What two hotkeys have signed about one exchange: the ask and the answer to it.
//!
//! A receipt needs nobody's word: both signatures can be checked by anybody, and whoever has the checkpoint that the
//! answer names can replay it. Transcripts are made of them, and a gateway gives one to its client.

use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode};
use thiserror::Error;

use crate::{
    Answer, Ask, Finish, Signed, SigningContext,
    params::Limits,
    wire::{max_ask_bytes, max_ask_frame_bytes},
};

/// First byte of a receipt that stands alone, in a file or in a gateway's response.
const LAYOUT: u8 = 1;

/// A signed ask and the signed answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Receipt {
    /// What was asked, signed by a validator.
    pub ask: Signed<Ask>,
    /// What was answered, signed by a miner.
    pub answer: Signed<Answer>,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// The ask's signature does not verify.
    #[error("the ask is not signed by its signer, or for another chain or subnet")]
    AskSignature,
    /// The answer's signature does not verify.
    #[error("the answer is not signed by its signer, or for another chain or subnet")]
    AnswerSignature,
    /// The answer names another ask.
    #[error("the answer is to another ask")]
    OtherAsk,
    /// The answer has no tokens, more than were asked for, or was cut.
    #[error("the answer has no tokens, more than were asked for, or fewer than its end says")]
    Tokens,
}

/// Bytes that are no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeReceiptError {
    /// Longer than any receipt of this subnet.
    #[error("a receipt of {len} bytes; none of this subnet has more than {bound}")]
    TooLong {
        /// Length found.
        len: usize,
        /// Longest that there is.
        bound: u64,
    },
    /// Not of this layout.
    #[error("not a receipt of layout {LAYOUT}")]
    Malformed,
}

impl Receipt {
    /// Checks both signatures and that ask and answer belong together. The time windows of both have long passed; which
    /// checkpoint the answer had to come from, and whether it did, is for the replay to say.
    pub fn check(&self, context: &SigningContext) -> Result<(), ReceiptError> {
        self.ask
            .verify_signature(context)
            .map_err(|_| ReceiptError::AskSignature)?;
        self.answer
            .verify_signature(context)
            .map_err(|_| ReceiptError::AnswerSignature)?;
        let (ask, answer) = (&self.ask.payload, &self.answer.payload);
        if answer.request != ask.hash() {
            return Err(ReceiptError::OtherAsk);
        }
        let (tokens, limit) = (answer.tokens.len(), usize::from(ask.max_new_tokens));
        if tokens == 0 || tokens > limit || (answer.finish == Finish::Length && tokens < limit) {
            return Err(ReceiptError::Tokens);
        }
        Ok(())
    }

    /// Longest encoding of a receipt on a subnet with these limits, in bytes.
    pub const fn max_bytes(limits: &Limits) -> u64 {
        1 + max_ask_bytes(limits) + max_ask_frame_bytes(limits)
    }

    /// The receipt as it is kept in a file: a layout byte and the SCALE encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        (LAYOUT, self).encode()
    }

    /// Reads what [`Receipt::to_bytes`] wrote; whoever gave the bytes may have written anything.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeReceiptError> {
        let bound = Self::max_bytes(limits);
        if bytes.len() as u64 > bound {
            return Err(DecodeReceiptError::TooLong {
                len: bytes.len(),
                bound,
            });
        }
        match bytes.split_first() {
            Some((&LAYOUT, mut rest)) => {
                Self::decode_all(&mut rest).map_err(|_| DecodeReceiptError::Malformed)
            }
            _ => Err(DecodeReceiptError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use sp_core::{Pair as _, sr25519};

    use super::*;
    use crate::{Digest, NetUid, SubnetSpec};

    const CONTEXT: SigningContext = SigningContext {
        genesis: Digest([7; 32]),
        netuid: NetUid(1),
    };

    fn receipt(change: impl FnOnce(&mut Answer)) -> Receipt {
        let ask = Ask {
            prompt: vec![1, 2],
            max_new_tokens: 3,
            temperature_milli: 700,
            seed: 9,
        };
        let mut answer = Answer {
            request: ask.hash(),
            checkpoint: Digest([4; 32]),
            tokens: vec![5, 6, 7],
            finish: Finish::Length,
        };
        change(&mut answer);
        let pair = |seed| sr25519::Pair::from_seed(&[seed; 32]);
        Receipt {
            ask: Signed::new(&pair(1), &CONTEXT, ask, 1_000, 10, 1),
            answer: Signed::new(&pair(2), &CONTEXT, answer, 1_005, 10, 1),
        }
    }

    #[test]
    fn a_receipt_holds_long_after_its_time_and_only_where_it_was_signed() {
        assert_eq!(receipt(|_| ()).check(&CONTEXT), Ok(()));
        let elsewhere = SigningContext {
            netuid: NetUid(2),
            ..CONTEXT
        };
        assert_eq!(
            receipt(|_| ()).check(&elsewhere),
            Err(ReceiptError::AskSignature)
        );
        let mut forged = receipt(|_| ());
        forged.answer.payload.tokens[0] = 8;
        assert_eq!(forged.check(&CONTEXT), Err(ReceiptError::AnswerSignature));
    }

    #[test]
    fn an_answer_that_is_not_to_the_ask_is_no_receipt() {
        let check = |change: fn(&mut Answer), error| {
            assert_eq!(receipt(change).check(&CONTEXT), Err(error));
        };
        check(|a| a.request = Digest([0; 32]), ReceiptError::OtherAsk);
        check(|a| a.tokens.clear(), ReceiptError::Tokens);
        check(|a| a.tokens.push(1), ReceiptError::Tokens);
        check(|a| a.tokens.truncate(2), ReceiptError::Tokens);
    }

    #[test]
    fn the_bytes_round_trip_and_anything_else_is_refused() {
        let limits = SubnetSpec::local().limits;
        let receipt = receipt(|_| ());
        let bytes = receipt.to_bytes();
        assert_eq!(Receipt::from_bytes(&bytes, &limits), Ok(receipt));
        let check = |bytes: &[u8], error| {
            assert_eq!(Receipt::from_bytes(bytes, &limits), Err(error));
        };
        check(&bytes[1..], DecodeReceiptError::Malformed);
        check(&bytes[..bytes.len() - 1], DecodeReceiptError::Malformed);
        check(&[&bytes[..], &[0]].concat(), DecodeReceiptError::Malformed);
        let bound = Receipt::max_bytes(&limits);
        let len = bound as usize + 1;
        check(&vec![1; len], DecodeReceiptError::TooLong { len, bound });
    }
}
