//! Memory for numbers that vector instructions stream through: whole cache lines, and huge pages where there are any.

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

/// A cache line, which is also the widest vector.
const LINE: usize = 64;
/// A huge page of x86-64 and of aarch64 with pages of 4 KiB.
const HUGE: usize = 2 << 20;

/// Types whose every bit pattern is a value, zero among them, and that need no drop.
///
/// # Safety
/// Both must hold of the type.
pub(crate) unsafe trait Plain: Copy + Send + Sync + 'static {}

// SAFETY: numbers.
unsafe impl Plain for f32 {}
// SAFETY: numbers.
unsafe impl Plain for u16 {}
// SAFETY: numbers.
unsafe impl Plain for i8 {}

/// A slice of its own, aligned to cache lines. A large one asks the system for huge pages: walking through a model's
/// weights otherwise needs a new address translation every few hundred weights.
pub(crate) struct Aligned<T: Plain> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: the slice is owned, and numbers can be sent and shared.
unsafe impl<T: Plain> Send for Aligned<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Aligned<T> {}

impl<T: Plain> Aligned<T> {
    /// That many zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let Some(layout) = Self::layout(len) else {
            let start = NonNull::dangling();
            return Self { start, len: 0 };
        };
        // SAFETY: the layout has a size above zero.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }.cast::<T>()) else {
            handle_alloc_error(layout)
        };
        if layout.align() == HUGE {
            ask_for_huge_pages(start.as_ptr().cast(), layout.size());
        }
        // SAFETY: the allocation has room for `len` values, of which zero is one.
        unsafe { start.as_ptr().write_bytes(0, len) };
        Self { start, len }
    }

    /// `None` when there is nothing to allocate.
    fn layout(len: usize) -> Option<Layout> {
        let size = len.checked_mul(size_of::<T>())?;
        let align = if size >= 2 * HUGE { HUGE } else { LINE };
        Layout::from_size_align(size, align)
            .ok()
            .filter(|layout| layout.size() > 0)
    }
}

/// That many zeros as a vector, in huge pages where the system gives it fresh memory.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    let mut zeros = vec![0.0f32; len];
    let (start, bytes) = (
        zeros.as_mut_ptr().cast::<u8>(),
        size_of_val(zeros.as_slice()),
    );
    let skipped = start.align_offset(HUGE);
    if skipped < bytes && bytes - skipped >= HUGE {
        // SAFETY: both offsets lie inside the vector.
        let first = unsafe { start.add(skipped) };
        ask_for_huge_pages(first, (bytes - skipped) / HUGE * HUGE);
    }
    zeros
}

/// Lets the allocator keep what is freed. A training step frees and takes the same hundreds of megabytes again and again,
/// and memory that went back to the system comes back page by page, cleared.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_freed_memory() {
    // SAFETY: the calls change when memory goes back to the system, nothing else.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// Other allocators decide for themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_freed_memory() {}

#[cfg(target_os = "linux")]
fn ask_for_huge_pages(start: *mut u8, bytes: usize) {
    // SAFETY: the range was just allocated; the call changes how it is mapped, never what it holds. A refusal costs
    // only speed.
    unsafe { libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: *mut u8, _: usize) {}

impl<T: Plain> Drop for Aligned<T> {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.len) {
            // SAFETY: it was allocated with this layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) };
        }
    }
}

impl<T: Plain> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` initialised values, or none at a dangling, aligned address.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Plain> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the slice is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Plain> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: Plain> fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aligned({} values)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_of_any_length_is_zero_and_aligned() {
        for len in [0, 1, 17, 4096, 3 << 20] {
            let mut slice = Aligned::<f32>::zeros(len);
            assert_eq!(slice.len(), len);
            assert!(slice.iter().all(|&x| x == 0.0));
            assert_eq!(slice.as_ptr() as usize % if len == 0 { 4 } else { LINE }, 0);
            if let Some(last) = slice.last_mut() {
                *last = 1.0;
                assert_eq!(slice.clone().last(), Some(&1.0));
            }
        }
    }
}
