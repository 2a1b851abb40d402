//! The memory of a process that soon becomes another program: handed out from one piece, and not taken back.
//!
//! Each page that a library's allocator asks the kernel for, and gives back, costs a call and a change of the page
//! tables at every start. What does not fit (a large environment, a relay that lives long) is the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Enough for a start; only what is touched costs memory.
const SIZE: usize = 256 << 10;

/// The largest block taken from the arena.
const LARGEST: usize = 64 << 10;

#[repr(align(64))]
struct Space(UnsafeCell<[u8; SIZE]>);

// SAFETY: the bytes are only reached through blocks that `Arena` hands out, each to one owner.
unsafe impl Sync for Space {}

static SPACE: Space = Space(UnsafeCell::new([0; SIZE]));

pub(crate) struct Arena {
    used: AtomicUsize,
}

#[global_allocator]
static ARENA: Arena = Arena {
    used: AtomicUsize::new(0),
};

impl Arena {
    fn start() -> usize {
        SPACE.0.get() as usize
    }

    fn is_ours(block: *mut u8) -> bool {
        (block as usize).wrapping_sub(Self::start()) < SIZE
    }

    /// Sets the end of what is used, if it still is where `from` says.
    fn moved(&self, from: usize, to: usize) -> bool {
        self.used
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.size() > LARGEST {
            return None;
        }
        loop {
            let used = self.used.load(Ordering::Acquire);
            let at = (Self::start() + used).next_multiple_of(layout.align()) - Self::start();
            let end = at + layout.size();
            if end > SIZE {
                return None;
            }
            if self.moved(used, end) {
                return Some((Self::start() + at) as *mut u8);
            }
        }
    }
}

// SAFETY: a block is either the system's, and goes back there, or a piece of `SPACE` that overlaps no other: `used`
// grows over each in one step, and goes back only over the last one, by its owner.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some(block) => block,
            // SAFETY: the caller's promise.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !Self::is_ours(block) {
            // SAFETY: the block is not ours, so it is the system's.
            return unsafe { System.dealloc(block, layout) };
        }
        let at = block as usize - Self::start();
        self.moved(at + layout.size(), at);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !Self::is_ours(block) {
            // SAFETY: the block is not ours, so it is the system's.
            return unsafe { System.realloc(block, layout, size) };
        }
        let at = block as usize - Self::start();
        if size <= LARGEST && at + size <= SIZE && self.moved(at + layout.size(), at + size) {
            return block;
        }
        // SAFETY: the caller promises a size that makes a layout.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are the caller's, do not overlap, and hold that many bytes.
            unsafe {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_grows_in_place_and_goes_back() {
        let arena = Arena {
            used: AtomicUsize::new(0),
        };
        // SAFETY: sizes and alignments are valid, and each block is used within its size.
        unsafe {
            let eight = Layout::from_size_align_unchecked(8, 8);
            let first = arena.alloc(eight);
            let grown = arena.realloc(first, eight, 100);
            assert_eq!(first, grown);
            let second = arena.alloc(Layout::from_size_align_unchecked(1, 64));
            assert_eq!(second as usize % 64, 0);
            assert!(second as usize >= first as usize + 100);
            arena.dealloc(second, Layout::from_size_align_unchecked(1, 64));
            let third = arena.alloc(Layout::from_size_align_unchecked(1, 64));
            assert_eq!(second, third);
        }
    }

    #[test]
    fn what_does_not_fit_is_the_systems() {
        let arena = Arena {
            used: AtomicUsize::new(SIZE - 16),
        };
        // SAFETY: sizes and alignments are valid, and each block is used within its size.
        unsafe {
            let eight = Layout::from_size_align_unchecked(8, 8);
            let inside = arena.alloc(eight);
            assert!(Arena::is_ours(inside));
            inside.write_bytes(7, 8);
            let outside = arena.realloc(inside, eight, 64);
            assert!(!Arena::is_ours(outside));
            assert_eq!(outside.read(), 7);
            arena.dealloc(outside, Layout::from_size_align_unchecked(64, 8));
            let large = arena.alloc(Layout::from_size_align_unchecked(LARGEST + 1, 8));
            assert!(!Arena::is_ours(large));
            arena.dealloc(large, Layout::from_size_align_unchecked(LARGEST + 1, 8));
        }
    }
}
