//! Whose turn it is: start-time fair queueing over hotkeys, in model tokens.
//!
//! Goyal, Vin, Cheng: "Start-time Fair Queuing" (SIGCOMM 1996). A request starts at the virtual time at which its asker's
//! previous one ends, or now if the asker was idle; it ends `tokens / weight` later; the earliest start is served first. What
//! follows, whatever the others send:
//!
//! - the first request of an idle asker waits for at most one request of every other asker;
//! - before a request with `c` tokens of the same asker ahead of it, another asker is served at most
//!   `c * (its weight / this weight)` tokens and one request.
//!
//! The queue holds at most its capacity. When it is full, the newest request of whoever holds most for its weight makes room,
//! so that a flood displaces itself.

use std::collections::{HashMap, VecDeque};

use athanor_spec::Hotkey;

use super::roster::Weight;

/// Virtual time per token at full weight: a fine grain, so that rounding favours nobody.
const GRAIN: u128 = 1_000_000;

/// Requests that wait, in a line for each asker.
#[derive(Debug)]
pub struct FairQueue<T> {
    capacity: usize,
    len: usize,
    /// Start of the request that was served last.
    now: u128,
    lines: HashMap<Hotkey, Line<T>>,
}

/// One asker's requests.
#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<Waiting<T>>,
    /// Virtual time at which the newest request ends.
    end: u128,
    /// Tokens that wait.
    tokens: u64,
    weight: Weight,
}

#[derive(Debug)]
struct Waiting<T> {
    start: u128,
    tokens: u32,
    item: T,
}

/// A request that has no place in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displaced<T> {
    /// Whose it is.
    pub asker: Hotkey,
    /// Its tokens.
    pub tokens: u32,
    /// The request.
    pub item: T,
}

impl<T> FairQueue<T> {
    /// An empty queue for `capacity` requests.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            len: 0,
            now: 0,
            lines: HashMap::new(),
        }
    }

    /// Requests that wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tokens of an asker that wait.
    pub fn waiting_tokens(&self, asker: &Hotkey) -> u64 {
        self.lines.get(asker).map_or(0, |line| line.tokens)
    }

    /// Sum of the weights of those who wait, in thousandths.
    pub fn waiting_weight(&self) -> u32 {
        let waiting = self.lines.values().filter(|line| !line.waiting.is_empty());
        waiting
            .map(|line| u32::from(line.weight.thousandths()))
            .sum()
    }

    /// Appends a request to its asker's line; returns the one that has no place, which may be this one.
    pub fn push(
        &mut self,
        asker: Hotkey,
        weight: Weight,
        tokens: u32,
        item: T,
    ) -> Option<Displaced<T>> {
        if self.lines.len() > self.capacity.max(1) {
            // An asker whose last request ended in the past is as one that was never here.
            let now = self.now;
            self.lines
                .retain(|_, line| !line.waiting.is_empty() || line.end > now);
        }
        let line = self.lines.entry(asker).or_insert_with(|| Line {
            waiting: VecDeque::new(),
            end: 0,
            tokens: 0,
            weight,
        });
        line.weight = weight;
        let start = line.end.max(self.now);
        line.end = start + duration(tokens, weight);
        line.tokens += u64::from(tokens);
        line.waiting.push_back(Waiting {
            start,
            tokens,
            item,
        });
        self.len += 1;
        if self.len <= self.capacity {
            return None;
        }
        self.displace()
    }

    /// The request whose turn it is.
    pub fn pop(&mut self) -> Option<(Hotkey, u32, T)> {
        let (asker, line) = self
            .lines
            .iter_mut()
            .filter_map(|(asker, line)| {
                let start = line.waiting.front()?.start;
                Some((start, *asker, line))
            })
            // Among equals by hotkey: a hash map's order would make no two runs alike.
            .min_by_key(|(start, asker, _)| (*start, asker.0))
            .map(|(_, asker, line)| (asker, line))?;
        let Waiting {
            start,
            tokens,
            item,
        } = line.waiting.pop_front()?;
        line.tokens -= u64::from(tokens);
        self.now = self.now.max(start);
        self.len -= 1;
        Some((asker, tokens, item))
    }

    /// Takes out what nobody waits for any more. Its asker pays for it with its turn all the same, or asking and leaving would
    /// be free.
    pub fn remove_if(&mut self, gone: impl Fn(&T) -> bool) -> Vec<T> {
        let mut removed = Vec::new();
        for line in self.lines.values_mut() {
            if !line.waiting.iter().any(|waiting| gone(&waiting.item)) {
                continue;
            }
            for waiting in std::mem::take(&mut line.waiting) {
                if gone(&waiting.item) {
                    line.tokens -= u64::from(waiting.tokens);
                    removed.push(waiting.item);
                } else {
                    line.waiting.push_back(waiting);
                }
            }
        }
        self.len -= removed.len();
        removed
    }

    /// Takes out the newest request of whoever holds most for its weight.
    fn displace(&mut self) -> Option<Displaced<T>> {
        let (asker, line) = self
            .lines
            .iter_mut()
            .filter(|(_, line)| !line.waiting.is_empty())
            .max_by_key(|(asker, line)| {
                let held = u128::from(line.tokens) * GRAIN / u128::from(line.weight.thousandths());
                (held, asker.0)
            })?;
        let Waiting {
            start,
            tokens,
            item,
        } = line.waiting.pop_back()?;
        line.end = start;
        line.tokens -= u64::from(tokens);
        self.len -= 1;
        Some(Displaced {
            asker: *asker,
            tokens,
            item,
        })
    }
}

fn duration(tokens: u32, weight: Weight) -> u128 {
    u128::from(tokens) * GRAIN / u128::from(weight.thousandths())
}

#[cfg(test)]
mod tests;
