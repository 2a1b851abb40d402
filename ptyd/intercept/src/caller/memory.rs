//! Reading the caller's memory, as the kernel would read it.

use std::ffi::CString;

use rustix::io::Errno;

use super::Caller;
use crate::sys::memory;

const PAGE: u64 = 4096;
const PATH_MAX: usize = libc::PATH_MAX as usize;

/// The longest single argument or environment entry, its NUL included (`MAX_ARG_STRLEN`, `execve(2)`).
pub const MAX_ARGUMENT: usize = 32 * PAGE as usize;

/// The most bytes that arguments or environment can have together: the kernel's hard bound, three
/// quarters of 8 MiB, whatever the stack's limit.
pub const MAX_ARGUMENTS: usize = 6 << 20;

/// How many pages are remembered: the strings of an environment lie on a few, in any order.
const REMEMBERED: usize = 8;

/// Pages of the caller's memory that were read, so that strings that lie together cost one read.
struct Pages {
    tid: i32,
    pages: Vec<Page>,
    /// The one that is replaced next.
    oldest: usize,
}

struct Page {
    address: u64,
    filled: usize,
    bytes: Box<[u8; PAGE as usize]>,
}

impl Pages {
    fn new(tid: i32) -> Self {
        Pages {
            tid,
            pages: Vec::new(),
            oldest: 0,
        }
    }

    /// The readable bytes from `address` to the end of its page.
    fn at(&mut self, address: u64) -> Result<&[u8], Errno> {
        let start = address & !(PAGE - 1);
        let place = match self.pages.iter().position(|page| page.address == start) {
            Some(place) => place,
            None => self.read(start)?,
        };
        let page = &self.pages[place];
        match page.bytes[..page.filled].get((address - start) as usize..) {
            Some(rest) if !rest.is_empty() => Ok(rest),
            _ => Err(Errno::FAULT),
        }
    }

    fn read(&mut self, start: u64) -> Result<usize, Errno> {
        let mut bytes = match self.pages.len() {
            REMEMBERED => self.pages.swap_remove(self.oldest).bytes,
            _ => Box::new([0; PAGE as usize]),
        };
        let filled = memory::read(self.tid, start, &mut bytes[..])?;
        self.pages.push(Page {
            address: start,
            filled,
            bytes,
        });
        self.oldest = (self.oldest + 1) % REMEMBERED;
        Ok(self.pages.len() - 1)
    }

    /// The NUL-terminated string at `address`, or `too_long` if it has `limit` bytes and more.
    fn string(&mut self, mut address: u64, limit: usize, too_long: Errno) -> Result<CString, Errno> {
        let mut string = Vec::new();
        loop {
            let rest = self.at(address)?;
            if let Some(end) = rest.iter().position(|byte| *byte == 0) {
                string.extend_from_slice(&rest[..end]);
                if string.len() >= limit {
                    return Err(too_long);
                }
                return CString::new(string).map_err(|_| Errno::FAULT);
            }
            string.extend_from_slice(rest);
            address = address.checked_add(rest.len() as u64).ok_or(Errno::FAULT)?;
            if string.len() >= limit {
                return Err(too_long);
            }
        }
    }

    fn pointer(&mut self, address: u64) -> Result<u64, Errno> {
        let mut pointer = [0; 8];
        for (offset, byte) in (0..).zip(&mut pointer) {
            // A pointer need not be aligned and may straddle two pages.
            *byte = self.at(address.checked_add(offset).ok_or(Errno::FAULT)?)?[0];
        }
        Ok(u64::from_ne_bytes(pointer))
    }
}

impl Caller<'_> {
    /// The path at `address`, without its NUL; it may be empty.
    ///
    /// # Errors
    /// `ENAMETOOLONG` from `PATH_MAX` bytes on, `EFAULT` for memory that is not there, `EPERM` for memory
    /// that we may not read.
    pub fn read_path(&self, address: u64) -> Result<CString, Errno> {
        // Most paths are short and end within their page: one small read instead of a whole page.
        let mut first = [0; 256];
        let in_page = (PAGE - (address & (PAGE - 1))).min(first.len() as u64) as usize;
        let count = memory::read(self.tid(), address, &mut first[..in_page])?;
        if let Some(end) = first[..count].iter().position(|byte| *byte == 0) {
            return CString::new(&first[..end]).map_err(|_| Errno::FAULT);
        }
        Pages::new(self.tid()).string(address, PATH_MAX, Errno::NAMETOOLONG)
    }

    /// The string at `address` without its NUL, if it ends within `into` and its page; nothing where only
    /// [`Caller::read_path`] can tell.
    pub(crate) fn read_short<'b>(&self, address: u64, into: &'b mut [u8]) -> Option<&'b [u8]> {
        let in_page = (PAGE - (address & (PAGE - 1))).min(into.len() as u64) as usize;
        let count = memory::read(self.tid(), address, &mut into[..in_page]).ok()?;
        let end = into[..count].iter().position(|byte| *byte == 0)?;
        Some(&into[..end])
    }

    /// Exactly `into.len()` bytes at `address`.
    ///
    /// # Errors
    /// `EFAULT` if any of them is not there.
    pub fn read_into(&self, address: u64, into: &mut [u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < into.len() {
            let from = address.checked_add(done as u64).ok_or(Errno::FAULT)?;
            match memory::read(self.tid(), from, &mut into[done..])? {
                0 => return Err(Errno::FAULT),
                count => done += count,
            }
        }
        Ok(())
    }

    /// Exactly `length` bytes at `address`. The handler bounds `length` by what the call could use.
    ///
    /// # Errors
    /// `EFAULT` if any of them is not there.
    pub fn read_bytes(&self, address: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; length];
        self.read_into(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes all of `from` to `address`, for calls whose result lies in memory.
    ///
    /// # Errors
    /// `EFAULT` if any of it is not writable; a part may then have been written, as by the kernel.
    pub fn write_bytes(&self, address: u64, from: &[u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < from.len() {
            let to = address.checked_add(done as u64).ok_or(Errno::FAULT)?;
            match memory::write(self.tid(), to, &from[done..])? {
                0 => return Err(Errno::FAULT),
                count => done += count,
            }
        }
        Ok(())
    }

    /// The strings that the NULL-terminated array at `address` points to (`argv`, `envp`); a null
    /// array is an empty one.
    ///
    /// # Errors
    /// `E2BIG` beyond [`MAX_ARGUMENT`] for one or [`MAX_ARGUMENTS`] for all, `EFAULT`.
    pub fn read_string_array(&self, address: u64) -> Result<Vec<CString>, Errno> {
        let mut strings = Vec::new();
        if address == 0 {
            return Ok(strings);
        }
        let (mut pointers, mut texts) = (Pages::new(self.tid()), Pages::new(self.tid()));
        let mut total = 0;
        loop {
            let slot = address.checked_add(8 * strings.len() as u64).ok_or(Errno::FAULT)?;
            let pointer = pointers.pointer(slot)?;
            if pointer == 0 {
                return Ok(strings);
            }
            let string = texts.string(pointer, MAX_ARGUMENT, Errno::TOOBIG)?;
            total += string.as_bytes_with_nul().len() + 8;
            if total > MAX_ARGUMENTS {
                return Err(Errno::TOOBIG);
            }
            strings.push(string);
        }
    }
}
