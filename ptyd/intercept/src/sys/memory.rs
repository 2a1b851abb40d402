//! Another process's memory, `process_vm_readv(2)`.

use rustix::io::Errno;

fn transferred(count: isize) -> Result<usize, Errno> {
    usize::try_from(count).map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}

/// Reads up to `into.len()` bytes at `address` of the task `tid`; fewer where a page is not readable.
///
/// The range must not cross a page boundary unless a short result is acceptable: the kernel
/// counts whole segments of one page each. `EFAULT`: nothing there. `EPERM`: not ours to read.
pub fn read(tid: i32, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: into.len(),
    };
    // SAFETY: the local segment is valid and exclusive for its length; the remote address is only the kernel's to check.
    transferred(unsafe { libc::process_vm_readv(tid, &raw const local, 1, &raw const remote, 1, 0) })
}

/// How many pages [`read_pages`] reads at most.
const MAX_PAGES: usize = 16;

/// Reads the pages that begin at `starts` of the task `tid`, in this order up to the first that is not readable; how
/// many that are. `EPERM`: not ours to read.
pub fn read_pages(tid: i32, starts: &[u64], into: &mut [Box<[u8; 4096]>]) -> Result<usize, Errno> {
    let nothing = libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    };
    let (mut local, mut remote) = ([nothing; MAX_PAGES], [nothing; MAX_PAGES]);
    let count = starts.len().min(into.len()).min(MAX_PAGES);
    for (index, (start, page)) in starts.iter().zip(into).take(count).enumerate() {
        local[index] = libc::iovec {
            iov_base: page.as_mut_ptr().cast(),
            iov_len: page.len(),
        };
        remote[index] = libc::iovec {
            iov_base: *start as *mut libc::c_void,
            iov_len: page.len(),
        };
    }
    if count == 0 {
        return Ok(0);
    }
    let (local, remote) = (local.as_ptr(), remote.as_ptr());
    // SAFETY: `count` local segments are valid and exclusive, each for its own page, through the call; the remote
    // addresses are only the kernel's to check.
    let read = transferred(unsafe { libc::process_vm_readv(tid, local, count as u64, remote, count as u64, 0) })?;
    Ok(read / 4096)
}

/// Writes `from` to `address` of the task `tid`; fewer bytes where a page is not writable.
pub fn write(tid: i32, address: u64, from: &[u8]) -> Result<usize, Errno> {
    let local = libc::iovec {
        iov_base: from.as_ptr().cast_mut().cast(),
        iov_len: from.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: from.len(),
    };
    // SAFETY: the local segment is valid for its length and only read; the remote address is the kernel's to check.
    transferred(unsafe { libc::process_vm_writev(tid, &raw const local, 1, &raw const remote, 1, 0) })
}
