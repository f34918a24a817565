//! Divide one step of a computation among the pool's threads.

use std::ops::Range;

/// Multiplications below which waking another thread costs more than it gains.
pub(crate) const WORTH_SPLITTING: usize = 1 << 16;

/// Runs `work` on `0..count`, whole or in parts that different threads take. `cost` is the multiplications of all.
///
/// Parts are halves of halves, which rayon's threads steal from each other: when the other cores are busy with something
/// else, the caller does everything itself and waits for nobody.
pub(crate) fn over(count: usize, cost: usize, work: impl Fn(Range<usize>) + Sync) {
    let threads = rayon::current_num_threads();
    if threads == 1 || count < 2 || cost < 2 * WORTH_SPLITTING {
        return work(0..count);
    }
    let parts = (cost / WORTH_SPLITTING).min(4 * threads).min(count);
    halve(0..count, count.div_ceil(parts), &work);
}

fn halve(range: Range<usize>, least: usize, work: &(impl Fn(Range<usize>) + Sync)) {
    if range.len() <= least {
        return work(range);
    }
    // A multiple of the least part, so that no tiny one is left over.
    let middle = range.start + (range.len().div_ceil(least) / 2) * least;
    rayon::join(
        || halve(range.start..middle, least, work),
        || halve(middle..range.end, least, work),
    );
}

/// A pointer that threads share to write to different places behind it.
#[derive(Clone, Copy)]
pub(crate) struct Shared(*mut f32);

// SAFETY: it is only a number until somebody writes through it, which is unsafe by itself.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(crate) fn new(values: &mut [f32]) -> Self {
        Self(values.as_mut_ptr())
    }

    /// The pointer that many values on.
    ///
    /// # Safety
    /// It must lie within what the pointer was made of.
    pub(crate) unsafe fn from(self, offset: usize) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { self.0.add(offset) })
    }

    /// The address that many values on.
    ///
    /// # Safety
    /// It must lie within what the pointer was made of.
    pub(crate) unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn everything_is_worked_on_once_however_it_is_divided() {
        for count in [0, 1, 2, 3, 7, 64, 1001] {
            for cost in [0, 3 * WORTH_SPLITTING, usize::MAX] {
                let seen: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                over(count, cost, |range| {
                    for item in &seen[range] {
                        item.fetch_add(1, Ordering::Relaxed);
                    }
                });
                assert!(seen.iter().all(|item| item.load(Ordering::Relaxed) == 1));
            }
        }
    }
}
