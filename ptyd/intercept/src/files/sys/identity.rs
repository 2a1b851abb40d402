//! Per-thread identity, and that of another task.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::checked;

/// What `PIDFD_GET_INFO` (Linux 6.13) tells of a task, `pidfd_open(2)`. Ids are in our user namespace.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskInfo {
    mask: u64,
    cgroup: u64,
    pid: u32,
    /// The process.
    pub tgid: u32,
    ppid: u32,
    /// Real ids.
    pub ruid: u32,
    /// Real group.
    pub rgid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    suid: u32,
    sgid: u32,
    /// The user id by which file access is checked.
    pub fsuid: u32,
    /// The group id by which file access is checked.
    pub fsgid: u32,
    exit_code: i32,
}

const INFO_PID: u64 = 1;
const INFO_CREDS: u64 = 1 << 1;
/// `_IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info)` in its first version of 64 bytes.
const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;

/// Ids of a living task; `ESRCH` when it is gone, `ENOTTY` or `EINVAL` on a kernel without the call.
pub fn task_info(pidfd: BorrowedFd<'_>) -> Result<TaskInfo, Errno> {
    let mut info = TaskInfo {
        mask: INFO_PID | INFO_CREDS,
        ..TaskInfo::default()
    };
    // SAFETY: the request's size field says 64 bytes, the size of TaskInfo, to which the pointer is valid and exclusive.
    checked(unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) }.into())?;
    if info.mask & INFO_CREDS == 0 {
        return Err(Errno::SRCH);
    }
    Ok(info)
}

/// Sets this thread's file-system user id and says whether it is in force (`setfsuid(2)` reports no errors).
pub fn set_fsuid(uid: u32) -> bool {
    // SAFETY: no memory is involved; the second call, with an invalid id, only reads.
    unsafe {
        libc::syscall(libc::SYS_setfsuid, uid);
        libc::syscall(libc::SYS_setfsuid, u32::MAX) as u32 == uid
    }
}

/// Sets this thread's file-system group id and says whether it is in force.
pub fn set_fsgid(gid: u32) -> bool {
    // SAFETY: as in `set_fsuid`.
    unsafe {
        libc::syscall(libc::SYS_setfsgid, gid);
        libc::syscall(libc::SYS_setfsgid, u32::MAX) as u32 == gid
    }
}

/// Gives this thread a root, working directory and umask of its own (`unshare(2)`).
pub fn unshare_fs() -> Result<(), Errno> {
    // SAFETY: CLONE_FS changes only which fs_struct this thread uses.
    checked(unsafe { libc::unshare(libc::CLONE_FS) }.into()).map(|_| ())
}

/// The soft limit of open descriptors of task `tid` (`prlimit(2)`).
pub fn open_descriptor_limit(tid: i32) -> Result<u64, Errno> {
    limit(tid, libc::RLIMIT_NOFILE.into(), "Max open files")
}

/// The soft limit of the size of files that task `tid` makes.
pub fn file_size_limit(tid: i32) -> Result<u64, Errno> {
    limit(tid, libc::RLIMIT_FSIZE.into(), "Max file size")
}

fn limit(tid: i32, resource: i64, title: &str) -> Result<u64, Errno> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: nothing is set; the old limit is written to one valid, exclusive rlimit64.
    let asked = checked(unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            tid,
            resource,
            std::ptr::null::<libc::rlimit64>(),
            &raw mut limit,
        )
    });
    match asked {
        Ok(_) => Ok(limit.rlim_cur),
        // Of a task with another uid only CAP_SYS_RESOURCE may ask; everybody may read the text.
        Err(Errno::PERM) => read_limit(tid, title).ok_or(Errno::PERM),
        Err(errno) => Err(errno),
    }
}

/// The soft limit in `/proc/TID/limits` (`proc_pid_limits(5)`).
fn read_limit(tid: i32, title: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{tid}/limits")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(title))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Sends `signal` to the task of `pidfd` (`pidfd_send_signal(2)`).
pub fn signal_thread(pidfd: BorrowedFd<'_>, signal: libc::c_int) -> Result<(), Errno> {
    // SAFETY: no memory is involved: a null siginfo means an ordinary signal.
    checked(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_reads_the_same_by_text_and_by_call() {
        let own = std::process::id() as i32;
        assert_eq!(read_limit(own, "Max open files"), open_descriptor_limit(own).ok());
        assert_eq!(read_limit(own, "Max file size"), file_size_limit(own).ok());
    }
}
