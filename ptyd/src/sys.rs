//! Socket options and process facts that no wrapper has.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// `SO_PEERPIDFD` of `unix(7)`, Linux 6.5.
const SO_PEERPIDFD: libc::c_int = 77;

/// A pidfd of the process that called `connect`.
pub(crate) fn peer_pidfd(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut fd: libc::c_int = -1;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes, an int, to `fd`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &raw mut size,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: on success `fd` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes over a descriptor that was inherited under a known number.
pub(crate) fn inherited(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD takes no pointers; a number that is not open is an error.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the number is open, was passed for this purpose, and is taken once, at the start.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(fd)
}

/// `struct pidfd_info` of `linux/pidfd.h`, its first published size.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup_id: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// `PIDFD_INFO_EXIT`, Linux 6.15.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: libc::c_ulong = (3 << 30) | ((size_of::<PidfdInfo>() as libc::c_ulong) << 16) | (0xff << 8) | 11;

/// The wait status (`wait(2)`) of a process that has ended and was reaped, whoever its parent is;
/// `None` as long as the kernel does not say.
pub(crate) fn exit_status(pidfd: impl AsFd) -> Option<i32> {
    info(pidfd, PIDFD_INFO_EXIT).map(|info| info.exit_code)
}

/// `PIDFD_INFO_CGROUPID`, Linux 6.13.
const PIDFD_INFO_CGROUPID: u64 = 1 << 2;

/// The number of the v2 control group in which a process is: the inode of its folder. `None` where the kernel does not say.
pub(crate) fn group_of(pidfd: impl AsFd) -> Option<u64> {
    info(pidfd, PIDFD_INFO_CGROUPID)
        .map(|info| info.cgroup_id)
        .filter(|number| *number != 0)
}

fn info(pidfd: impl AsFd, wanted: u64) -> Option<PidfdInfo> {
    let mut info = PidfdInfo {
        mask: wanted,
        ..PidfdInfo::default()
    };
    // SAFETY: the request carries the size of the structure, which the kernel fills up to that size.
    let result = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
    (result == 0 && info.mask & wanted != 0).then_some(info)
}

/// Whether something can be read, or the other end is gone.
pub(crate) fn has_input(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Registers a descriptor for being read, with the runtime of the calling thread.
pub(crate) fn readable(fd: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    watched(fd, tokio::io::Interest::READABLE)
}

/// Registers a descriptor for exceptional conditions (poll(2), POLLPRI), with the runtime of the calling thread.
pub(crate) fn exceptional(fd: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    watched(fd, tokio::io::Interest::PRIORITY)
}

fn watched(fd: OwnedFd, interest: tokio::io::Interest) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names the same open descriptor as long as it lives, and it is never taken out.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, interest) }.map_err(Into::into)
}

/// Gives every signal its default disposition, whatever the process that started us had made of it.
/// SIGPIPE stays ignored, as Rust's own start-up has it: a peer that is gone is an error of the write.
pub(crate) fn default_signals() {
    for signal in (1..=libc::SIGRTMAX()).filter(|signal| *signal != libc::SIGPIPE) {
        // SAFETY: installs no handler; SIGKILL, SIGSTOP and the C library's own numbers are refused, harmlessly.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Takes the usual place among the machine's processes, as far as it may: scheduling, processors, memory, what
/// `personality(2)` pretends. What it may not have stays as it was inherited.
pub(crate) fn usual_place() {
    let usual = libc::sched_param { sched_priority: 0 };
    // SAFETY: the structures live through the calls, which take nothing else by address; each may fail, harmlessly.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const usual);
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        let mut everywhere: libc::cpu_set_t = std::mem::zeroed();
        for processor in 0..libc::CPU_SETSIZE as usize {
            libc::CPU_SET(processor, &mut everywhere);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const everywhere);
        let (who_process, no_class) = (1, 0);
        libc::syscall(libc::SYS_ioprio_set, who_process, 0, no_class);
        libc::personality(0);
        libc::prctl(libc::PR_SET_TIMERSLACK, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_THP_DISABLE, 0, 0, 0, 0);
    }
}
