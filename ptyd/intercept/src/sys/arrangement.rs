//! Who is signalled about a descriptor, and with what: `fcntl(2)`, "Managing signals", for which no library has words.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use rustix::io::Errno;

/// `F_SETSIG`, `F_GETOWN_EX` and the kinds of `struct f_owner_ex`, as `fcntl(2)` has them.
pub const SET_SIGNAL: i32 = 10;
const GET_OWNER: i32 = 16;
const GROUP: i32 = 2;

/// `FIOASYNC`, `ioctl(2)`.
pub const ASYNC: u32 = 0x5452;

/// Who owns an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Nobody,
    /// A process or thread.
    One(i32),
    Group(i32),
}

/// Who is signalled about `fd`.
///
/// # Errors
/// `EBADF` for a descriptor that was opened with `O_PATH`.
pub fn owner(fd: impl AsFd) -> Result<Owner, Errno> {
    let mut owner = [0i32; 2];
    // SAFETY: the kernel writes the two words of a `struct f_owner_ex`.
    checked(unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), GET_OWNER, owner.as_mut_ptr()) })?;
    Ok(match owner {
        [_, 0] => Owner::Nobody,
        [GROUP, group] => Owner::Group(group),
        [_, pid] => Owner::One(pid),
    })
}

/// Has process `pid` signalled about `fd`.
pub fn set_owner(fd: impl AsFd, pid: i32) -> Result<(), Errno> {
    // SAFETY: the argument is a number.
    checked(unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_SETOWN, pid) })
}

/// Has `signal` sent about `fd`; 0: `SIGIO`.
pub fn set_signal(fd: impl AsFd, signal: i32) -> Result<(), Errno> {
    // SAFETY: the argument is a number.
    checked(unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), SET_SIGNAL, signal) })
}

/// `F_SETFL` as somebody who has the file open as `number`: that is what a receiver is told.
pub fn set_flags(fd: impl AsFd, number: i32, flags: i32) -> Result<(), Errno> {
    // SAFETY: the argument is a number.
    under(fd, number, |fd| unsafe { libc::fcntl(fd, libc::F_SETFL, flags) })
}

/// `FIOASYNC` as somebody who has the file open as `number`.
pub fn set_async(fd: impl AsFd, number: i32, on: i32) -> Result<(), Errno> {
    // SAFETY: the kernel reads one int, which lives through the call.
    under(fd, number, |fd| unsafe { libc::ioctl(fd, ASYNC.into(), &raw const on) })
}

/// Does it with `fd` under a number of the caller's, in a table of descriptors that nobody else has.
fn under(fd: impl AsFd, number: i32, call: impl FnOnce(RawFd) -> i32 + Send) -> Result<(), Errno> {
    // It stays open here: the thread closes copies only.
    let fd = fd.as_fd().as_raw_fd();
    let go = move || {
        // SAFETY: this thread alone gets a table of its own; it hands no descriptor on, and ends.
        checked(unsafe { libc::unshare(libc::CLONE_FILES) })?;
        if fd != number {
            // SAFETY: whatever had this number is still open in the other table, and nothing here uses it.
            checked(unsafe { libc::dup3(fd, number, libc::O_CLOEXEC) })?;
        }
        checked(call(number))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, go);
        thread.map_err(|_| Errno::AGAIN)?.join().map_err(|_| Errno::IO)?
    })
}

fn checked(status: i32) -> Result<(), Errno> {
    match status {
        -1 => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_remembers_its_owner_and_the_number_that_it_had() -> Result<(), Box<dyn std::error::Error>> {
        let (one, _other) = std::os::unix::net::UnixStream::pair()?;
        assert_eq!(owner(&one)?, Owner::Nobody);
        let own = std::process::id().cast_signed();
        set_owner(&one, own)?;
        assert_eq!(owner(&one)?, Owner::One(own));
        let on = |fd: &std::os::unix::net::UnixStream| -> std::io::Result<bool> {
            Ok(rustix::fs::fcntl_getfl(fd)?.bits() & libc::O_ASYNC as u32 != 0)
        };
        // Nobody is to be signalled by this.
        set_owner(&one, 0)?;
        for number in [one.as_raw_fd(), 700] {
            set_flags(&one, number, libc::O_ASYNC)?;
            assert!(on(&one)?);
            set_async(&one, number, 0)?;
            assert!(!on(&one)?);
        }
        assert!(set_signal(&one, 99).is_err());
        Ok(())
    }
}
