//! What the last blocks did: extrinsics and events, newest last.

use std::collections::VecDeque;

use athanor_chain::{BlockContent, EventSummary, ExtrinsicSummary};
use athanor_spec::{BlockNumber, Hotkey};

use super::log::printable;

/// Extrinsics and events kept, each.
const MAX_KEPT: usize = 512;

/// The latest extrinsics and events of the chain.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// Signed extrinsics, oldest first.
    pub extrinsics: VecDeque<ExtrinsicSummary>,
    /// Events but for those of every extrinsic and every block, oldest first.
    pub events: VecDeque<ChainEvent>,
}

/// An event of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEvent {
    /// The block.
    pub block: BlockNumber,
    /// The event.
    pub event: EventSummary,
}

/// Pallets whose events say nothing about a subnet: they book fees and weights of every extrinsic.
const BOOKKEEPING: [&str; 3] = ["System.", "TransactionPayment.", "Balances."];

impl Activity {
    pub(super) fn take(&mut self, content: BlockContent) {
        for mut extrinsic in content.extrinsics {
            if extrinsic.signer.is_some() {
                extrinsic.call = printable(&extrinsic.call);
                push(&mut self.extrinsics, extrinsic);
            }
        }
        for mut event in content.events {
            if BOOKKEEPING
                .iter()
                .any(|pallet| event.name.starts_with(pallet))
            {
                continue;
            }
            event.name = printable(&event.name);
            event.fields = printable(&event.fields);
            let block = content.block;
            push(&mut self.events, ChainEvent { block, event });
        }
    }
}

/// The text of an event's fields with accounts by their names: an account is written as its 32 bytes, in two pairs of
/// parentheses.
pub fn with_names(fields: &str, name: impl Fn(&Hotkey) -> String) -> String {
    let mut text = String::with_capacity(fields.len());
    let mut rest = fields;
    while let Some(at) = rest.find("((") {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let inner = from[2..].split_once("))");
        let bytes = inner.and_then(|(inner, _)| {
            let bytes: Option<Vec<u8>> = inner.split(", ").map(|byte| byte.parse().ok()).collect();
            bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        });
        match (inner, bytes) {
            (Some((_, after)), Some(bytes)) => {
                text.push_str(&name(&Hotkey(bytes)));
                rest = after;
            }
            _ => {
                text.push_str("((");
                rest = &from[2..];
            }
        }
    }
    text.push_str(rest);
    text
}

fn push<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == MAX_KEPT {
        kept.pop_front();
    }
    kept.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_among_fields_get_their_names_and_nothing_else_does() {
        let bytes = [7u8; 32].map(|byte| byte.to_string()).join(", ");
        let fields = format!("{{ netuid: 1, who: (({bytes})), pair: ((1, 2), 3) }}");
        let named = with_names(&fields, |_| "honest#4".to_owned());
        assert_eq!(named, "{ netuid: 1, who: honest#4, pair: ((1, 2), 3) }");
        assert_eq!(with_names("((", |_| unreachable!()), "((");
        let cut = &fields[..60];
        assert_eq!(
            with_names(cut, |_| unreachable!()),
            cut,
            "half an account is none"
        );
    }
}
