//! The mapping itself: the only unsafe code of the crate.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A shared mapping of a whole file (mmap(2), MAP_SHARED): what is stored here is in the page cache at once and
/// outlives the process.
///
/// The file must stay as long as it was: it is ours alone, in a folder that only we write, and held by a lock.
pub(super) struct Map {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to no thread; all access goes through atomics, or through `copy_in` and `copy_out`,
// whose callers keep writers and readers of one range apart.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// Maps `len` bytes of `file`, which must be at least so long.
    pub(super) fn new(file: BorrowedFd<'_>, len: usize) -> std::io::Result<Map> {
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Map { start, len })
    }

    /// The `index`th eight bytes as an atomic. Panics beyond the end.
    pub(super) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.len / 8);
        // SAFETY: in range by the assertion, aligned as the mapping starts on a page, alive as long as `self`;
        // words are used as atomics only, and `copy_in`/`copy_out` are not used on the header that they make up.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().cast::<u64>().add(index)) }
    }

    /// Stores `bytes` at `offset`. Panics beyond the end. No other thread may use the range meanwhile.
    pub(super) fn copy_in(&self, offset: usize, bytes: &[u8]) {
        assert!(offset.checked_add(bytes.len()).is_some_and(|end| end <= self.len));
        // SAFETY: in range by the assertion; a slice of ours cannot overlap the mapping, of which no reference is given out.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr().add(offset), bytes.len()) }
    }

    /// Appends `len` bytes from `offset` to `out`. Panics beyond the end. No other thread may store there meanwhile.
    pub(super) fn copy_out(&self, offset: usize, len: usize, out: &mut Vec<u8>) {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len));
        out.reserve(len);
        // SAFETY: in range by the assertion; `reserve` made room for `len` bytes behind the old length, which are
        // initialised by the copy before the length includes them.
        unsafe {
            std::ptr::copy_nonoverlapping(self.start.as_ptr().add(offset), out.as_mut_ptr().add(out.len()), len);
            out.set_len(out.len() + len);
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: start and length are those of our own mapping; no reference into it outlives `self`. A failure
        // (it cannot fail for such a range) would leak the mapping and nothing else.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}
