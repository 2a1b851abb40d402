//! The stub as a file that can be executed: sealed memory, which no name leads to and nobody can change.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use crate::process::FileId;
use crate::sys::stub::code;

/// Where it is mapped.
const ADDRESS: u64 = 0x40_0000;

/// Sizes of an ELF header and of a program header (`elf(5)`).
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// The stub of this process, for all its commands.
pub struct Stub {
    fd: OwnedFd,
    /// What `/proc/PID/exe` names while it runs.
    pub id: FileId,
}

static STUB: OnceLock<Result<Stub, Errno>> = OnceLock::new();

impl Stub {
    /// The stub; made when it is asked for the first time.
    ///
    /// # Errors
    /// Where this host gives no executable memory files, or this architecture has no stub.
    pub fn get() -> Result<&'static Stub, Errno> {
        STUB.get_or_init(Stub::make).as_ref().map_err(|errno| *errno)
    }

    /// Whether `file` is the stub.
    pub fn is(file: Option<FileId>) -> bool {
        matches!((STUB.get(), file), (Some(Ok(stub)), Some(file)) if stub.id == file)
    }

    fn make() -> Result<Stub, Errno> {
        if code().is_empty() {
            return Err(Errno::NOSYS);
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Before Linux 6.3 there is no such flag, and every memory file can be executed.
        let writable = match rustix::fs::memfd_create("agentsh", flags | MemfdFlags::EXEC) {
            Err(Errno::INVAL) => rustix::fs::memfd_create("agentsh", flags)?,
            made => made?,
        };
        let image = image(code());
        if rustix::io::write(&writable, &image)? != image.len() {
            return Err(Errno::IO);
        }
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        rustix::fs::fcntl_add_seals(&writable, seals)?;
        // What somebody has open for writing is not executed (`ETXTBSY`).
        let path = format!("/proc/self/fd/{}", writable.as_raw_fd());
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let id = FileId::of(&rustix::fs::fstat(&fd)?);
        Ok(Stub { fd, id })
    }
}

impl AsFd for Stub {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A static program of one readable and executable segment.
fn image(code: &[u8]) -> Vec<u8> {
    let start = HEADER + 2 * PROGRAM_HEADER;
    let length = (start + code.len()) as u64;
    let mut image = Vec::with_capacity(start + code.len());
    image.extend(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let halves = |image: &mut Vec<u8>, numbers: &[u16]| numbers.iter().for_each(|one| image.extend(one.to_le_bytes()));
    let words = |image: &mut Vec<u8>, numbers: &[u32]| numbers.iter().for_each(|one| image.extend(one.to_le_bytes()));
    let longs = |image: &mut Vec<u8>, numbers: &[u64]| numbers.iter().for_each(|one| image.extend(one.to_le_bytes()));
    // ET_EXEC for x86-64, version 1; entry, program headers, no sections.
    halves(&mut image, &[2, 62]);
    words(&mut image, &[1]);
    longs(&mut image, &[ADDRESS + start as u64, HEADER as u64, 0]);
    words(&mut image, &[0]);
    halves(&mut image, &[HEADER as u16, PROGRAM_HEADER as u16, 2, 0, 0, 0]);
    // PT_LOAD, to be read and executed.
    words(&mut image, &[1, 5]);
    longs(&mut image, &[0, ADDRESS, ADDRESS, length, length, 4096]);
    // PT_GNU_STACK: a stack that is not executed.
    words(&mut image, &[0x6474_e551, 6]);
    longs(&mut image, &[0, 0, 0, 0, 0, 16]);
    image.extend(code);
    image
}
