//! Keeps the things used last, as many as a weight allows.

use std::{collections::HashMap, hash::Hash};

/// A cache bounded by the weight of what it holds; what was unused for longest goes first.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    held: HashMap<K, Held<V>>,
    limit: u64,
    weight: u64,
    clock: u64,
}

#[derive(Debug)]
struct Held<V> {
    value: V,
    weight: u64,
    used: u64,
}

impl<K: Clone + Eq + Hash, V> Cache<K, V> {
    /// An empty cache that holds at most `limit`.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            held: HashMap::new(),
            limit,
            weight: 0,
            clock: 0,
        }
    }

    /// The most that it holds.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// What is held under the key, which is thereby used.
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        self.clock += 1;
        let held = self.held.get_mut(key)?;
        held.used = self.clock;
        Some(&held.value)
    }

    /// Makes room for something of that weight. Whether there is any: what is heavier than the limit has none.
    pub(super) fn make_room(&mut self, weight: u64) -> bool {
        if weight > self.limit {
            return false;
        }
        while self.weight > self.limit - weight {
            let oldest = self.held.iter().min_by_key(|(_, held)| held.used);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            if let Some(gone) = self.held.remove(&key) {
                self.weight -= gone.weight;
            }
        }
        true
    }

    /// Holds a value, if it is not heavier than the limit.
    pub(super) fn put(&mut self, key: K, value: V, weight: u64) {
        if let Some(before) = self.held.remove(&key) {
            self.weight -= before.weight;
        }
        if !self.make_room(weight) {
            return;
        }
        self.clock += 1;
        let used = self.clock;
        self.weight += weight;
        let held = Held {
            value,
            weight,
            used,
        };
        self.held.insert(key, held);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.weight = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_unused_for_longest_goes_first() {
        let mut cache = Cache::new(10);
        cache.put("a", 1, 4);
        cache.put("b", 2, 4);
        assert_eq!(cache.get(&"a"), Some(&1));
        cache.put("c", 3, 4);
        assert_eq!(cache.get(&"a"), Some(&1));
        assert_eq!(cache.get(&"b"), None);
        cache.put("huge", 4, 11);
        assert_eq!(cache.get(&"huge"), None);
        assert_eq!(cache.get(&"c"), Some(&3));
        assert!(!cache.make_room(11));
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_its_limit(puts in proptest::collection::vec((0_u8..20, 0_u64..40), 0..200)) {
            let mut cache = Cache::new(60);
            for (key, weight) in puts {
                cache.put(key, weight, weight);
                let held: u64 = cache.held.values().map(|held| held.weight).sum();
                prop_assert_eq!(held, cache.weight);
                prop_assert!(held <= 60);
                prop_assert_eq!(cache.get(&key), Some(&weight));
            }
        }
    }
}
