//! Calls whose results go to the caller byte for byte, so that no structure is taken apart here.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::checked;

/// `struct open_how`, `openat2(2)`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenHow {
    /// `O_*`.
    pub flags: u64,
    /// Mode of a file that is created.
    pub mode: u64,
    /// `RESOLVE_*`.
    pub resolve: u64,
}

/// Lets the kernel say whether `how` makes sense (`EINVAL` where it does not), without opening anything:
/// the structure is checked before the descriptor -1 is looked up.
pub fn check_open_how(how: &OpenHow) -> Result<(), Errno> {
    let path = c"x";
    // SAFETY: path is NUL-terminated, how is valid for its size; both are only read.
    let result = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            -1,
            path.as_ptr(),
            std::ptr::from_ref(how),
            size_of::<OpenHow>(),
        )
    };
    match checked(result) {
        Err(Errno::BADF) => Ok(()),
        Err(errno) => Err(errno),
        Ok(_) => Err(Errno::BADF),
    }
}

/// Size of the kernel's `struct stat` here.
const STAT_BYTES: usize = size_of::<libc::stat>();
/// Size of `struct statx`.
const STATX_BYTES: usize = size_of::<libc::statx>();

/// `fstatat(fd, "", AT_EMPTY_PATH)` as the bytes that the kernel writes (`stat(2)`).
pub fn stat_bytes(fd: BorrowedFd<'_>) -> Result<[u8; STAT_BYTES], Errno> {
    #[repr(C, align(8))]
    struct Buffer([u8; STAT_BYTES]);
    let mut buffer = Buffer([0; STAT_BYTES]);
    // SAFETY: the buffer has the size and alignment of the structure that the kernel writes.
    checked(unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            fd.as_raw_fd(),
            c"".as_ptr(),
            buffer.0.as_mut_ptr(),
            libc::AT_EMPTY_PATH,
        )
    })?;
    Ok(buffer.0)
}

/// `statx(fd, "", flags | AT_EMPTY_PATH, mask)` as the bytes that the kernel writes (`statx(2)`).
pub fn statx_bytes(fd: BorrowedFd<'_>, flags: i32, mask: u32) -> Result<[u8; STATX_BYTES], Errno> {
    #[repr(C, align(8))]
    struct Buffer([u8; STATX_BYTES]);
    let mut buffer = Buffer([0; STATX_BYTES]);
    // SAFETY: the buffer has the size and alignment of the structure that the kernel writes.
    checked(unsafe {
        libc::syscall(
            libc::SYS_statx,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags | libc::AT_EMPTY_PATH,
            mask,
            buffer.0.as_mut_ptr(),
        )
    })?;
    Ok(buffer.0)
}

/// Sets access and modification time of the object behind `fd` itself (`utimensat(2)`); `times` are two
/// `struct timespec` as the caller gave them, with `UTIME_NOW` and `UTIME_OMIT`; none: both now.
pub fn set_times(fd: BorrowedFd<'_>, times: Option<&[i64; 4]>) -> Result<(), Errno> {
    let times = times.map_or(std::ptr::null(), |times| times.as_ptr());
    // SAFETY: times is null or four valid longs, which is two timespec of a 64-bit kernel; the path is NUL-terminated.
    checked(unsafe {
        libc::syscall(
            libc::SYS_utimensat,
            fd.as_raw_fd(),
            c"".as_ptr(),
            times,
            libc::AT_EMPTY_PATH,
        )
    })
    .map(|_| ())
}

/// `name_to_handle_at(fd, "", …, flags | AT_EMPTY_PATH)`: fills `handle` (a `struct file_handle` whose first
/// word holds the room behind its 8 bytes of header) and returns the mount id.
///
/// # Errors
/// `EOVERFLOW` with the needed room in the first word; `EINVAL` if the slice is smaller than the room.
pub fn name_to_handle(fd: BorrowedFd<'_>, handle: &mut [u64], flags: i32) -> Result<u64, Errno> {
    let [a, b, c, d, ..] = handle.first().ok_or(Errno::INVAL)?.to_ne_bytes();
    if u32::from_ne_bytes([a, b, c, d]) as usize + 8 > size_of_val(handle) {
        return Err(Errno::INVAL);
    }
    let mut mount = 0u64;
    // SAFETY: the kernel writes at most the room that the first word of the handle names, which was
    // compared with the slice, and 4 or 8 bytes of mount id.
    checked(unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            fd.as_raw_fd(),
            c"".as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount,
            flags | libc::AT_EMPTY_PATH,
        )
    })?;
    Ok(mount)
}

/// `file_getattr` (Linux 6.17), the same number on all architectures.
pub const FILE_GETATTR: i64 = 468;

/// The sizes of `struct file_attr` that the kernel takes: from its first version to a page.
pub const FILE_ATTRIBUTES: (usize, usize) = (24, 4096);

/// `file_getattr` of the object behind `fd` itself, whose number is a link in the folder `descriptors`: `size` bytes as
/// the kernel writes them.
///
/// # Errors
/// `EINVAL` for a size that it does not know.
pub fn file_attributes(descriptors: BorrowedFd<'_>, fd: BorrowedFd<'_>, size: usize) -> Result<Vec<u8>, Errno> {
    let number = rustix::path::DecInt::from_fd(fd);
    let mut words = vec![0u64; size.div_ceil(8)];
    // SAFETY: the path is NUL-terminated; the kernel writes at most `size` bytes, for which there is room, aligned as
    // the structure needs.
    checked(unsafe {
        libc::syscall(
            FILE_GETATTR,
            descriptors.as_raw_fd(),
            number.as_c_str().as_ptr(),
            words.as_mut_ptr(),
            size,
            0,
        )
    })?;
    let bytes = words.into_iter().flat_map(u64::to_ne_bytes);
    Ok(bytes.take(size).collect())
}

/// `truncate(2)`.
pub fn truncate(path: &CStr, length: u64) -> Result<(), Errno> {
    // SAFETY: path is NUL-terminated and only read.
    checked(unsafe { libc::syscall(libc::SYS_truncate, path.as_ptr(), length) }).map(|_| ())
}

/// `inotify_add_watch(2)` with every bit of the mask.
pub fn add_watch(watches: impl AsFd, path: &CStr, mask: u32) -> Result<i32, Errno> {
    let watches = watches.as_fd().as_raw_fd();
    // SAFETY: path is NUL-terminated and only read.
    let watch = checked(unsafe { libc::syscall(libc::SYS_inotify_add_watch, watches, path.as_ptr(), mask) })?;
    i32::try_from(watch).map_err(|_| Errno::OVERFLOW)
}

/// `TIOCGPTPEER`, `ioctl_tty(2)`: the terminal of this master.
pub fn peer(master: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
    // SAFETY: the request takes its flags by value and answers with a new descriptor.
    unsafe {
        let number = checked(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags.bits()).into())?;
        Ok(OwnedFd::from_raw_fd(number as i32))
    }
}

/// The most that a request which sets the attributes of an inode reads.
pub const INODE_FLAGS: usize = 28;

/// `ioctl_iflags(2)`: one of the requests that read at most [`INODE_FLAGS`] bytes.
pub fn set_inode_flags(fd: BorrowedFd<'_>, request: u32, value: &[u8; INODE_FLAGS]) -> Result<(), Errno> {
    // A long is aligned as every one of the structures needs.
    let mut words = [0u64; INODE_FLAGS.div_ceil(8)];
    for (word, bytes) in words.iter_mut().zip(value.chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_ne_bytes(whole);
    }
    // SAFETY: the kernel reads at most as much as the array holds.
    checked(unsafe { libc::syscall(libc::SYS_ioctl, fd.as_raw_fd(), request, words.as_ptr()) }).map(|_| ())
}
