//! The ioctls of a seccomp notification descriptor, `seccomp_unotify(2)`.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` (Linux 6.6): wake the other side on this CPU.
pub const SYNC_WAKE_UP: u64 = 1;

/// `ERESTARTSYS`: the kernel restarts the call or turns it into `EINTR`, as the pending signal's
/// handler was installed. Never seen by a program while a signal is pending for the answered task.
pub const RESTART_SYSCALL: i32 = 512;

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Waits for the next notification (`SECCOMP_IOCTL_NOTIF_RECV`).
///
/// `EINTR`: a signal came. `ENOENT`: the caller died meanwhile, or (Linux 6.11) nobody lives under the filter.
pub fn receive(listener: BorrowedFd<'_>) -> Result<libc::seccomp_notif, Errno> {
    let mut notification = libc::seccomp_notif {
        id: 0,
        pid: 0,
        flags: 0,
        data: libc::seccomp_data {
            nr: 0,
            arch: 0,
            instruction_pointer: 0,
            args: [0; 6],
        },
    };
    // SAFETY: the request writes one seccomp_notif, to which the pointer is valid and exclusive.
    let status = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV,
            &raw mut notification,
        )
    };
    if status < 0 {
        Err(last_errno())
    } else {
        Ok(notification)
    }
}

/// Answers a notification (`SECCOMP_IOCTL_NOTIF_SEND`). `ENOENT`: the caller is gone.
pub fn respond(listener: BorrowedFd<'_>, mut response: libc::seccomp_notif_resp) -> Result<(), Errno> {
    // SAFETY: the request reads one seccomp_notif_resp, to which the pointer is valid.
    let status = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
    if status < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Whether the notification still waits for an answer (`SECCOMP_IOCTL_NOTIF_ID_VALID`).
pub fn id_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the request reads one u64, to which the pointer is valid.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0 }
}

/// Installs a descriptor in the caller (`SECCOMP_IOCTL_NOTIF_ADDFD`) and returns its number there.
pub fn add_fd(listener: BorrowedFd<'_>, mut request: libc::seccomp_notif_addfd) -> Result<i32, Errno> {
    // SAFETY: the request reads one seccomp_notif_addfd, to which the pointer is valid; srcfd is only looked up.
    let number = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut request) };
    if number < 0 { Err(last_errno()) } else { Ok(number) }
}

/// Sets the listener's flags (`SECCOMP_IOCTL_NOTIF_SET_FLAGS`, Linux 6.6); `EINVAL` or `ENOTTY` on older kernels.
pub fn set_flags(listener: BorrowedFd<'_>, flags: u64) -> Result<(), Errno> {
    // SAFETY: the request takes its flags by value.
    let status = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) };
    if status < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Whether a notification waits to be received. Does not wait.
pub fn pending(listener: BorrowedFd<'_>) -> bool {
    poll(listener, libc::POLLIN) & libc::POLLIN != 0
}

/// Whether nobody lives under the filter any more (`POLLHUP`, Linux 5.8). Does not wait.
pub fn hung_up(listener: BorrowedFd<'_>) -> bool {
    poll(listener, 0) & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
}

fn poll(listener: BorrowedFd<'_>, events: libc::c_short) -> libc::c_short {
    let mut poll = libc::pollfd {
        fd: listener.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one pollfd, valid and exclusive for the call.
    match unsafe { libc::poll(&raw mut poll, 1, 0) } {
        1 => poll.revents,
        _ => 0,
    }
}
