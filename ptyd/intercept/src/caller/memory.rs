//! Reading the caller's memory, as the kernel would read it.

use std::ffi::CString;

use rustix::io::Errno;

use super::Caller;
use super::texts::Texts;
use crate::sys::memory;

pub(super) const PAGE: u64 = 4096;

/// The longest single argument or environment entry, its NUL included (`MAX_ARG_STRLEN`, `execve(2)`).
pub const MAX_ARGUMENT: usize = 32 * PAGE as usize;

/// The most bytes that arguments or environment can have together: the kernel's hard bound, three
/// quarters of 8 MiB, whatever the stack's limit.
pub const MAX_ARGUMENTS: usize = 6 << 20;

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
        self.texts().path(address)
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

    /// Reads the strings that the call's arguments name.
    pub(crate) fn texts(&self) -> Texts {
        Texts::new(self.tid())
    }

    /// The strings that the NULL-terminated array at `address` points to (`argv`, `envp`); a null
    /// array is an empty one.
    ///
    /// # Errors
    /// `E2BIG` beyond [`MAX_ARGUMENT`] for one or [`MAX_ARGUMENTS`] for all, `EFAULT`.
    pub fn read_string_array(&self, address: u64) -> Result<Vec<CString>, Errno> {
        self.texts().array(address)?.to_strings()
    }
}
