//! A connection between a caller's socket and its own supervisor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::sys::socket;

/// Makes such connections, each through a listening socket of its own that exists only for the moment:
/// nobody else can be taken for the caller, and a path reaches callers in every network namespace.
pub struct Inside {
    folder: OwnedFd,
    next: AtomicU64,
}

impl Inside {
    /// `folder`: the supervisor's own, which nobody in the session can write or search.
    ///
    /// # Errors
    /// Those of `open(2)`.
    pub fn new(folder: &Path) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, folder.as_os_str().as_bytes(), flags, Mode::empty())?;
        Ok(Inside {
            folder,
            next: AtomicU64::new(0),
        })
    }

    /// Connects the caller's `client` and returns our end.
    ///
    /// # Errors
    /// Those of `connect(2)` on the caller's socket (`EISCONN`, `EPROTOTYPE` …).
    pub fn connect(&self, client: impl AsFd) -> Result<UnixStream, Errno> {
        let name = format!(
            "inside-{}-{}",
            std::process::id(),
            self.next.fetch_add(1, Ordering::Relaxed)
        );
        // Short whatever the folder's path is.
        let path = format!("/proc/self/fd/{}/{name}", self.folder.as_raw_fd());
        let server = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::net::bind(&server, &SocketAddrUnix::new(path.as_bytes())?)?;
        let connected = rustix::net::listen(&server, 1).and_then(|()| socket::connect(client, &address(&path)));
        let removed = rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty());
        connected?;
        removed?;
        let stream = rustix::net::accept_with(&server, SocketFlags::CLOEXEC)?;
        Ok(UnixStream::from(stream))
    }
}

/// `struct sockaddr_un` for `path`, `unix(7)`.
pub(super) fn address(path: &str) -> Vec<u8> {
    [&(libc::AF_UNIX as u16).to_ne_bytes()[..], path.as_bytes(), b"\0"].concat()
}
