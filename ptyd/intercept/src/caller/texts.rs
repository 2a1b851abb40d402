//! Strings in the caller's memory.

use std::cell::RefCell;
use std::ffi::{CStr, CString};

use rustix::io::Errno;

use super::memory::{MAX_ARGUMENT, MAX_ARGUMENTS, PAGE};
use super::words::Words;
use crate::sys::memory;

const PATH_MAX: usize = libc::PATH_MAX as usize;

/// How many pages are remembered and how many are read at once: the strings of an environment lie on a few.
const REMEMBERED: usize = 16;

/// For how many strings pages are read at once: that none of them is missing must be found out quickly, too.
const LOOKED_AHEAD: usize = 64;

/// How much of a string that goes on behind its page is read ahead.
const AHEAD: u64 = 8;

/// Pages of a task's memory that were read: what lies together costs one read, and nothing is read twice as long as
/// it is remembered.
pub(crate) struct Texts {
    tid: i32,
    /// The oldest first.
    pages: Vec<Page>,
}

struct Page {
    address: u64,
    bytes: Bytes,
}

type Bytes = Box<[u8; PAGE as usize]>;

thread_local! {
    /// Room for pages that nobody needs at the moment.
    static SPARE: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

/// Room for a page, which holds anything.
fn room() -> Bytes {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| Box::new([0; PAGE as usize]))
}

fn start(address: u64) -> u64 {
    address & !(PAGE - 1)
}

impl Drop for Texts {
    fn drop(&mut self) {
        SPARE.with_borrow_mut(|spare| {
            let places = REMEMBERED.saturating_sub(spare.len());
            spare.extend(self.pages.drain(..).take(places).map(|page| page.bytes));
        });
    }
}

impl Texts {
    pub(super) fn new(tid: i32) -> Self {
        Texts { tid, pages: Vec::new() }
    }

    fn place(&self, address: u64) -> Option<usize> {
        self.pages.iter().position(|page| page.address == start(address))
    }

    /// Reads the pages of these addresses with one call, as far as they are not there yet. What cannot be read is
    /// found out when it is asked for.
    pub(crate) fn load(&mut self, addresses: impl IntoIterator<Item = u64>) {
        let mut missing: Vec<u64> = Vec::new();
        for address in addresses {
            if address != 0 && self.place(address).is_none() && !missing.contains(&start(address)) {
                missing.push(start(address));
                if missing.len() == REMEMBERED {
                    break;
                }
            }
        }
        let mut buffers: Vec<_> = missing.iter().map(|_| room()).collect();
        let whole = memory::read_pages(self.tid, &missing, &mut buffers).unwrap_or(0);
        for (address, bytes) in missing.into_iter().zip(buffers).take(whole) {
            self.remember(Page { address, bytes });
        }
    }

    fn remember(&mut self, page: Page) {
        if self.pages.len() == REMEMBERED {
            self.pages.remove(0);
        }
        self.pages.push(page);
    }

    /// The bytes from `address` to the end of its page.
    fn at(&mut self, address: u64) -> Result<&[u8], Errno> {
        let place = match self.place(address) {
            Some(place) => place,
            None => {
                let (start, mut bytes) = (start(address), room());
                // A page is there or is not.
                if memory::read(self.tid, start, &mut bytes[..])? < bytes.len() {
                    return Err(Errno::FAULT);
                }
                self.remember(Page { address: start, bytes });
                self.pages.len() - 1
            }
        };
        Ok(&self.pages[place].bytes[(address - start(address)) as usize..])
    }

    /// Appends the NUL-terminated string at `address` with its NUL, or fails with `too_long` if it has `limit` bytes
    /// and more before it.
    fn string(&mut self, mut address: u64, limit: usize, too_long: Errno, into: &mut Vec<u8>) -> Result<(), Errno> {
        let before = into.len();
        loop {
            let rest = self.at(address)?;
            let end = CStr::from_bytes_until_nul(rest).ok().map(CStr::count_bytes);
            into.extend_from_slice(end.map_or(rest, |end| &rest[..=end]));
            if into.len() - before - usize::from(end.is_some()) >= limit {
                return Err(too_long);
            }
            if end.is_some() {
                return Ok(());
            }
            address = start(address).checked_add(PAGE).ok_or(Errno::FAULT)?;
            if self.place(address).is_none() {
                self.load((0..AHEAD).filter_map(|page| address.checked_add(page * PAGE)));
            }
        }
    }

    /// The path at `address`, without its NUL; it may be empty.
    ///
    /// # Errors
    /// `ENAMETOOLONG` from `PATH_MAX` bytes on, `EFAULT` for memory that is not there, `EPERM` for memory
    /// that we may not read.
    pub(crate) fn path(&mut self, address: u64) -> Result<CString, Errno> {
        let mut path = Vec::new();
        self.string(address, PATH_MAX, Errno::NAMETOOLONG, &mut path)?;
        CString::from_vec_with_nul(path).map_err(|_| Errno::FAULT)
    }

    /// The strings that the NULL-terminated array at `address` points to; a null array is an empty one.
    ///
    /// # Errors
    /// As [`Caller::read_string_array`](super::Caller::read_string_array).
    pub(crate) fn array(&mut self, address: u64) -> Result<Words, Errno> {
        if address == 0 {
            return Ok(Words::default());
        }
        let pointers = self.pointers(address)?;
        let mut words = Words::for_strings(pointers.len());
        for (index, pointer) in pointers.iter().enumerate() {
            if self.place(*pointer).is_none() {
                self.load(pointers[index..].iter().take(LOOKED_AHEAD).copied());
            }
            words.push_with(|bytes| self.string(*pointer, MAX_ARGUMENT, Errno::TOOBIG, bytes))?;
            if words.block().len() + 8 * (index + 1) > MAX_ARGUMENTS {
                return Err(Errno::TOOBIG);
            }
        }
        Ok(words)
    }

    /// The pointers of a NULL-terminated array.
    fn pointers(&mut self, mut address: u64) -> Result<Vec<u64>, Errno> {
        let mut pointers = Vec::new();
        loop {
            let pointer = self.pointer(address)?;
            if pointer == 0 {
                return Ok(pointers);
            }
            pointers.push(pointer);
            // Each string takes one byte at least.
            if pointers.len() * 9 > MAX_ARGUMENTS {
                return Err(Errno::TOOBIG);
            }
            address = address.checked_add(8).ok_or(Errno::FAULT)?;
        }
    }

    fn pointer(&mut self, address: u64) -> Result<u64, Errno> {
        if let Some(bytes) = self.at(address)?.first_chunk() {
            return Ok(u64::from_ne_bytes(*bytes));
        }
        let mut pointer = [0; 8];
        for (offset, byte) in (0..).zip(&mut pointer) {
            // A pointer need not be aligned and may straddle two pages.
            *byte = self.at(address.checked_add(offset).ok_or(Errno::FAULT)?)?[0];
        }
        Ok(u64::from_ne_bytes(pointer))
    }
}
