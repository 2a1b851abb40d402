//! A write into a mapped page that ends long after the mapping: `process_vm_writev(2)` holds on to the pages that it writes to
//! while it waits for what it reads, which here comes by `userfaultfd(2)`.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;
use std::thread::JoinHandle;

const PAGE: usize = 4096;

/// `UFFDIO_API`, `UFFDIO_REGISTER` and `UFFDIO_COPY` with their structures as words, `ioctl_userfaultfd(2)`.
const API: libc::Ioctl = 0xc018_aa3f_u32 as libc::Ioctl;
const REGISTER: libc::Ioctl = 0xc020_aa00_u32 as libc::Ioctl;
const COPY: libc::Ioctl = 0xc028_aa03_u32 as libc::Ioctl;
const MISSING: u64 = 1;

/// A write that has begun.
pub struct Pinned {
    faults: OwnedFd,
    from: usize,
    writer: JoinHandle<isize>,
}

fn checked(result: libc::c_long) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn ask(faults: &OwnedFd, request: libc::Ioctl, words: &mut [u64]) -> io::Result<()> {
    // SAFETY: the words are the request's structure, valid for the call.
    checked(unsafe { libc::ioctl(faults.as_raw_fd(), request, words.as_mut_ptr()) }.into()).map(drop)
}

/// Two pages at `at` or anywhere; `file`: the second is its first.
fn pages(file: Option<&File>) -> io::Result<usize> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, and a page of it replaced.
    unsafe {
        let start = libc::mmap(null_mut(), 2 * PAGE, access, kind, -1, 0);
        if let (Some(file), true) = (file, start != libc::MAP_FAILED) {
            let shared = libc::MAP_SHARED | libc::MAP_FIXED;
            if libc::mmap(start.byte_add(PAGE), PAGE, access, shared, file.as_raw_fd(), 0) == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
        }
        match start {
            libc::MAP_FAILED => Err(io::Error::last_os_error()),
            start => Ok(start as usize),
        }
    }
}

/// Begins to write to the first page of `file`, of which no mapping is left afterwards.
pub fn begin(file: &File) -> io::Result<Pinned> {
    // SAFETY: integers alone; the descriptor is new and ours.
    let faults = unsafe {
        let number = checked(libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC))?;
        OwnedFd::from_raw_fd(number as i32)
    };
    ask(&faults, API, &mut [0xaa, 0, 0])?;
    let (from, to) = (pages(None)?, pages(Some(file))?);
    // SAFETY: both first pages are ours and mapped; nobody else knows of them.
    unsafe { (from as *mut u8).write(1) };
    ask(&faults, REGISTER, &mut [(from + PAGE) as u64, PAGE as u64, MISSING, 0])?;
    let write = move || {
        let vector = |start: usize| libc::iovec {
            iov_base: start as *mut libc::c_void,
            iov_len: 2 * PAGE,
        };
        // SAFETY: the kernel looks itself whether the pages are there.
        unsafe { libc::process_vm_writev(libc::getpid(), &vector(from), 1, &vector(to), 1, 0) }
    };
    let writer = std::thread::spawn(write);
    // SAFETY: the page is mapped; the kernel writes to it once it holds both.
    while unsafe { (to as *const u8).read_volatile() } == 0 {
        std::thread::yield_now();
    }
    // SAFETY: the page is ours, and nobody here looks at it again.
    checked(unsafe { libc::munmap((to + PAGE) as *mut libc::c_void, PAGE) }.into())?;
    Ok(Pinned { faults, from, writer })
}

impl Pinned {
    /// Ends it: `text` is what is written.
    pub fn end(self, text: &[u8]) -> io::Result<()> {
        let mut page = vec![b' '; PAGE];
        page[..text.len()].copy_from_slice(text);
        let source = page.as_ptr() as u64;
        ask(
            &self.faults,
            COPY,
            &mut [(self.from + PAGE) as u64, source, PAGE as u64, 0, 0],
        )?;
        match self.writer.join() {
            Ok(written) if written == 2 * PAGE as isize => Ok(()),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }
}
